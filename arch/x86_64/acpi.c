/*
 * arch/x86_64/acpi.c - the tables of a hardware-reduced ACPI machine.
 *
 * ACPI 6.4: RSDP (5.2.5), XSDT (5.2.8), FADT (5.2.9) with HW_REDUCED_ACPI,
 * MADT (5.2.12), DSDT. A stock kernel finds everything here: its CPUs, the
 * IOAPIC, the serial port, the virtio-mmio windows (LNRO0005, the id that
 * Linux's virtio_mmio driver binds to), a power button behind a generic event
 * device (ACPI0013, 5.6.9), pvpanic (QEMU0001), and how to power off and
 * reset. There is no SCI, PM timer, i8042, CMOS clock or VGA, and the boot
 * flags say so: kernels otherwise spend half a second looking for a keyboard.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86_64/aml.h"
#include "arch/x86_64/boot.h"
#include "arch/x86_64/layout.h"
#include "base/endian.h"

/* 5.2.6: the head of every table but the RSDP */
struct acpi_header {
	char signature[4];
	le32 length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	le32 oem_revision;
	char creator_id[4];
	le32 creator_revision;
};

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	le32 rsdt;
	le32 length;
	le64 xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
};

/* 5.2.3.2, generic address structure */
struct acpi_address {
	uint8_t space; /* 1: system I/O */
	uint8_t width_bits;
	uint8_t offset_bits;
	uint8_t access; /* 1: byte */
	le64 address;
};

/* 5.2.9; what hardware-reduced machines leave zero is lumped together. */
struct acpi_fadt {
	struct acpi_header header;
	le32 facs, dsdt;
	uint8_t fixed_hardware[65];
	le16 boot_flags;
	uint8_t reserved;
	le32 flags;
	struct acpi_address reset_register;
	uint8_t reset_value;
	le16 arm_boot_flags;
	uint8_t minor_version;
	le64 x_facs, x_dsdt;
	uint8_t x_fixed_hardware[96];
	struct acpi_address sleep_control;
	struct acpi_address sleep_status;
	char hypervisor_vendor[8];
};
_Static_assert(sizeof(struct acpi_fadt) == 276, "FADT of revision 6");

#define FADT_BOOT_NO_VGA      (1 << 2)
#define FADT_BOOT_NO_CMOS_RTC (1 << 5)
#define FADT_WBINVD	      (1 << 0)
#define FADT_PROC_C1	      (1 << 2)
#define FADT_POWER_BUTTON     (1 << 4) /* not a fixed one */
#define FADT_SLEEP_BUTTON     (1 << 5)
#define FADT_RESET_REGISTER   (1 << 10)
#define FADT_HW_REDUCED	      (1 << 20)

/* The power device's registers: see devices/power.h. */
#define POWER_SLEEP_CONTROL 0
#define POWER_SLEEP_STATUS  1
#define POWER_RESET	    2
#define POWER_RESET_VALUE   1
#define POWER_S5	    5

struct acpi_madt {
	struct acpi_header header;
	le32 lapic;
	le32 flags;
};

struct acpi_ioapic {
	uint8_t type, length, id, reserved;
	le32 address;
	le32 gsi_base;
};

struct acpi_lapic {
	uint8_t type, length, processor, apic_id;
	le32 flags;
};

struct acpi_x2apic {
	uint8_t type, length, reserved[2];
	le32 apic_id;
	le32 flags;
	le32 processor;
};

#define MADT_LAPIC	0
#define MADT_IOAPIC	1
#define MADT_X2APIC	9
#define MADT_ENABLED	1
#define MADT_LAPIC_LAST 254 /* larger ids need an x2APIC entry */

/* The tables grow one behind the other in the area at LAYOUT_ACPI. */
struct acpi_area {
	uint8_t *bytes;
	size_t used;
};

/* Room for @size zeroed bytes, 16-aligned; NULL when the area is full. */
static void *area_take(struct acpi_area *area, size_t size)
{
	size_t at = align_up(area->used, 16);

	if (!range_fits(at, size, LAYOUT_ACPI_MAX))
		return NULL;
	area->used = at + size;
	return memset(area->bytes + at, 0, size);
}

static gpa_t area_address(const struct acpi_area *area, const void *table)
{
	return LAYOUT_ACPI + (gpa_t)((const uint8_t *)table - area->bytes);
}

static uint8_t checksum(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint8_t sum = 0;

	while (length--)
		sum += *bytes++;
	return (uint8_t)-sum;
}

/* Fills in the head of a finished table. */
static void finish_table(struct acpi_header *header, const char *signature,
			 uint8_t revision, size_t length)
{
	memcpy(header->signature, signature, 4);
	header->length = le32_make((uint32_t)length);
	header->revision = revision;
	memcpy(header->oem_id, "ALCOR ", 6);
	memcpy(header->oem_table_id, "ALCOR   ", 8);
	header->oem_revision = le32_make(1);
	memcpy(header->creator_id, "ALCR", 4);
	header->creator_revision = le32_make(1);
	header->checksum = 0;
	header->checksum = checksum(header, length);
}

static void dsdt_serial(struct aml *aml)
{
	size_t device = aml_device_begin(aml, "COM1");
	size_t resources;

	aml_name_eisa_id(aml, "_HID", "PNP0501");
	aml_name_integer(aml, "_UID", 0);
	resources = aml_resources_begin(aml, "_CRS");
	aml_resource_ports(aml, (uint16_t)arch_map.serial.range.base,
			   (uint8_t)arch_map.serial.range.size);
	aml_resource_interrupt(aml, arch_map.serial.gsi);
	aml_resources_end(aml, resources);
	aml_end(aml, device);
}

static void dsdt_virtio(struct aml *aml, unsigned int index)
{
	struct arch_slot slot = arch_virtio_slot(index);
	size_t device, resources;
	char name[8];

	snprintf(name, sizeof(name), "VR%02X", index & 0xff);
	device = aml_device_begin(aml, name);
	aml_name_string(aml, "_HID", "LNRO0005");
	aml_name_integer(aml, "_UID", index);
	aml_name_integer(aml, "_CCA", 1);
	resources = aml_resources_begin(aml, "_CRS");
	aml_resource_memory(aml, (uint32_t)slot.range.base,
			    (uint32_t)slot.range.size);
	aml_resource_interrupt(aml, slot.gsi);
	aml_resources_end(aml, resources);
	aml_end(aml, device);
}

static void dsdt_panic(struct aml *aml)
{
	size_t device = aml_device_begin(aml, "PEVT");
	size_t resources;

	aml_name_string(aml, "_HID", "QEMU0001");
	resources = aml_resources_begin(aml, "_CRS");
	aml_resource_ports(aml, (uint16_t)arch_map.panic.range.base,
			   (uint8_t)arch_map.panic.range.size);
	aml_resources_end(aml, resources);
	aml_end(aml, device);
}

/* The button has no register: its interrupt alone is the message. */
static void dsdt_power_button(struct aml *aml)
{
	static const uint8_t pressed = 0x80;
	size_t device, part;

	device = aml_device_begin(aml, "PWRB");
	aml_name_eisa_id(aml, "_HID", "PNP0C0C");
	aml_end(aml, device);

	device = aml_device_begin(aml, "GED0");
	aml_name_string(aml, "_HID", "ACPI0013");
	aml_name_integer(aml, "_UID", 0);
	part = aml_resources_begin(aml, "_CRS");
	aml_resource_interrupt(aml, arch_map.power_button.gsi);
	aml_resources_end(aml, part);
	part = aml_method_begin(aml, "_EVT", 1);
	aml_notify(aml, "\\_SB_.PWRB", pressed);
	aml_end(aml, part);
	aml_end(aml, device);
}

static struct acpi_header *write_dsdt(struct acpi_area *area,
				      const struct arch_board *board)
{
	static const uint8_t s5[] = {POWER_S5, POWER_S5, 0, 0};
	struct acpi_header *dsdt = area_take(area, sizeof(*dsdt));
	struct aml aml;
	size_t scope;

	if (!dsdt)
		return NULL;
	aml = (struct aml){.bytes = area->bytes + area->used,
			   .size = LAYOUT_ACPI_MAX - area->used};
	aml_name_package(&aml, "\\_S5_", s5, sizeof(s5));
	scope = aml_scope_begin(&aml, "\\_SB_");
	dsdt_serial(&aml);
	if (board->discovery != ARCH_DISCOVERY_CMDLINE)
		for (unsigned int i = 0; i < board->virtio_count; i++)
			dsdt_virtio(&aml, i);
	dsdt_panic(&aml);
	dsdt_power_button(&aml);
	aml_end(&aml, scope);
	if (aml.overflow)
		return NULL;
	area->used += aml.used;
	finish_table(dsdt, "DSDT", 2, sizeof(*dsdt) + aml.used);
	return dsdt;
}

static struct acpi_address power_register(unsigned int offset)
{
	return (struct acpi_address){
		.space = 1,
		.width_bits = 8,
		.access = 1,
		.address = le64_make(arch_map.power.range.base + offset),
	};
}

static struct acpi_header *write_fadt(struct acpi_area *area, gpa_t dsdt)
{
	struct acpi_fadt *fadt = area_take(area, sizeof(*fadt));

	if (!fadt)
		return NULL;
	fadt->dsdt = le32_make((uint32_t)dsdt);
	fadt->x_dsdt = le64_make(dsdt);
	fadt->boot_flags = le16_make(FADT_BOOT_NO_VGA | FADT_BOOT_NO_CMOS_RTC);
	fadt->flags = le32_make(FADT_WBINVD | FADT_PROC_C1 | FADT_POWER_BUTTON |
				FADT_SLEEP_BUTTON | FADT_RESET_REGISTER |
				FADT_HW_REDUCED);
	fadt->reset_register = power_register(POWER_RESET);
	fadt->reset_value = POWER_RESET_VALUE;
	fadt->minor_version = 4;
	fadt->sleep_control = power_register(POWER_SLEEP_CONTROL);
	fadt->sleep_status = power_register(POWER_SLEEP_STATUS);
	memcpy(fadt->hypervisor_vendor, "ALCOR", 5);
	finish_table(&fadt->header, "FACP", 6, sizeof(*fadt));
	return &fadt->header;
}

static void write_cpu(uint8_t *at, unsigned int id)
{
	struct acpi_lapic lapic = {MADT_LAPIC, sizeof(lapic), (uint8_t)id,
				   (uint8_t)id, le32_make(MADT_ENABLED)};
	struct acpi_x2apic x2apic = {
		MADT_X2APIC,   sizeof(x2apic),		{0, 0},
		le32_make(id), le32_make(MADT_ENABLED), le32_make(id)};

	if (id <= MADT_LAPIC_LAST)
		memcpy(at, &lapic, sizeof(lapic));
	else
		memcpy(at, &x2apic, sizeof(x2apic));
}

static size_t cpu_size(unsigned int id)
{
	return id <= MADT_LAPIC_LAST ? sizeof(struct acpi_lapic)
				     : sizeof(struct acpi_x2apic);
}

static struct acpi_header *write_madt(struct acpi_area *area, unsigned int cpus)
{
	const struct acpi_ioapic ioapic = {
		MADT_IOAPIC, sizeof(ioapic),	       0,
		0,	     le32_make(LAYOUT_IOAPIC), le32_make(0)};
	size_t size = sizeof(struct acpi_madt) + sizeof(ioapic);
	struct acpi_madt *madt;
	uint8_t *at;

	for (unsigned int id = 0; id < cpus; id++)
		size += cpu_size(id);
	madt = area_take(area, size);
	if (!madt)
		return NULL;
	madt->lapic = le32_make(LAYOUT_LAPIC);
	at = (uint8_t *)(madt + 1);
	memcpy(at, &ioapic, sizeof(ioapic));
	at += sizeof(ioapic);
	for (unsigned int id = 0; id < cpus; id++) {
		write_cpu(at, id);
		at += cpu_size(id);
	}
	finish_table(&madt->header, "APIC", 5, size);
	return &madt->header;
}

static struct acpi_header *write_xsdt(struct acpi_area *area,
				      const struct acpi_header *fadt,
				      const struct acpi_header *madt)
{
	struct {
		struct acpi_header header;
		le64 tables[2];
	} *xsdt = area_take(area, sizeof(*xsdt));

	if (!xsdt)
		return NULL;
	xsdt->tables[0] = le64_make(area_address(area, fadt));
	xsdt->tables[1] = le64_make(area_address(area, madt));
	finish_table(&xsdt->header, "XSDT", 1, sizeof(*xsdt));
	return &xsdt->header;
}

static void write_rsdp(struct acpi_rsdp *rsdp, gpa_t xsdt)
{
	memcpy(rsdp->signature, "RSD PTR ", 8);
	memcpy(rsdp->oem_id, "ALCOR ", 6);
	rsdp->revision = 2;
	rsdp->length = le32_make(sizeof(*rsdp));
	rsdp->xsdt = le64_make(xsdt);
	rsdp->checksum = checksum(rsdp, 20);
	rsdp->extended_checksum = checksum(rsdp, sizeof(*rsdp));
}

int acpi_write(const struct arch_board *board, gpa_t *ret_rsdp, struct err *err)
{
	struct acpi_area area = {0};
	struct acpi_header *dsdt, *fadt = NULL, *madt = NULL, *xsdt = NULL;
	struct acpi_rsdp *rsdp;

	area.bytes = guest_range(board->memory, LAYOUT_ACPI, LAYOUT_ACPI_MAX);
	if (!area.bytes)
		return err_set(err, ENOSPC, "no memory for ACPI tables");
	/* The RSDP first: kernels without boot_params look for it there. */
	rsdp = area_take(&area, sizeof(*rsdp));
	dsdt = write_dsdt(&area, board);
	if (dsdt)
		fadt = write_fadt(&area, area_address(&area, dsdt));
	if (fadt)
		madt = write_madt(&area, board->cpus);
	if (madt)
		xsdt = write_xsdt(&area, fadt, madt);
	if (!xsdt)
		return err_set(err, ENOSPC,
			       "the ACPI tables of %u CPUs do not fit",
			       board->cpus);
	write_rsdp(rsdp, area_address(&area, xsdt));
	*ret_rsdp = area_address(&area, rsdp);
	return 0;
}

/*
 * arch/x86_64/acpi_test.c - walks the tables from the RSDP as a kernel does,
 * by ACPI 6.4's offsets, and has ACPICA's disassembler read the DSDT.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "arch/x86_64/boot.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/test_board.h"
#include "base/test.h"

#define HEADER_SIZE 36

static uint8_t sum_of(const struct test_board *test, gpa_t gpa, uint64_t length)
{
	uint8_t sum = 0;

	for (uint64_t i = 0; i < length; i++)
		sum += (uint8_t)test_board_get(test, gpa + i, 1);
	return sum;
}

static bool has_text(const struct test_board *test, gpa_t gpa, const char *text)
{
	char found[16] = "";

	return !guest_read(&test->memory, gpa, found, strlen(text)) &&
	       !memcmp(found, text, strlen(text));
}

/* The RSDP that a kernel without boot parameters finds (5.2.5.1). */
static gpa_t scan_rsdp(const struct test_board *test)
{
	for (gpa_t gpa = 0xe0000; gpa < 0x100000; gpa += 16)
		if (has_text(test, gpa, "RSD PTR ") && !sum_of(test, gpa, 20))
			return gpa;
	return 0;
}

static void check_table(const struct test_board *test, gpa_t gpa)
{
	uint64_t length = test_board_get(test, gpa + 4, 4);

	CHECK(length >= HEADER_SIZE);
	CHECK(gpa >= LAYOUT_ACPI &&
	      gpa + length <= LAYOUT_ACPI + LAYOUT_ACPI_MAX);
	CHECK_EQUAL(sum_of(test, gpa, length), 0);
	CHECK(has_text(test, gpa + 10, "ALCOR "));
}

/* The table with that signature in the XSDT; 0 if there is none. */
static gpa_t find_table(const struct test_board *test, const char *signature)
{
	gpa_t rsdp = scan_rsdp(test), xsdt, table, found = 0;
	uint64_t length;

	xsdt = test_board_get(test, rsdp + 24, 8);
	CHECK(has_text(test, xsdt, "XSDT"));
	check_table(test, xsdt);
	length = test_board_get(test, xsdt + 4, 4);
	for (uint64_t at = HEADER_SIZE; at < length; at += 8) {
		table = test_board_get(test, xsdt + at, 8);
		check_table(test, table);
		if (has_text(test, table, signature))
			found = table;
	}
	return found;
}

/* A board of @cpus with its tables written. */
static void write_board(struct test_board *test, unsigned int cpus,
			unsigned int virtio_count,
			enum arch_discovery discovery)
{
	gpa_t rsdp = 0;

	test_board_init(test, 32 * MIB);
	test->board.cpus = cpus;
	test->board.virtio_count = virtio_count;
	test->board.discovery = discovery;
	CHECK_EQUAL(acpi_write(&test->board, &rsdp, NULL), 0);
	CHECK_EQUAL(rsdp, scan_rsdp(test));
}

static void rsdp_has_both_checksums(void)
{
	struct test_board test;
	gpa_t rsdp;

	write_board(&test, 1, 1, ARCH_DISCOVERY_DEFAULT);
	rsdp = scan_rsdp(&test);
	REQUIRE(rsdp);
	CHECK_EQUAL(test_board_get(&test, rsdp + 15, 1), 2);
	CHECK_EQUAL(test_board_get(&test, rsdp + 16, 4), 0); /* no RSDT */
	CHECK_EQUAL(test_board_get(&test, rsdp + 20, 4), 36);
	CHECK_EQUAL(sum_of(&test, rsdp, 36), 0);
	test_board_fini(&test);
}

/* A generic address structure (5.2.3.2) of one byte in I/O space. */
static void check_register(const struct test_board *test, gpa_t gpa,
			   unsigned int offset)
{
	CHECK_EQUAL(test_board_get(test, gpa, 4), 0x01000801);
	CHECK_EQUAL(test_board_get(test, gpa + 4, 8),
		    arch_map.power.range.base + offset);
}

static void fadt_is_hardware_reduced(void)
{
	struct test_board test;
	gpa_t fadt;
	uint64_t flags, boot_flags;

	write_board(&test, 1, 1, ARCH_DISCOVERY_DEFAULT);
	fadt = find_table(&test, "FACP");
	REQUIRE(fadt);
	CHECK_EQUAL(test_board_get(&test, fadt + 4, 4), 276);
	CHECK_EQUAL(test_board_get(&test, fadt + 8, 1), 6);
	flags = test_board_get(&test, fadt + 112, 4);
	CHECK(flags & 1 << 20); /* HW_REDUCED_ACPI */
	CHECK(flags & 1 << 10); /* RESET_REG_SUP */
	CHECK(flags & 1 << 4);	/* no fixed power button */
	CHECK(flags & 1 << 5);	/* no fixed sleep button */
	boot_flags = test_board_get(&test, fadt + 109, 2);
	CHECK(!(boot_flags & 1 << 1));	      /* no 8042 */
	CHECK(boot_flags & 1 << 2);	      /* no VGA */
	CHECK(boot_flags & 1 << 5);	      /* no CMOS clock */
	check_register(&test, fadt + 116, 2); /* RESET_REG */
	CHECK_EQUAL(test_board_get(&test, fadt + 128, 1), 1);
	check_register(&test, fadt + 244, 0); /* SLEEP_CONTROL_REG */
	check_register(&test, fadt + 256, 1); /* SLEEP_STATUS_REG */
	/* Fixed hardware: SMI command, event blocks, PM timer. */
	for (gpa_t at = fadt + 46; at < fadt + 109; at++)
		CHECK_EQUAL(test_board_get(&test, at, 1), 0);
	test_board_fini(&test);
}

static gpa_t find_dsdt(const struct test_board *test)
{
	gpa_t fadt = find_table(test, "FACP");
	gpa_t dsdt = test_board_get(test, fadt + 140, 8);

	CHECK_EQUAL(test_board_get(test, fadt + 40, 4), dsdt);
	CHECK(has_text(test, dsdt, "DSDT"));
	check_table(test, dsdt);
	return dsdt;
}

/* One interrupt controller structure (5.2.12); returns its length. */
static uint64_t check_madt_entry(const struct test_board *test, gpa_t at,
				 unsigned int *cpus, unsigned int *ioapics)
{
	uint64_t length = test_board_get(test, at + 1, 1);

	switch (test_board_get(test, at, 1)) {
	case 0: /* local APIC */
		CHECK_EQUAL(length, 8);
		CHECK(*cpus < 255);
		CHECK_EQUAL(test_board_get(test, at + 2, 1), *cpus);
		CHECK_EQUAL(test_board_get(test, at + 3, 1), *cpus);
		CHECK_EQUAL(test_board_get(test, at + 4, 4), 1);
		++*cpus;
		break;
	case 1: /* I/O APIC */
		CHECK_EQUAL(length, 12);
		CHECK_EQUAL(test_board_get(test, at + 4, 4), LAYOUT_IOAPIC);
		CHECK_EQUAL(test_board_get(test, at + 8, 4), 0);
		++*ioapics;
		break;
	case 9: /* local x2APIC: for ids that a byte cannot hold */
		CHECK_EQUAL(length, 16);
		CHECK(*cpus >= 255);
		CHECK_EQUAL(test_board_get(test, at + 4, 4), *cpus);
		CHECK_EQUAL(test_board_get(test, at + 8, 4), 1);
		CHECK_EQUAL(test_board_get(test, at + 12, 4), *cpus);
		++*cpus;
		break;
	default:
		CHECK(!"a known structure");
	}
	return length;
}

static void check_madt(unsigned int cpus)
{
	unsigned int found = 0, ioapics = 0;
	struct test_board test;
	uint64_t length, size;
	gpa_t madt;

	write_board(&test, cpus, 1, ARCH_DISCOVERY_DEFAULT);
	madt = find_table(&test, "APIC");
	REQUIRE(madt);
	length = test_board_get(&test, madt + 4, 4);
	CHECK_EQUAL(test_board_get(&test, madt + HEADER_SIZE, 4), LAYOUT_LAPIC);
	for (uint64_t at = HEADER_SIZE + 8; at < length; at += size) {
		size = check_madt_entry(&test, madt + at, &found, &ioapics);
		REQUIRE(size);
	}
	CHECK_EQUAL(found, cpus);
	CHECK_EQUAL(ioapics, 1);
	test_board_fini(&test);
}

static void madt_names_each_cpu(void)
{
	static const unsigned int counts[] = {1, 2, 64, 255, 256, 300, 1024};

	for (size_t i = 0; i < ARRAY_LENGTH(counts); i++)
		check_madt(counts[i]);
}

static void tables_may_not_fit(void)
{
	struct test_board test;
	struct err err;
	gpa_t rsdp;

	test_board_init(&test, 32 * MIB);
	test.board.cpus = 10000;
	CHECK_EQUAL(acpi_write(&test.board, &rsdp, &err), -ENOSPC);
	CHECK_TEXT(err.text, "the ACPI tables of 10000 CPUs do not fit");
	/* What lies behind the area is the kernel's. */
	CHECK_EQUAL(test_board_get(&test, LAYOUT_KERNEL, 8), 0);
	test_board_fini(&test);
}

/* --- The DSDT, as the disassembler shows it ------------------------------ */

static char source[256 * KIB];

static bool have_iasl(void)
{
	return !system("command -v iasl >/dev/null 2>&1");
}

/* Runs iasl on @size bytes in @folder; its ASL goes to source[]. */
static bool disassemble_in(const char *folder, const void *table, size_t size)
{
	char path[64], command[160];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "%s/dsdt.aml", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (!CHECK(fd >= 0) || !CHECK(write(fd, table, size) == (ssize_t)size))
		return false;
	close(fd);
	snprintf(command, sizeof(command),
		 "cd %s && iasl -d dsdt.aml >iasl.log 2>&1 &&"
		 " ! grep -iqE 'error|warning' iasl.log dsdt.dsl",
		 folder);
	if (!CHECK(!system(command)))
		return false;
	snprintf(path, sizeof(path), "%s/dsdt.dsl", folder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = read(fd, source, sizeof(source) - 1);
	close(fd);
	source[got < 0 ? 0 : got] = 0;
	return CHECK(got > 0);
}

static bool disassemble(const struct test_board *test)
{
	gpa_t dsdt = find_dsdt(test);
	uint64_t size = test_board_get(test, dsdt + 4, 4);
	char folder[] = "/tmp/acpi_test-XXXXXX", command[64];
	bool good;

	if (!CHECK(mkdtemp(folder)))
		return false;
	good = disassemble_in(folder, guest_range(&test->memory, dsdt, size),
			      size);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	CHECK(!system(command));
	return good;
}

/* A board's DSDT in source[]; false if that cannot be. */
static bool disassemble_board(unsigned int virtio_count,
			      enum arch_discovery discovery)
{
	struct test_board test;
	bool good;

	write_board(&test, 1, virtio_count, discovery);
	good = disassemble(&test);
	test_board_fini(&test);
	return good;
}

/* Is @text in the block of that device? */
static bool device_has(const char *device, const char *text)
{
	char start[32];
	const char *from, *end, *found;

	snprintf(start, sizeof(start), "Device (%s)", device);
	from = strstr(source, start);
	if (!from)
		return false;
	end = strstr(from + 1, "Device (");
	found = strstr(from, text);
	return found && (!end || found < end);
}

static void check_virtio_device(unsigned int index)
{
	struct arch_slot slot = arch_virtio_slot(index);
	char device[8], base[32], gsi[32];

	snprintf(device, sizeof(device), "VR%02X", index);
	snprintf(base, sizeof(base), "0x%08X,", (unsigned int)slot.range.base);
	snprintf(gsi, sizeof(gsi), "0x%08X,", slot.gsi);
	CHECK(device_has(device, "\"LNRO0005\""));
	CHECK(device_has(device, "Memory32Fixed (ReadWrite,"));
	CHECK(device_has(device, base));
	CHECK(device_has(device, "0x00001000,"));
	CHECK(device_has(
		device,
		"Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive"));
	CHECK(device_has(device, gsi));
}

static void dsdt_has_every_virtio_device(void)
{
	if (!have_iasl())
		TEST_SKIP("iasl (package acpica-tools) is missing");
	REQUIRE(disassemble_board(arch_map.virtio_max, ARCH_DISCOVERY_DEFAULT));
	for (unsigned int i = 0; i < arch_map.virtio_max; i++)
		check_virtio_device(i);
	REQUIRE(disassemble_board(1, ARCH_DISCOVERY_ACPI));
	check_virtio_device(0);
	CHECK(!strstr(source, "VR01"));
}

/* Kernels would otherwise see each device twice. */
static void cmdline_discovery_leaves_virtio_out(void)
{
	if (!have_iasl())
		TEST_SKIP("iasl (package acpica-tools) is missing");
	REQUIRE(disassemble_board(3, ARCH_DISCOVERY_CMDLINE));
	CHECK(!strstr(source, "LNRO0005"));
	CHECK(device_has("COM1", "PNP0501"));
}

static void dsdt_has_the_platform_devices(void)
{
	if (!have_iasl())
		TEST_SKIP("iasl (package acpica-tools) is missing");
	REQUIRE(disassemble_board(0, ARCH_DISCOVERY_DEFAULT));
	CHECK(!strstr(source, "LNRO0005"));
	CHECK(device_has("COM1", "EisaId (\"PNP0501\")"));
	CHECK(device_has("COM1", "0x03F8,"));
	CHECK(device_has("COM1", "0x00000004,"));
	CHECK(device_has("PEVT", "\"QEMU0001\""));
	CHECK(device_has("PEVT", "0x0505,"));
	CHECK(device_has("PWRB", "EisaId (\"PNP0C0C\")"));
	CHECK(device_has("GED0", "\"ACPI0013\""));
	CHECK(device_has("GED0", "0x00000003,"));
	CHECK(device_has("GED0", "Method (_EVT, 1, Serialized)"));
	CHECK(device_has("GED0", "PWRB, 0x80"));
	CHECK(strstr(source, "Name (\\_S5, Package"));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(rsdp_has_both_checksums),
		TEST(fadt_is_hardware_reduced),
		TEST(madt_names_each_cpu),
		TEST(tables_may_not_fit),
		TEST(dsdt_has_every_virtio_device),
		TEST(cmdline_discovery_leaves_virtio_out),
		TEST(dsdt_has_the_platform_devices),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * arch/aarch64/device_tree.c - builds the FDT with libfdt's sequential-write
 * functions, which keep the order of the nodes. That order matters: Linux
 * creates devices in the order of the tree, so that the first virtio slot
 * becomes the first device of its kind (vda).
 *
 * libfdt's functions go on failing after a first failure, and so each step
 * here only notes that first error, for device_tree_build() to report.
 */
#include "arch/aarch64/device_tree.h"

#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <sys/random.h>

#include "arch/aarch64/map.h"
#include "arch/cmdline.h"
#include "base/endian.h"

/* A "compatible" of two words holds the NUL between them. */
#define PSCI_COMPATIBLE	 "arm,psci-1.0\0arm,psci-0.2"
#define BOARD_COMPATIBLE "alcor,machine\0linux,dummy-virt"

#define GIC_PHANDLE 1

/* Interrupt specifiers (bindings/interrupt-controller/arm,gic-v3.yaml). */
#define GIC_SPI		0
#define GIC_PPI		1
#define GIC_EDGE_RISING 1
#define GIC_LEVEL_HIGH	4

/* The serial binding wants a clock; what it divides down to is nobody's. */
#define SERIAL_CLOCK_HZ 1843200

struct tree {
	void *blob;
	int error; /* the first of libfdt's errors, or 0 */
};

static void note(struct tree *tree, int status)
{
	if (!tree->error)
		tree->error = status;
}

static void begin_node(struct tree *tree, const char *name)
{
	note(tree, fdt_begin_node(tree->blob, name));
}

/* "name@address" */
static void begin_node_at(struct tree *tree, const char *name, uint64_t address)
{
	char text[64];

	snprintf(text, sizeof(text), "%s@%llx", name,
		 (unsigned long long)address);
	begin_node(tree, text);
}

static void end_node(struct tree *tree)
{
	note(tree, fdt_end_node(tree->blob));
}

static void put_bytes(struct tree *tree, const char *name, const void *data,
		      size_t length)
{
	note(tree, fdt_property(tree->blob, name, data, length));
}

static void put_empty(struct tree *tree, const char *name)
{
	put_bytes(tree, name, NULL, 0);
}

static void put_text(struct tree *tree, const char *name, const char *text)
{
	put_bytes(tree, name, text, strlen(text) + 1);
}

static void put_u32(struct tree *tree, const char *name, uint32_t value)
{
	note(tree, fdt_property_u32(tree->blob, name, value));
}

static void put_u64(struct tree *tree, const char *name, uint64_t value)
{
	note(tree, fdt_property_u64(tree->blob, name, value));
}

/* Addresses and sizes have two cells each in all of this tree. */
static void put_ranges(struct tree *tree, const struct io_range *ranges,
		       unsigned int count)
{
	struct {
		be64 base;
		be64 size;
	} cells[GIC_REDISTRIBUTOR_REGIONS + 1];

	for (unsigned int i = 0; i < count; i++) {
		cells[i].base = be64_make(ranges[i].base);
		cells[i].size = be64_make(ranges[i].size);
	}
	put_bytes(tree, "reg", cells, count * sizeof(cells[0]));
}

static void put_range(struct tree *tree, uint64_t base, uint64_t size)
{
	const struct io_range range = {IO_MMIO, base, size};

	put_ranges(tree, &range, 1);
}

/* A device of the machine: registers, and an interrupt where it has one. */
static void begin_device(struct tree *tree, const char *name,
			 const char *compatible, const struct arch_slot *slot)
{
	begin_node_at(tree, name, slot->range.base);
	put_text(tree, "compatible", compatible);
	put_ranges(tree, &slot->range, 1);
	if (slot->gsi) {
		const be32 interrupt[] = {be32_make(GIC_SPI),
					  be32_make(slot->gsi),
					  be32_make(GIC_EDGE_RISING)};

		put_bytes(tree, "interrupts", interrupt, sizeof(interrupt));
	}
}

static int put_seeds(struct tree *tree, struct err *err)
{
	struct {
		uint64_t kaslr;
		uint8_t rng[64];
	} seeds;

	if (getrandom(&seeds, sizeof(seeds), 0) != sizeof(seeds))
		return err_errno(err, errno, "no random numbers for the guest");
	put_u64(tree, "kaslr-seed", seeds.kaslr);
	put_bytes(tree, "rng-seed", seeds.rng, sizeof(seeds.rng));
	return 0;
}

static int put_chosen(struct tree *tree, const struct arch_board *board,
		      const struct placement *placement, struct err *err)
{
	char cmdline[DEVICE_TREE_CMDLINE_MAX], path[64];
	int ret = cmdline_build(board, MAP_SPI_BASE, cmdline, sizeof(cmdline),
				err);

	if (ret)
		return ret;
	snprintf(path, sizeof(path), "/serial@%llx",
		 (unsigned long long)arch_map.serial.range.base);

	begin_node(tree, "chosen");
	put_text(tree, "bootargs", cmdline);
	put_text(tree, "stdout-path", path);
	if (placement->initrd) {
		put_u64(tree, "linux,initrd-start", placement->initrd);
		put_u64(tree, "linux,initrd-end",
			placement->initrd + placement->initrd_size);
	}
	ret = put_seeds(tree, err);
	end_node(tree);

	begin_node(tree, "aliases");
	put_text(tree, "serial0", path);
	end_node(tree);
	return ret;
}

static void put_memory(struct tree *tree, const struct guest_region *ram)
{
	begin_node_at(tree, "memory", ram->base);
	put_text(tree, "device_type", "memory");
	put_range(tree, ram->base, ram->size);
	end_node(tree);
}

static void put_cpus(struct tree *tree, unsigned int cpus)
{
	begin_node(tree, "cpus");
	put_u32(tree, "#address-cells", 1);
	put_u32(tree, "#size-cells", 0);
	for (unsigned int i = 0; i < cpus; i++) {
		begin_node_at(tree, "cpu", map_mpidr(i));
		put_text(tree, "device_type", "cpu");
		put_text(tree, "compatible", "arm,armv8");
		put_u32(tree, "reg", map_mpidr(i));
		put_text(tree, "enable-method", "psci");
		end_node(tree);
	}
	end_node(tree);

	begin_node(tree, "psci");
	put_bytes(tree, "compatible", PSCI_COMPATIBLE, sizeof(PSCI_COMPATIBLE));
	put_text(tree, "method", "hvc");
	end_node(tree);
}

static void put_gic(struct tree *tree, enum gic_version version,
		    unsigned int cpus)
{
	struct io_range ranges[1 + GIC_REDISTRIBUTOR_REGIONS] = {
		{IO_MMIO, MAP_GIC_DISTRIBUTOR, MAP_GIC_DISTRIBUTOR_SIZE},
		{IO_MMIO, MAP_GIC_CPU_INTERFACE, MAP_GIC_CPU_INTERFACE_SIZE},
	};
	unsigned int regions = 1;

	begin_node_at(tree, "interrupt-controller", MAP_GIC_DISTRIBUTOR);
	if (version == GIC_V3) {
		regions = gic_redistributors(cpus, ranges + 1);
		put_text(tree, "compatible", "arm,gic-v3");
		put_u32(tree, "#redistributor-regions", regions);
	} else {
		put_text(tree, "compatible", "arm,cortex-a15-gic");
	}
	put_empty(tree, "interrupt-controller");
	put_u32(tree, "#interrupt-cells", 3);
	put_u32(tree, "#address-cells", 2);
	put_u32(tree, "#size-cells", 2);
	put_empty(tree, "ranges");
	put_ranges(tree, ranges, 1 + regions);
	put_u32(tree, "phandle", GIC_PHANDLE);
	end_node(tree);
}

/* KVM's timers interrupt by the PPIs of Arm's Base System Architecture. */
static void put_timer(struct tree *tree, enum gic_version version,
		      unsigned int cpus)
{
	/* Secure, non-secure, virtual, hypervisor: the binding's order. */
	static const uint32_t ppis[] = {13, 14, 11, 10};
	/* Only a GICv2's specifier says which CPUs, from bit 8. */
	uint32_t mask = version == GIC_V2 ? (1U << cpus) - 1 : 0;
	be32 interrupts[ARRAY_LENGTH(ppis)][3];

	for (unsigned int i = 0; i < ARRAY_LENGTH(ppis); i++) {
		interrupts[i][0] = be32_make(GIC_PPI);
		interrupts[i][1] = be32_make(ppis[i]);
		interrupts[i][2] = be32_make(mask << 8 | GIC_LEVEL_HIGH);
	}
	begin_node(tree, "timer");
	put_text(tree, "compatible", "arm,armv8-timer");
	put_bytes(tree, "interrupts", interrupts, sizeof(interrupts));
	put_empty(tree, "always-on");
	end_node(tree);
}

static void put_serial(struct tree *tree)
{
	begin_device(tree, "serial", "ns16550a", &arch_map.serial);
	put_u32(tree, "clock-frequency", SERIAL_CLOCK_HZ);
	put_u32(tree, "reg-shift", arch_map.register_shift);
	put_u32(tree, "reg-io-width", 1);
	end_node(tree);
}

static void put_devices(struct tree *tree, const struct arch_board *board)
{
	put_serial(tree);
	begin_device(tree, "pvpanic", "qemu,pvpanic-mmio", &arch_map.panic);
	end_node(tree);
	if (board->debug_exit) {
		begin_device(tree, "debug-exit", "alcor,debug-exit",
			     &arch_map.debug_exit);
		end_node(tree);
	}
	/* Linux on arm64 maps no interrupt by its number; others may. */
	if (board->discovery == ARCH_DISCOVERY_CMDLINE)
		return;
	for (unsigned int i = 0; i < board->virtio_count; i++) {
		struct arch_slot slot = arch_virtio_slot(i);

		begin_device(tree, "virtio_mmio", "virtio,mmio", &slot);
		put_empty(tree, "dma-coherent");
		end_node(tree);
	}
}

int device_tree_build(const struct arch_board *board, enum gic_version gic,
		      const struct placement *placement, void *buffer,
		      size_t capacity, struct err *err)
{
	struct tree tree = {.blob = buffer};
	int ret;

	note(&tree, fdt_create(buffer, capacity));
	note(&tree, fdt_finish_reservemap(buffer));
	begin_node(&tree, "");
	put_bytes(&tree, "compatible", BOARD_COMPATIBLE,
		  sizeof(BOARD_COMPATIBLE));
	put_text(&tree, "model", "alcor");
	put_u32(&tree, "#address-cells", 2);
	put_u32(&tree, "#size-cells", 2);
	put_u32(&tree, "interrupt-parent", GIC_PHANDLE);
	ret = put_chosen(&tree, board, placement, err);
	if (ret)
		return ret;
	put_memory(&tree, &board->memory->regions[0]);
	put_cpus(&tree, board->cpus);
	put_gic(&tree, gic, board->cpus);
	put_timer(&tree, gic, board->cpus);
	put_devices(&tree, board);
	end_node(&tree);
	note(&tree, fdt_finish(buffer));
	if (tree.error)
		return err_set(err, ENOSPC, "cannot write the device tree: %s",
			       fdt_strerror(tree.error));
	return 0;
}

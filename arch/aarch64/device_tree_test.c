/*
 * arch/aarch64/device_tree_test.c - reads the tree back with libfdt, node by
 * node.
 */
#include <errno.h>
#include <inttypes.h>
#include <libfdt.h>

#include "arch/aarch64/device_tree.h"
#include "arch/aarch64/map.h"
#include "base/endian.h"
#include "base/test.h"

#define BLOB_SIZE PLACEMENT_FDT_SPACE

static _Alignas(8) uint8_t blob[BLOB_SIZE];

static const struct guest_memory memory = {
	.count = 1,
	.regions[0] = {.base = MAP_RAM_BASE, .size = 5 * GIB},
};

static const struct placement no_initrd = {0};

static struct arch_board board_with(unsigned int cpus, unsigned int virtio)
{
	return (struct arch_board){
		.memory = &memory,
		.cpus = cpus,
		.virtio_count = virtio,
		.cmdline = "console=ttyS0 root=/dev/vda1",
	};
}

static bool build(const struct arch_board *board, enum gic_version gic)
{
	return CHECK(!device_tree_build(board, gic, &no_initrd, blob, BLOB_SIZE,
					NULL)) &&
	       CHECK(!fdt_check_full(blob, BLOB_SIZE));
}

/* Is the property @name of @path exactly these bytes? */
static void check_bytes(const char *path, const char *name, const void *want,
			size_t want_length)
{
	int length = -1;
	const void *got = fdt_getprop(blob, fdt_path_offset(blob, path), name,
				      &length);

	if (!got || length != (int)want_length ||
	    memcmp(got, want, want_length)) {
		printf("# %s of %s\n", name, path);
		CHECK(!"a property as wanted");
	}
}

static void check_text(const char *path, const char *name, const char *want)
{
	check_bytes(path, name, want, strlen(want) + 1);
}

static void check_cells(const char *path, const char *name,
			const uint32_t *want, size_t count)
{
	be32 cells[16];

	for (size_t i = 0; i < count; i++)
		cells[i] = be32_make(want[i]);
	check_bytes(path, name, cells, count * sizeof(cells[0]));
}

#define CHECK_CELLS(path, name, ...)                             \
	check_cells(path, name, (const uint32_t[]){__VA_ARGS__}, \
		    sizeof((const uint32_t[]){__VA_ARGS__}) /    \
			    sizeof(uint32_t))

static bool has_property(const char *path, const char *name)
{
	return fdt_getprop(blob, fdt_path_offset(blob, path), name, NULL);
}

static bool has_node(const char *path)
{
	return fdt_path_offset(blob, path) >= 0;
}

static void the_root_and_memory(void)
{
	struct arch_board board = board_with(1, 1);

	REQUIRE(build(&board, GIC_V3));
	CHECK_CELLS("/", "#address-cells", 2);
	CHECK_CELLS("/", "#size-cells", 2);
	CHECK_CELLS("/", "interrupt-parent", 1);
	check_bytes("/", "compatible", "alcor,machine\0linux,dummy-virt", 31);
	check_text("/memory@40000000", "device_type", "memory");
	CHECK_CELLS("/memory@40000000", "reg", 0, 0x40000000, 1, 0x40000000);
}

static void chosen_holds_the_command_line(void)
{
	struct arch_board board = board_with(1, 1);

	REQUIRE(build(&board, GIC_V3));
	check_text("/chosen", "bootargs", board.cmdline);
	check_text("/chosen", "stdout-path", "/serial@9000000");
	check_text("/aliases", "serial0", "/serial@9000000");
	CHECK(!has_property("/chosen", "linux,initrd-start"));
	CHECK(!has_property("/chosen", "linux,initrd-end"));
}

static void chosen_holds_the_initrd(void)
{
	struct arch_board board = board_with(1, 1);
	const struct placement placement = {
		.initrd = 0x17fff0000,
		.initrd_size = 0x12345,
	};

	CHECK_EQUAL(device_tree_build(&board, GIC_V3, &placement, blob,
				      BLOB_SIZE, NULL),
		    0);
	CHECK_CELLS("/chosen", "linux,initrd-start", 1, 0x7fff0000);
	CHECK_CELLS("/chosen", "linux,initrd-end", 1, 0x80002345);
}

static void seeds_are_fresh(void)
{
	struct arch_board board = board_with(1, 1);
	uint8_t first[64] = {0};
	const void *seed;
	int length;

	REQUIRE(build(&board, GIC_V3));
	seed = fdt_getprop(blob, fdt_path_offset(blob, "/chosen"), "rng-seed",
			   &length);
	REQUIRE(seed && length == sizeof(first));
	memcpy(first, seed, sizeof(first));
	CHECK(has_property("/chosen", "kaslr-seed"));

	REQUIRE(build(&board, GIC_V3));
	seed = fdt_getprop(blob, fdt_path_offset(blob, "/chosen"), "rng-seed",
			   &length);
	CHECK(memcmp(first, seed, sizeof(first)) != 0);
}

/* 16 to a cluster, as KVM numbers them. */
static void cpus_have_their_mpidrs(void)
{
	static const struct {
		unsigned int index;
		uint32_t mpidr;
	} samples[] = {{0, 0},	    {1, 1},	  {15, 0xf},	 {16, 0x100},
		       {17, 0x101}, {255, 0xf0f}, {256, 0x1000}, {511, 0x1f0f}};
	struct arch_board board = board_with(MAP_CPUS_MAX, 1);
	char path[64];

	REQUIRE(build(&board, GIC_V3));
	for (size_t i = 0; i < ARRAY_LENGTH(samples); i++) {
		snprintf(path, sizeof(path), "/cpus/cpu@%x", samples[i].mpidr);
		check_text(path, "device_type", "cpu");
		check_text(path, "enable-method", "psci");
		CHECK_CELLS(path, "reg", samples[i].mpidr);
		CHECK_EQUAL(map_mpidr(samples[i].index), samples[i].mpidr);
	}
	CHECK(!has_node("/cpus/cpu@2000"));
	check_bytes("/psci", "compatible", "arm,psci-1.0\0arm,psci-0.2", 26);
	check_text("/psci", "method", "hvc");
}

#define GIC "/interrupt-controller@8000000"

static void gicv3_has_a_redistributor_per_cpu(void)
{
	struct arch_board board = board_with(4, 1);

	REQUIRE(build(&board, GIC_V3));
	check_text(GIC, "compatible", "arm,gic-v3");
	CHECK_CELLS(GIC, "phandle", 1);
	CHECK_CELLS(GIC, "#interrupt-cells", 3);
	CHECK_CELLS(GIC, "#redistributor-regions", 1);
	CHECK_CELLS(GIC, "reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0,
		    4 * 0x20000);
	CHECK(has_property(GIC, "interrupt-controller"));

	/* 123 fit below the serial console, the others lie elsewhere. */
	board.cpus = 123;
	REQUIRE(build(&board, GIC_V3));
	CHECK_CELLS(GIC, "#redistributor-regions", 1);
	board.cpus = 512;
	REQUIRE(build(&board, GIC_V3));
	CHECK_CELLS(GIC, "#redistributor-regions", 2);
	CHECK_CELLS(GIC, "reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0,
		    123 * 0x20000, 0, 0x10000000, 0, 389 * 0x20000);
}

static void gicv2_has_a_cpu_interface(void)
{
	struct arch_board board = board_with(4, 1);

	REQUIRE(build(&board, GIC_V2));
	check_text(GIC, "compatible", "arm,cortex-a15-gic");
	CHECK(!has_property(GIC, "#redistributor-regions"));
	CHECK_CELLS(GIC, "reg", 0, 0x8000000, 0, 0x10000, 0, 0x8010000, 0,
		    0x2000);
	CHECK_CELLS("/timer", "interrupts", 1, 13, 0xf04, 1, 14, 0xf04, 1, 11,
		    0xf04, 1, 10, 0xf04);
}

static void the_timer_has_its_four_interrupts(void)
{
	struct arch_board board = board_with(4, 1);

	REQUIRE(build(&board, GIC_V3));
	check_text("/timer", "compatible", "arm,armv8-timer");
	CHECK_CELLS("/timer", "interrupts", 1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10,
		    4);
	CHECK(has_property("/timer", "always-on"));
}

static void the_serial_console(void)
{
	struct arch_board board = board_with(1, 1);
	const char *path = "/serial@9000000";

	REQUIRE(build(&board, GIC_V3));
	check_text(path, "compatible", "ns16550a");
	CHECK_CELLS(path, "reg", 0, 0x9000000, 0, 8);
	CHECK_CELLS(path, "interrupts", 0, 1, 1);
	CHECK_CELLS(path, "clock-frequency", 1843200);
	CHECK_CELLS(path, "reg-shift", 0);
	CHECK_CELLS(path, "reg-io-width", 1);
}

static void panic_and_debug_exit(void)
{
	struct arch_board board = board_with(1, 1);

	REQUIRE(build(&board, GIC_V3));
	check_text("/pvpanic@9020000", "compatible", "qemu,pvpanic-mmio");
	CHECK_CELLS("/pvpanic@9020000", "reg", 0, 0x9020000, 0, 1);
	CHECK(!has_node("/debug-exit@9030000"));

	board.debug_exit = true;
	REQUIRE(build(&board, GIC_V3));
	check_text("/debug-exit@9030000", "compatible", "alcor,debug-exit");
	CHECK_CELLS("/debug-exit@9030000", "reg", 0, 0x9030000, 0, 4);
	CHECK(!has_property("/debug-exit@9030000", "interrupts"));
}

static void virtio_devices_are_in_order(void)
{
	struct arch_board board = board_with(1, arch_map.virtio_max);
	unsigned int index = 0;
	char path[64];
	int node;

	REQUIRE(build(&board, GIC_V3));
	for (node = fdt_node_offset_by_compatible(blob, -1, "virtio,mmio");
	     node >= 0;
	     node = fdt_node_offset_by_compatible(blob, node, "virtio,mmio")) {
		uint32_t base = 0x0a000000 + index * 0x1000;

		REQUIRE(!fdt_get_path(blob, node, path, sizeof(path)));
		CHECK_CELLS(path, "reg", 0, base, 0, 0x1000);
		CHECK_CELLS(path, "interrupts", 0, 16 + index, 1);
		CHECK(has_property(path, "dma-coherent"));
		index++;
	}
	CHECK_EQUAL(index, 32);
	CHECK(has_node("/virtio_mmio@a000000"));
	CHECK(has_node("/virtio_mmio@a01f000"));
}

static void the_command_line_replaces_the_nodes(void)
{
	struct arch_board board = board_with(1, 2);

	board.discovery = ARCH_DISCOVERY_CMDLINE;
	REQUIRE(build(&board, GIC_V3));
	CHECK(!has_node("/virtio_mmio@a000000"));
	check_text("/chosen", "bootargs",
		   "console=ttyS0 root=/dev/vda1 "
		   "virtio_mmio.device=4K@0xa000000:48 "
		   "virtio_mmio.device=4K@0xa001000:49");
}

static void the_command_line_is_never_cut(void)
{
	struct arch_board board = board_with(1, 1);
	char cmdline[DEVICE_TREE_CMDLINE_MAX + 1];

	memset(cmdline, 'a', sizeof(cmdline));
	cmdline[DEVICE_TREE_CMDLINE_MAX - 1] = '\0';
	board.cmdline = cmdline;
	REQUIRE(build(&board, GIC_V3));
	check_text("/chosen", "bootargs", cmdline);

	cmdline[DEVICE_TREE_CMDLINE_MAX - 1] = 'a';
	cmdline[DEVICE_TREE_CMDLINE_MAX] = '\0';
	CHECK_EQUAL(device_tree_build(&board, GIC_V3, &no_initrd, blob,
				      BLOB_SIZE, NULL),
		    -E2BIG);
}

static void the_largest_tree_fits(void)
{
	struct arch_board board = board_with(MAP_CPUS_MAX, arch_map.virtio_max);
	char cmdline[DEVICE_TREE_CMDLINE_MAX] = {0};

	memset(cmdline, 'a', sizeof(cmdline) - 1);
	board.cmdline = cmdline;
	board.debug_exit = true;
	CHECK(build(&board, GIC_V3));
	CHECK_EQUAL(device_tree_build(&board, GIC_V3, &no_initrd, blob, 4096,
				      NULL),
		    -ENOSPC);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(the_root_and_memory),
		TEST(chosen_holds_the_command_line),
		TEST(chosen_holds_the_initrd),
		TEST(seeds_are_fresh),
		TEST(cpus_have_their_mpidrs),
		TEST(gicv3_has_a_redistributor_per_cpu),
		TEST(gicv2_has_a_cpu_interface),
		TEST(the_timer_has_its_four_interrupts),
		TEST(the_serial_console),
		TEST(panic_and_debug_exit),
		TEST(virtio_devices_are_in_order),
		TEST(the_command_line_replaces_the_nodes),
		TEST(the_command_line_is_never_cut),
		TEST(the_largest_tree_fits),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

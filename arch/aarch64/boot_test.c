/*
 * arch/aarch64/boot_test.c - whole boots into a small guest memory: a kernel
 * that these tests make, plain and packed, with and without an initrd.
 */
#include <errno.h>
#include <libfdt.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "arch/aarch64/map.h"
#include "arch/aarch64/placement.h"
#include "arch/aarch64/vm.h"
#include "arch/arch.h"
#include "base/endian.h"
#include "base/test.h"

#define RAM_SIZE    (32 * MIB)
#define KERNEL_SIZE (64 * KIB)
#define IMAGE_SIZE  (1 * MIB)

static uint8_t kernel[KERNEL_SIZE];
static uint8_t packed[2 * KERNEL_SIZE];
static uint8_t initrd[100001];

struct machine {
	struct guest_memory memory;
	struct arch_vm vm;
	struct fd_map kernel, initrd;
	struct arch_board board;
};

static void put_le64(size_t offset, uint64_t value)
{
	le64 raw = le64_make(value);

	memcpy(kernel + offset, &raw, sizeof(raw));
}

static void make_kernel(uint64_t text_offset)
{
	for (size_t i = 0; i < sizeof(kernel); i++)
		kernel[i] = i >> 4;
	memset(kernel, 0, 64);
	memcpy(kernel + 56, "ARM\x64", 4);
	put_le64(8, text_offset);
	put_le64(16, IMAGE_SIZE);
	put_le64(24, 0xa);
	memset(initrd, 'i', sizeof(initrd));
}

static bool machine_new(struct machine *machine)
{
	*machine = (struct machine){
		.vm.gic.version = GIC_V3,
		.kernel = {"kernel", kernel, sizeof(kernel)},
		.initrd = {"initrd", initrd, sizeof(initrd)},
	};
	machine->board = (struct arch_board){
		.memory = &machine->memory,
		.vm = &machine->vm,
		.cpus = 1,
		.virtio_count = 1,
		.cmdline = "quiet",
		.kernel = &machine->kernel,
	};
	arch_memory_layout(RAM_SIZE, &machine->memory, NULL);
	machine->memory.regions[0].host = malloc(RAM_SIZE);
	return CHECK(machine->memory.regions[0].host);
}

static void machine_free(struct machine *machine)
{
	free(machine->memory.regions[0].host);
}

/* Boots, and checks what lies where. Ends the machine. */
static void check_boot(struct machine *machine, uint64_t text_offset)
{
	const struct guest_memory *memory = &machine->memory;
	struct arch_entry entry = {0};
	const void *fdt;

	CHECK_EQUAL(arch_boot_load(&machine->board, &entry, NULL), 0);
	CHECK_EQUAL(entry.pc, MAP_RAM_BASE + text_offset);
	CHECK(!memcmp(guest_range(memory, entry.pc, KERNEL_SIZE), kernel,
		      KERNEL_SIZE));
	fdt = guest_range(memory, entry.argument, PLACEMENT_FDT_SPACE);
	CHECK(fdt && !fdt_check_full(fdt, PLACEMENT_FDT_SPACE));
	machine_free(machine);
}

static void a_plain_kernel(void)
{
	struct machine machine;

	make_kernel(0);
	REQUIRE(machine_new(&machine));
	check_boot(&machine, 0);
	make_kernel(0x80000);
	REQUIRE(machine_new(&machine));
	check_boot(&machine, 0x80000);
}

static void a_gzipped_kernel(void)
{
	z_stream stream = {
		.next_in = kernel,
		.avail_in = sizeof(kernel),
		.next_out = packed,
		.avail_out = sizeof(packed),
	};
	struct machine machine;

	/* Less than the kernel's size: the move up overlaps. */
	make_kernel(0x4000);
	deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8,
		     Z_DEFAULT_STRATEGY);
	CHECK_EQUAL(deflate(&stream, Z_FINISH), Z_STREAM_END);
	deflateEnd(&stream);
	REQUIRE(machine_new(&machine));
	machine.kernel.data = packed;
	machine.kernel.size = stream.total_out;
	check_boot(&machine, 0x4000);
}

static void a_zboot_kernel(void)
{
	struct machine machine;
	le32 fields[2];
	size_t size;

	make_kernel(0);
	size = ZSTD_compress(packed + 64, sizeof(packed) - 64, kernel,
			     sizeof(kernel), 3);
	fields[0] = le32_make(64);
	fields[1] = le32_make(size);
	memset(packed, 0, 64);
	memcpy(packed, "MZ\0\0zimg", 8);
	memcpy(packed + 8, fields, sizeof(fields));
	memcpy(packed + 24, "zstd22", 6);
	REQUIRE(machine_new(&machine));
	machine.kernel.data = packed;
	machine.kernel.size = 64 + size;
	check_boot(&machine, 0);
}

static uint64_t chosen_u64(const void *fdt, const char *name)
{
	const be64 *value = fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"),
					name, NULL);

	return CHECK(value) ? be64_get(*value) : 0;
}

static void the_initrd_is_where_the_tree_says(void)
{
	struct machine machine;
	struct arch_entry entry;
	uint64_t start, end;
	const void *fdt, *data;

	make_kernel(0);
	REQUIRE(machine_new(&machine));
	machine.board.initrd = &machine.initrd;
	CHECK_EQUAL(arch_boot_load(&machine.board, &entry, NULL), 0);
	fdt = guest_range(&machine.memory, entry.argument, PLACEMENT_FDT_SPACE);
	start = chosen_u64(fdt, "linux,initrd-start");
	end = chosen_u64(fdt, "linux,initrd-end");
	CHECK_EQUAL(end - start, sizeof(initrd));
	data = guest_range(&machine.memory, start, sizeof(initrd));
	CHECK(data && !memcmp(data, initrd, sizeof(initrd)));
	machine_free(&machine);
}

/* As for a reset: over what the guest left, and the same again. */
static void a_second_load_repairs_memory(void)
{
	struct machine machine;
	struct arch_entry entry;

	make_kernel(0);
	REQUIRE(machine_new(&machine));
	CHECK_EQUAL(arch_boot_load(&machine.board, &entry, NULL), 0);
	memset(machine.memory.regions[0].host, 0xff, RAM_SIZE);
	check_boot(&machine, 0);
}

static void check_refused(const struct machine *machine, int want,
			  const char *words)
{
	struct arch_entry entry;
	struct err err;

	CHECK_EQUAL(arch_boot_load(&machine->board, &entry, &err), want);
	if (!CHECK(strstr(err.text, words)))
		printf("# %s\n", err.text);
}

static void what_cannot_boot_is_refused(void)
{
	struct machine machine;

	make_kernel(0);
	REQUIRE(machine_new(&machine));
	machine.board.discovery = ARCH_DISCOVERY_ACPI;
	check_refused(&machine, -EINVAL, "has no ACPI");
	machine.board.discovery = ARCH_DISCOVERY_FDT;

	put_le64(16, RAM_SIZE);
	check_refused(&machine, -ENOSPC, "--memory 33M");
	put_le64(16, IMAGE_SIZE);
	machine.initrd.size = RAM_SIZE;
	machine.board.initrd = &machine.initrd;
	check_refused(&machine, -ENOSPC,
		      "cannot boot kernel kernel: with its initrd");

	memset(kernel + 56, 0, 4);
	check_refused(&machine, -EINVAL, "kernel kernel is not a kernel");
	memcpy(kernel, "\x1f\x8b\x08", 3);
	check_refused(&machine, -EINVAL, "gzip stream is damaged");
	machine_free(&machine);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(a_plain_kernel),
		TEST(a_gzipped_kernel),
		TEST(a_zboot_kernel),
		TEST(the_initrd_is_where_the_tree_says),
		TEST(a_second_load_repairs_memory),
		TEST(what_cannot_boot_is_refused),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

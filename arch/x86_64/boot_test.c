/*
 * arch/x86_64/boot_test.c - whole boots of the smallest kernels, and the
 * sentences for files that are no kernel of this architecture.
 */
#include "arch/x86_64/boot.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <stddef.h>

#include "arch/x86_64/layout.h"
#include "arch/x86_64/test_board.h"
#include "base/test.h"

static uint8_t image[64 * KIB];

static void board_init(struct test_board *test, uint64_t size)
{
	test_board_init(test, size);
	memset(image, 0, sizeof(image));
	test->kernel.data = image;
	test->kernel.size = sizeof(image);
}

static void make_bzimage(void)
{
	const struct setup_header header = {
		.setup_sects = 1,
		.boot_flag = 0xaa55,
		.header = 0x53726448,
		.version = 0x020f,
		.initrd_addr_max = 0x7fffffff,
		.relocatable_kernel = 1,
		.xloadflags = XLF_KERNEL_64,
		.cmdline_size = 2047,
		.pref_address = MIB,
		.init_size = MIB,
	};

	memcpy(image + offsetof(struct boot_params, hdr), &header,
	       sizeof(header));
	image[0x201] = 0x6a;
}

static void bzimages_boot(void)
{
	struct arch_entry entry = {0};
	struct test_board test;
	gpa_t rsdp;

	board_init(&test, 2 * MIB);
	make_bzimage();
	REQUIRE(!arch_boot_load(&test.board, &entry, NULL));
	CHECK_EQUAL(entry.pc, MIB + 0x200);
	rsdp = test_board_get(&test,
			      LAYOUT_ZERO_PAGE + offsetof(struct boot_params,
							  acpi_rsdp_addr),
			      8);
	CHECK(!memcmp(guest_range(&test.memory, rsdp, 8), "RSD PTR ", 8));
	CHECK(test_board_get(&test, LAYOUT_PAGE_TABLES, 8) & 1);
	CHECK(test_board_get(&test, LAYOUT_GDT + LAYOUT_BOOT_CS, 8));
	test_board_fini(&test);
}

/* A reset loads again: into memory that may be as the guest left it. */
static void booting_twice_is_the_same(void)
{
	struct arch_entry first = {0}, second = {0};
	struct test_board test;

	board_init(&test, 4 * MIB);
	make_bzimage();
	REQUIRE(!arch_boot_load(&test.board, &first, NULL));
	REQUIRE(!arch_boot_load(&test.board, &second, NULL));
	CHECK_EQUAL(first.pc, second.pc);
	CHECK_EQUAL(first.argument, second.argument);
	test_board_fini(&test);
}

static void check_refused(const struct test_board *test, int code,
			  const char *text)
{
	struct arch_entry entry;
	struct err err = {""};

	CHECK_EQUAL(arch_boot_load(&test->board, &entry, &err), code);
	CHECK_TEXT(err.text, text);
}

static void other_forms_are_refused_by_name(void)
{
	struct test_board test;

	board_init(&test, 32 * MIB);
	memcpy(image + 0x38, "ARM\x64", 4);
	check_refused(&test, -ENOEXEC,
		      "kernel KERNEL is an arm64 Image; x86_64 boots a "
		      "bzImage, or an ELF vmlinux with a PVH note");
	memset(image, 0, sizeof(image));
	memcpy(image, "QFI\xfb", 4);
	check_refused(&test, -ENOEXEC,
		      "kernel KERNEL is a qcow2 image; x86_64 boots a bzImage, "
		      "or an ELF vmlinux with a PVH note");
	memset(image, 0, sizeof(image));
	check_refused(&test, -ENOEXEC,
		      "kernel KERNEL is not a kernel of a known form; x86_64 "
		      "boots a bzImage, or an ELF vmlinux with a PVH note");
	test.kernel.size = 1;
	check_refused(&test, -ENOEXEC,
		      "kernel KERNEL is not a kernel of a known form; x86_64 "
		      "boots a bzImage, or an ELF vmlinux with a PVH note");
	test_board_fini(&test);
}

static void elf_files_get_their_loaders_verdict(void)
{
	struct test_board test;

	board_init(&test, 32 * MIB);
	memcpy(image, ELFMAG, SELFMAG);
	check_refused(&test, -ENOEXEC,
		      "KERNEL is an ELF file for another architecture than "
		      "x86_64");
	test_board_fini(&test);
}

static void discovery_must_be_of_this_architecture(void)
{
	struct test_board test;

	board_init(&test, 32 * MIB);
	make_bzimage();
	test.board.discovery = ARCH_DISCOVERY_FDT;
	check_refused(&test, -EINVAL,
		      "--discovery fdt is for aarch64; on x86_64 it is acpi or "
		      "cmdline");
	test.board.discovery = ARCH_DISCOVERY_ACPI;
	CHECK_EQUAL(arch_boot_load(&test.board, &(struct arch_entry){0}, NULL),
		    0);
	test_board_fini(&test);
}

static void devices_stand_on_the_command_line_if_asked(void)
{
	struct arch_entry entry;
	struct test_board test;

	board_init(&test, 32 * MIB);
	make_bzimage();
	test.board.cmdline = "quiet";
	test.board.discovery = ARCH_DISCOVERY_CMDLINE;
	test.board.virtio_count = 2;
	REQUIRE(!arch_boot_load(&test.board, &entry, NULL));
	CHECK_TEXT((char *)guest_range(&test.memory, LAYOUT_CMDLINE, 1),
		   "quiet virtio_mmio.device=4K@0xd0000000:5 "
		   "virtio_mmio.device=4K@0xd0001000:6");
	test_board_fini(&test);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(bzimages_boot),
		TEST(booting_twice_is_the_same),
		TEST(other_forms_are_refused_by_name),
		TEST(elf_files_get_their_loaders_verdict),
		TEST(discovery_must_be_of_this_architecture),
		TEST(devices_stand_on_the_command_line_if_asked),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

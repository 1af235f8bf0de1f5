/*
 * arch/x86_64/bzimage_test.c - a synthetic bzImage: accepted, with the zero
 * page that Documentation/x86/boot.rst of Linux asks for, and refused with a
 * sentence where it or the memory is wrong.
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <stddef.h>

#include "arch/x86_64/boot.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/test_board.h"
#include "base/test.h"

#define RSDP	    0xe0000
#define SETUP_SECTS 3
#define SETUP_SIZE  ((1 + SETUP_SECTS) * 512)
#define CODE_SIZE   5000
#define PREFERRED   (16 * MIB)
#define INIT_SIZE   (2 * MIB)
#define HEADER_AT   offsetof(struct boot_params, hdr)

static uint8_t image[SETUP_SIZE + CODE_SIZE];
static uint8_t initrd[10000];

static void put_header(const struct setup_header *header)
{
	memcpy(image + HEADER_AT, header, sizeof(*header));
	/* The header's end, as the jump instruction at its start tells it. */
	image[0x200] = 0xeb;
	image[0x201] = (uint8_t)(HEADER_AT + sizeof(*header) - 0x202);
}

/* The header of a kernel such as Debian 12's. */
static struct setup_header good_header(void)
{
	return (struct setup_header){
		.setup_sects = SETUP_SECTS,
		.boot_flag = 0xaa55,
		.header = 0x53726448,
		.version = 0x020f,
		.loadflags = LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 2 * MIB,
		.relocatable_kernel = 1,
		.xloadflags = XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G,
		.cmdline_size = 2047,
		.pref_address = PREFERRED,
		.init_size = INIT_SIZE,
	};
}

/* A board with that kernel and @size bytes of memory. */
static void board_init(struct test_board *test, uint64_t size)
{
	struct setup_header header = good_header();

	test_board_init(test, size);
	for (size_t i = 0; i < sizeof(image); i++)
		image[i] = (uint8_t)(i * 13 + 1);
	memset(initrd, 'i', sizeof(initrd));
	put_header(&header);
	test->kernel.data = image;
	test->kernel.size = sizeof(image);
	test->initrd.data = initrd;
	test->initrd.size = sizeof(initrd);
	test->board.cmdline = "console=ttyS0";
}

static struct boot_params read_zero_page(const struct test_board *test)
{
	struct boot_params params = {0};

	guest_read(&test->memory, LAYOUT_ZERO_PAGE, &params, sizeof(params));
	return params;
}

static void code_goes_to_its_preferred_address(void)
{
	struct arch_entry entry = {0};
	struct test_board test;

	board_init(&test, 32 * MIB);
	CHECK(bzimage_detect(&test.kernel));
	REQUIRE(!bzimage_load(&test.board, RSDP, &entry, NULL));
	CHECK_EQUAL(entry.pc, PREFERRED + 0x200);
	CHECK_EQUAL(entry.argument, LAYOUT_ZERO_PAGE);
	CHECK(!entry.protected_mode);
	CHECK(!memcmp(guest_range(&test.memory, PREFERRED, CODE_SIZE),
		      image + SETUP_SIZE, CODE_SIZE));
	test_board_fini(&test);
}

static void fixed_kernels_go_to_one_mib(void)
{
	struct setup_header header = good_header();
	struct arch_entry entry = {0};
	struct test_board test;

	board_init(&test, 32 * MIB);
	header.relocatable_kernel = 0;
	put_header(&header);
	REQUIRE(!bzimage_load(&test.board, RSDP, &entry, NULL));
	CHECK_EQUAL(entry.pc, MIB + 0x200);
	test_board_fini(&test);
}

static void zero_page_is_filled_in(void)
{
	struct setup_header want = good_header();
	struct boot_params params;
	struct arch_entry entry;
	struct test_board test;
	char cmdline[32];

	board_init(&test, 32 * MIB);
	test.board.initrd = &test.initrd;
	REQUIRE(!bzimage_load(&test.board, RSDP, &entry, NULL));
	params = read_zero_page(&test);
	CHECK_EQUAL(params.acpi_rsdp_addr, RSDP);
	CHECK_EQUAL(params.hdr.type_of_loader, 0xff);
	CHECK_EQUAL(params.hdr.cmd_line_ptr, LAYOUT_CMDLINE);
	CHECK(!guest_read(&test.memory, LAYOUT_CMDLINE, cmdline, 14));
	CHECK_TEXT(cmdline, "console=ttyS0");
	CHECK_EQUAL(params.hdr.ramdisk_size, sizeof(initrd));

	memcpy(&want.jump, image + 0x200, sizeof(want.jump));
	want.type_of_loader = params.hdr.type_of_loader;
	want.cmd_line_ptr = params.hdr.cmd_line_ptr;
	want.ramdisk_image = params.hdr.ramdisk_image;
	want.ramdisk_size = params.hdr.ramdisk_size;
	CHECK(!memcmp(&params.hdr, &want,
		      offsetof(struct setup_header, kernel_info_offset)));
	test_board_fini(&test);
}

/* What a kernel does not know of the header must be zero to it. */
static void short_headers_are_not_read_past_their_end(void)
{
	struct boot_params params;
	struct arch_entry entry;
	struct test_board test;

	board_init(&test, 32 * MIB);
	/* up to and with init_size; kernel code follows it in the file */
	image[0x201] =
		(uint8_t)(HEADER_AT +
			  offsetof(struct setup_header, handover_offset) -
			  0x202);
	memset(image + HEADER_AT +
		       offsetof(struct setup_header, handover_offset),
	       0xee, 4);
	REQUIRE(!bzimage_load(&test.board, RSDP, &entry, NULL));
	params = read_zero_page(&test);
	CHECK_EQUAL(params.hdr.handover_offset, 0);
	CHECK_EQUAL(params.hdr.init_size, INIT_SIZE);
	test_board_fini(&test);
}

static void check_e820(const struct boot_params *params, unsigned int index,
		       uint64_t base, uint64_t size, uint32_t type)
{
	CHECK_EQUAL(params->e820_table[index].addr, base);
	CHECK_EQUAL(params->e820_table[index].size, size);
	CHECK_EQUAL(params->e820_table[index].type, type);
}

static void memory_map_goes_past_the_hole(void)
{
	struct boot_params params;
	struct arch_entry entry;
	struct test_board test;

	board_init(&test, 5 * GIB);
	REQUIRE(!bzimage_load(&test.board, RSDP, &entry, NULL));
	params = read_zero_page(&test);
	CHECK_EQUAL(params.e820_entries, 4);
	check_e820(&params, 0, 0, 0xa0000, 1);
	check_e820(&params, 1, 0xe0000, 0x20000, 2);
	check_e820(&params, 2, MIB, 3 * GIB - MIB, 1);
	check_e820(&params, 3, 4 * GIB, 2 * GIB, 1);
	test_board_fini(&test);
}

/* As high as it goes, on a page of its own. */
static void check_initrd(uint64_t memory_size, uint32_t max, gpa_t want)
{
	struct setup_header header = good_header();
	struct boot_params params;
	struct arch_entry entry;
	struct test_board test;

	board_init(&test, memory_size);
	test.board.initrd = &test.initrd;
	header.initrd_addr_max = max;
	put_header(&header);
	REQUIRE(!bzimage_load(&test.board, RSDP, &entry, NULL));
	params = read_zero_page(&test);
	CHECK_EQUAL(params.hdr.ramdisk_image, want);
	CHECK(!memcmp(guest_range(&test.memory, want, sizeof(initrd)), initrd,
		      sizeof(initrd)));
	test_board_fini(&test);
}

static void initrd_goes_high(void)
{
	check_initrd(32 * MIB, 0x7fffffff, 32 * MIB - 3 * 4096);
	check_initrd(32 * MIB, 0x1bfffff, 28 * MIB - 3 * 4096);
	check_initrd(5 * GIB, 0x7fffffff, 2 * GIB - 3 * 4096);
	check_initrd(5 * GIB, UINT32_MAX, 3 * GIB - 3 * 4096);
}

/* --- Refusals: nothing is said to start ---------------------------------- */

static void check_refused(const struct test_board *test, int code,
			  const char *text)
{
	struct arch_entry entry;
	struct err err = {""};

	CHECK_EQUAL(bzimage_load(&test->board, RSDP, &entry, &err), code);
	CHECK_TEXT(err.text, text);
}

static void other_files_are_not_detected(void)
{
	struct setup_header header = good_header();
	struct test_board test;

	board_init(&test, 32 * MIB);
	test.kernel.size = HEADER_AT + sizeof(header) - 1;
	CHECK(!bzimage_detect(&test.kernel));
	test.kernel.size = 1;
	CHECK(!bzimage_detect(&test.kernel));
	test.kernel.size = sizeof(image);
	header.boot_flag = 0;
	put_header(&header);
	CHECK(!bzimage_detect(&test.kernel));
	header = good_header();
	header.header++;
	put_header(&header);
	CHECK(!bzimage_detect(&test.kernel));
	test_board_fini(&test);
}

static void kernels_without_64_bits_are_refused(void)
{
	static const char text[] = "KERNEL has no 64-bit entry point (a 32-bit "
				   "kernel, or one older than Linux 3.8)";
	struct setup_header header = good_header();
	struct test_board test;

	board_init(&test, 32 * MIB);
	header.xloadflags = 0;
	put_header(&header);
	check_refused(&test, -ENOEXEC, text);
	header = good_header();
	header.version = 0x020b;
	put_header(&header);
	check_refused(&test, -ENOEXEC, text);
	test_board_fini(&test);
}

static void cut_kernels_are_refused(void)
{
	struct setup_header header = good_header();
	struct test_board test;

	board_init(&test, 32 * MIB);
	test.kernel.size = SETUP_SIZE + 0x200;
	check_refused(&test, -ENOEXEC,
		      "KERNEL is cut short: its setup alone is 2048 bytes");
	test.kernel.size = 1024;
	check_refused(&test, -ENOEXEC,
		      "KERNEL is cut short: its setup alone is 2048 bytes");
	/* No number of sectors means four, for old kernels' sake. */
	header.setup_sects = 0;
	put_header(&header);
	check_refused(&test, -ENOEXEC,
		      "KERNEL is cut short: its setup alone is 2560 bytes");
	test_board_fini(&test);
}

static void too_little_memory_is_refused(void)
{
	struct test_board test;

	board_init(&test, 18 * MIB - 4096);
	check_refused(&test, -ENOSPC,
		      "kernel KERNEL needs the memory from 16 to 18 MiB; more "
		      "--memory helps");
	test_board_fini(&test);
	board_init(&test, 18 * MIB);
	CHECK_EQUAL(bzimage_load(&test.board, RSDP, &(struct arch_entry){0},
				 NULL),
		    0);
	test_board_fini(&test);
}

/* Below 1 MiB, into the hole, behind it, around the end of addresses. */
static void odd_preferred_addresses_are_refused(void)
{
	static const uint64_t odd[] = {
		0,	     MIB - 4096, 3 * GIB - MIB, 3 * GIB,
		4 * GIB - 1, 4 * GIB,	 1ULL << 63,	UINT64_MAX,
	};
	struct setup_header header = good_header();
	struct arch_entry entry;
	struct test_board test;

	board_init(&test, 5 * GIB);
	for (size_t i = 0; i < ARRAY_LENGTH(odd); i++) {
		header.pref_address = odd[i];
		put_header(&header);
		CHECK_EQUAL(bzimage_load(&test.board, RSDP, &entry, NULL),
			    -ENOSPC);
	}
	header = good_header();
	header.init_size = UINT32_MAX;
	put_header(&header);
	CHECK_EQUAL(bzimage_load(&test.board, RSDP, &entry, NULL), -ENOSPC);
	test_board_fini(&test);
}

/* The kernel ends at 18 MiB: the initrd fits until it would start below. */
static void initrds_that_do_not_fit_are_refused(void)
{
	static uint8_t large[2 * MIB];
	struct arch_entry entry;
	struct test_board test;

	board_init(&test, 20 * MIB);
	test.board.initrd = &test.initrd;
	test.initrd.data = large;
	test.initrd.size = sizeof(large);
	CHECK_EQUAL(bzimage_load(&test.board, RSDP, &entry, NULL), 0);
	test_board_fini(&test);

	board_init(&test, 20 * MIB - 4096);
	test.board.initrd = &test.initrd;
	test.initrd.data = large;
	test.initrd.size = sizeof(large);
	check_refused(&test, -ENOSPC,
		      "initrd INITRD (2048 KiB) does not fit between the "
		      "kernel's end at 18 MiB and 19 MiB; more --memory helps");
	/* larger than all that lies below the limit */
	test.initrd.size = 21 * MIB;
	CHECK_EQUAL(bzimage_load(&test.board, RSDP, &entry, NULL), -ENOSPC);
	test_board_fini(&test);
}

static void long_command_lines_are_refused(void)
{
	static char cmdline[2050];
	struct arch_entry entry;
	struct test_board test;

	board_init(&test, 32 * MIB);
	memset(cmdline, 'x', 2047);
	test.board.cmdline = cmdline;
	CHECK_EQUAL(bzimage_load(&test.board, RSDP, &entry, NULL), 0);
	cmdline[2047] = 'x';
	check_refused(&test, -E2BIG,
		      "the kernel's command line has 2048 characters; the "
		      "kernel reads 2047 at most");
	test_board_fini(&test);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(code_goes_to_its_preferred_address),
		TEST(fixed_kernels_go_to_one_mib),
		TEST(zero_page_is_filled_in),
		TEST(short_headers_are_not_read_past_their_end),
		TEST(memory_map_goes_past_the_hole),
		TEST(initrd_goes_high),
		TEST(other_files_are_not_detected),
		TEST(kernels_without_64_bits_are_refused),
		TEST(cut_kernels_are_refused),
		TEST(too_little_memory_is_refused),
		TEST(odd_preferred_addresses_are_refused),
		TEST(initrds_that_do_not_fit_are_refused),
		TEST(long_command_lines_are_refused),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * arch/x86_64/elf_test.c - a synthetic PVH kernel: one note, one segment, and
 * each of its numbers wrong in turn. Whatever a file says, loading it writes
 * only where RAM is.
 */
#include <elf.h>
#include <errno.h>
#include <stddef.h>

#include "arch/x86_64/boot.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/test_board.h"
#include "base/test.h"

#define RSDP  0xe0000
#define ENTRY 0x1000200
#define LOAD  (16 * MIB)

/* The file; its code is larger in memory than here, as .bss makes it. */
struct elf_file {
	Elf64_Ehdr header;
	Elf64_Phdr load, note;
	struct {
		Elf64_Nhdr header;
		char owner[4];
		uint32_t value;
	} other, pvh;
	uint8_t code[1000];
};

#define CODE_MEMORY 3000

static struct elf_file file;
static uint8_t initrd[10000];

static void make_file(void)
{
	memset(&file, 0, sizeof(file));
	memcpy(file.header.e_ident, ELFMAG, SELFMAG);
	file.header.e_ident[EI_CLASS] = ELFCLASS64;
	file.header.e_ident[EI_DATA] = ELFDATA2LSB;
	file.header.e_machine = EM_X86_64;
	file.header.e_phoff = offsetof(struct elf_file, load);
	file.header.e_phentsize = sizeof(Elf64_Phdr);
	file.header.e_phnum = 2;
	file.load = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_offset = offsetof(struct elf_file, code),
		.p_paddr = LOAD,
		.p_filesz = sizeof(file.code),
		.p_memsz = CODE_MEMORY,
	};
	file.note = (Elf64_Phdr){
		.p_type = PT_NOTE,
		.p_offset = offsetof(struct elf_file, other),
		.p_filesz = sizeof(file.other) + sizeof(file.pvh),
	};
	/* Sizes that are no multiple of 4 are padded to one. */
	file.other.header = (Elf64_Nhdr){2, 3, 1};
	memcpy(file.other.owner, "X", 2);
	file.pvh.header = (Elf64_Nhdr){4, 4, 18};
	memcpy(file.pvh.owner, "Xen", 4);
	file.pvh.value = ENTRY;
	memset(file.code, 'c', sizeof(file.code));
}

static void board_init(struct test_board *test, uint64_t size)
{
	make_file();
	test_board_init(test, size);
	test->kernel.data = (uint8_t *)&file;
	test->kernel.size = sizeof(file);
	memset(initrd, 'i', sizeof(initrd));
	test->initrd.data = initrd;
	test->initrd.size = sizeof(initrd);
	test->board.cmdline = "console=ttyS0";
}

static void segments_are_loaded(void)
{
	struct arch_entry entry = {0};
	struct test_board test;
	uint8_t *code;

	board_init(&test, 32 * MIB);
	code = guest_range(&test.memory, LOAD, CODE_MEMORY + 1);
	memset(code, 0xee, CODE_MEMORY + 1);
	CHECK(elf_detect(&test.kernel));
	REQUIRE(!elf_load(&test.board, RSDP, &entry, NULL));
	CHECK_EQUAL(entry.pc, ENTRY);
	CHECK_EQUAL(entry.argument, LAYOUT_START_INFO);
	CHECK(entry.protected_mode);
	CHECK(!memcmp(code, file.code, sizeof(file.code)));
	for (size_t i = sizeof(file.code); i < CODE_MEMORY; i++)
		CHECK_EQUAL(code[i], 0);
	CHECK_EQUAL(code[CODE_MEMORY], 0xee);
	test_board_fini(&test);
}

/* Xen's start_info.h: offsets of the fields of version 1. */
static void start_info_is_filled_in(void)
{
	struct arch_entry entry;
	struct test_board test;
	gpa_t info, module;
	char cmdline[14];

	board_init(&test, 32 * MIB);
	test.board.initrd = &test.initrd;
	REQUIRE(!elf_load(&test.board, RSDP, &entry, NULL));
	info = entry.argument;
	CHECK_EQUAL(test_board_get(&test, info, 4), 0x336ec578);
	CHECK_EQUAL(test_board_get(&test, info + 4, 4), 1);
	CHECK_EQUAL(test_board_get(&test, info + 12, 4), 1);
	CHECK_EQUAL(test_board_get(&test, info + 32, 8), RSDP);
	module = test_board_get(&test, info + 16, 8);
	CHECK_EQUAL(test_board_get(&test, module, 8), 32 * MIB - 3 * 4096);
	CHECK_EQUAL(test_board_get(&test, module + 8, 8), sizeof(initrd));
	CHECK(!memcmp(guest_range(&test.memory, 32 * MIB - 3 * 4096,
				  sizeof(initrd)),
		      initrd, sizeof(initrd)));
	CHECK(!guest_read(&test.memory, test_board_get(&test, info + 24, 8),
			  cmdline, sizeof(cmdline)));
	CHECK_TEXT(cmdline, "console=ttyS0");
	test_board_fini(&test);
}

static void no_initrd_is_no_module(void)
{
	struct arch_entry entry;
	struct test_board test;

	board_init(&test, 32 * MIB);
	REQUIRE(!elf_load(&test.board, RSDP, &entry, NULL));
	CHECK_EQUAL(test_board_get(&test, entry.argument + 12, 4), 0);
	CHECK_EQUAL(test_board_get(&test, entry.argument + 16, 8), 0);
	test_board_fini(&test);
}

static void memory_map_goes_past_the_hole(void)
{
	static const uint64_t want[][3] = {
		{0, 0xa0000, 1},
		{0xe0000, 0x20000, 2},
		{MIB, 3 * GIB - MIB, 1},
		{4 * GIB, 2 * GIB, 1},
	};
	struct arch_entry entry;
	struct test_board test;
	gpa_t map;

	board_init(&test, 5 * GIB);
	REQUIRE(!elf_load(&test.board, RSDP, &entry, NULL));
	map = test_board_get(&test, entry.argument + 40, 8);
	CHECK_EQUAL(test_board_get(&test, entry.argument + 48, 4), 4);
	for (size_t i = 0; i < ARRAY_LENGTH(want); i++, map += 24) {
		CHECK_EQUAL(test_board_get(&test, map, 8), want[i][0]);
		CHECK_EQUAL(test_board_get(&test, map + 8, 8), want[i][1]);
		CHECK_EQUAL(test_board_get(&test, map + 16, 4), want[i][2]);
	}
	test_board_fini(&test);
}

/* The 64-bit value that FreeBSD's and some other kernels' notes have. */
static void notes_may_have_eight_bytes(void)
{
	struct arch_entry entry = {0};
	struct test_board test;

	board_init(&test, 32 * MIB);
	/* It runs on into the code, which is as good a place as any. */
	file.pvh.header.n_descsz = 8;
	memset(file.code, 0, 4);
	file.note.p_filesz += 4;
	CHECK_EQUAL(elf_load(&test.board, RSDP, &entry, NULL), 0);
	CHECK_EQUAL(entry.pc, ENTRY);
	memset(file.code, 1, 4);
	CHECK_EQUAL(elf_load(&test.board, RSDP, &entry, NULL), -ENOEXEC);
	test_board_fini(&test);
}

/* --- Refusals ------------------------------------------------------------ */

static void check_refused(const struct test_board *test, int code,
			  const char *text)
{
	struct arch_entry entry;
	struct err err = {""};

	CHECK_EQUAL(elf_load(&test->board, RSDP, &entry, &err), code);
	CHECK_TEXT(err.text, text);
}

static void other_files_are_not_detected(void)
{
	struct test_board test;

	board_init(&test, 32 * MIB);
	test.kernel.size = sizeof(Elf64_Ehdr) - 1;
	CHECK(!elf_detect(&test.kernel));
	test.kernel.size = sizeof(file);
	file.header.e_ident[1] = 'e';
	CHECK(!elf_detect(&test.kernel));
	test_board_fini(&test);
}

static void other_architectures_are_refused(void)
{
	static const char text[] =
		"KERNEL is an ELF file for another architecture than x86_64";
	struct test_board test;

	board_init(&test, 32 * MIB);
	file.header.e_machine = EM_AARCH64;
	check_refused(&test, -ENOEXEC, text);
	make_file();
	file.header.e_ident[EI_CLASS] = ELFCLASS32;
	check_refused(&test, -ENOEXEC, text);
	make_file();
	file.header.e_ident[EI_DATA] = ELFDATA2MSB;
	check_refused(&test, -ENOEXEC, text);
	test_board_fini(&test);
}

static void odd_program_headers_are_refused(void)
{
	static const char text[] =
		"KERNEL has program headers outside the file";
	static const uint64_t odd[] = {sizeof(file) - sizeof(Elf64_Phdr),
				       sizeof(file), UINT64_MAX,
				       UINT64_MAX - sizeof(Elf64_Phdr)};
	struct test_board test;

	board_init(&test, 32 * MIB);
	for (size_t i = 0; i < ARRAY_LENGTH(odd); i++) {
		file.header.e_phoff = odd[i];
		check_refused(&test, -ENOEXEC, text);
	}
	make_file();
	file.header.e_phnum = UINT16_MAX;
	check_refused(&test, -ENOEXEC, text);
	make_file();
	file.header.e_phentsize = 32;
	check_refused(&test, -ENOEXEC, text);
	test_board_fini(&test);
}

static void kernels_without_the_note_are_refused(void)
{
	static const char text[] = "KERNEL has no PVH entry note; use its "
				   "bzImage, or a kernel built with CONFIG_PVH";
	struct test_board test;

	board_init(&test, 32 * MIB);
	file.note.p_type = PT_NULL;
	check_refused(&test, -ENOEXEC, text);
	make_file();
	file.header.e_phnum = 0;
	check_refused(&test, -ENOEXEC, text);
	make_file();
	file.pvh.header.n_type = 17;
	check_refused(&test, -ENOEXEC, text);
	make_file();
	memcpy(file.pvh.owner, "xen", 4);
	check_refused(&test, -ENOEXEC, text);
	test_board_fini(&test);
}

static void damaged_notes_are_not_followed(void)
{
	static const uint32_t odd[] = {0,	   3,	      5,
				       16,	   1000,      0x7fffffff,
				       0xfffffffc, UINT32_MAX};
	struct arch_entry entry;
	struct test_board test;

	board_init(&test, 32 * MIB);
	for (size_t i = 0; i < ARRAY_LENGTH(odd); i++) {
		make_file();
		file.pvh.header.n_namesz = odd[i];
		CHECK_EQUAL(elf_load(&test.board, RSDP, &entry, NULL),
			    -ENOEXEC);
		make_file();
		file.pvh.header.n_descsz = odd[i];
		CHECK_EQUAL(elf_load(&test.board, RSDP, &entry, NULL),
			    -ENOEXEC);
	}
	/* Cut at each byte; the file may end there, too. */
	for (size_t cut = 0; cut < sizeof(file.other) + sizeof(file.pvh);
	     cut++) {
		make_file();
		file.note.p_filesz = cut;
		CHECK_EQUAL(elf_load(&test.board, RSDP, &entry, NULL),
			    -ENOEXEC);
	}
	test_board_fini(&test);
}

static void segments_beyond_the_file_are_refused(void)
{
	static const char text[] =
		"KERNEL is cut short: a segment lies beyond its end";
	struct test_board test;

	board_init(&test, 32 * MIB);
	file.load.p_offset++;
	check_refused(&test, -ENOEXEC, text);
	make_file();
	file.load.p_offset = UINT64_MAX;
	check_refused(&test, -ENOEXEC, text);
	make_file();
	file.load.p_filesz = UINT64_MAX;
	check_refused(&test, -ENOEXEC, text);
	make_file();
	file.note.p_offset = sizeof(file);
	check_refused(&test, -ENOEXEC, text);
	make_file();
	file.load.p_memsz = file.load.p_filesz - 1;
	check_refused(&test, -ENOEXEC, "KERNEL has a malformed segment");
	test_board_fini(&test);
}

static void segments_without_memory_are_refused(void)
{
	static const uint64_t odd[] = {
		0,	 MIB - 1,     3 * GIB - 1,
		3 * GIB, 4 * GIB - 1, 4 * GIB,
		6 * GIB, UINT64_MAX,  UINT64_MAX - CODE_MEMORY + 1,
	};
	struct arch_entry entry;
	struct test_board test;

	board_init(&test, 5 * GIB);
	for (size_t i = 0; i < ARRAY_LENGTH(odd); i++) {
		file.load.p_paddr = odd[i];
		CHECK_EQUAL(elf_load(&test.board, RSDP, &entry, NULL), -ENOSPC);
	}
	make_file();
	file.load.p_memsz = UINT64_MAX;
	CHECK_EQUAL(elf_load(&test.board, RSDP, &entry, NULL), -ENOSPC);
	test_board_fini(&test);

	board_init(&test, 16 * MIB);
	check_refused(&test, -ENOSPC,
		      "kernel KERNEL needs 2 KiB of memory at 0x1000000; more "
		      "--memory may help");
	test_board_fini(&test);
}

/* The initrd must lie above every segment. */
static void entries_outside_the_segments_are_refused(void)
{
	struct test_board test;

	board_init(&test, 32 * MIB);
	file.pvh.value = LOAD + CODE_MEMORY;
	check_refused(&test, -ENOEXEC,
		      "KERNEL has a PVH entry at 0x1000bb8, outside its "
		      "segments");
	test_board_fini(&test);
}

static void initrds_that_do_not_fit_are_refused(void)
{
	struct test_board test;

	board_init(&test, 32 * MIB);
	test.board.initrd = &test.initrd;
	file.load.p_paddr = 32 * MIB - CODE_MEMORY;
	file.pvh.value = (uint32_t)file.load.p_paddr;
	check_refused(&test, -ENOSPC,
		      "initrd INITRD (9 KiB) does not fit between the kernel's "
		      "end at 32 MiB and 32 MiB; more --memory helps");
	test_board_fini(&test);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(segments_are_loaded),
		TEST(start_info_is_filled_in),
		TEST(no_initrd_is_no_module),
		TEST(memory_map_goes_past_the_hole),
		TEST(notes_may_have_eight_bytes),
		TEST(other_files_are_not_detected),
		TEST(other_architectures_are_refused),
		TEST(odd_program_headers_are_refused),
		TEST(kernels_without_the_note_are_refused),
		TEST(damaged_notes_are_not_followed),
		TEST(segments_beyond_the_file_are_refused),
		TEST(segments_without_memory_are_refused),
		TEST(entries_outside_the_segments_are_refused),
		TEST(initrds_that_do_not_fit_are_refused),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/* arch/kernel_form_test.c - every form by its magic, and short files. */
#include <elf.h>

#include "arch/kernel_form.h"
#include "base/math.h"
#include "base/test.h"

static uint8_t file[0x400];

static const char *name_with(size_t offset, const char *magic, size_t length)
{
	memset(file, 0, sizeof(file));
	memcpy(file + offset, magic, length);
	return kernel_form_name(file, sizeof(file));
}

static void forms_are_named(void)
{
	CHECK_TEXT(name_with(0x202, "HdrS", 4), "an x86 bzImage");
	CHECK_TEXT(name_with(0x38, "ARM\x64", 4), "an arm64 Image");
	CHECK_TEXT(name_with(0x24, "\x18\x28\x6f\x01", 4),
		   "a 32-bit Arm zImage");
	CHECK_TEXT(name_with(0, "QFI\xfb", 4), "a qcow2 image");
	CHECK_TEXT(name_with(0,
			     "\xfd"
			     "7zXZ",
			     5),
		   "an xz-compressed file");
	CHECK_TEXT(name_with(0, "", 1), "not a kernel of a known form");
}

static const char *elf_name_with(uint8_t order, uint16_t machine)
{
	Elf64_Ehdr header = {.e_ident = ELFMAG, .e_machine = machine};

	header.e_ident[EI_DATA] = order;
	return name_with(0, (const char *)&header, sizeof(header));
}

static void elf_is_named_by_its_machine(void)
{
	CHECK_TEXT(elf_name_with(ELFDATA2LSB, EM_X86_64),
		   "an ELF file for x86_64");
	CHECK_TEXT(elf_name_with(ELFDATA2LSB, EM_AARCH64),
		   "an ELF file for aarch64");
	CHECK_TEXT(elf_name_with(ELFDATA2LSB, EM_RISCV),
		   "an ELF file for another architecture");
	CHECK_TEXT(elf_name_with(ELFDATA2MSB, EM_AARCH64),
		   "a big-endian ELF file");
}

static void short_files_are_not_read_past(void)
{
	memset(file, 0, sizeof(file));
	memcpy(file, ELFMAG, SELFMAG);
	CHECK_TEXT(kernel_form_name(file, 20), "not a kernel of a known form");
	memcpy(file, "MZ", 2);
	CHECK_TEXT(kernel_form_name(file, 2),
		   "an EFI program of an unknown kind");
	CHECK_TEXT(kernel_form_name(file, 1), "not a kernel of a known form");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(forms_are_named),
		TEST(elf_is_named_by_its_machine),
		TEST(short_files_are_not_read_past),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

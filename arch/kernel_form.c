/*
 * arch/kernel_form.c - kernels of other architectures and files that wrap
 * kernels, by their magic numbers. Those that can be booted are here, too:
 * what one architecture boots another one refuses.
 */
#include "arch/kernel_form.h"

#include <elf.h>
#include <string.h>

#include "base/endian.h"
#include "base/math.h"

struct form {
	size_t offset;
	size_t length;
	const char *magic;
	const char *name;
};

/* The first match counts: a bzImage and an arm64 Image may also be EFI. */
static const struct form forms[] = {
	{0x202, 4, "HdrS", "an x86 bzImage"},
	{0x38, 4, "ARM\x64", "an arm64 Image"},
	{0x38, 4, "RSC\x05", "a RISC-V Image"},
	{0x24, 4, "\x18\x28\x6f\x01", "a 32-bit Arm zImage"},
	{0x24, 4, "\x01\x6f\x28\x18", "a big-endian 32-bit Arm zImage"},
	{4, 4, "zimg", "an EFI zboot file"},
	{0, 2, "MZ", "an EFI program of an unknown kind"},
	{0, 4, "\x27\x05\x19\x56", "a U-Boot uImage"},
	{0, 4, "\xd0\x0d\xfe\xed", "a device tree or a U-Boot FIT image"},
	{0, 4, "QFI\xfb", "a qcow2 image"},
	{0, 6, "070701", "a cpio archive, as initrds are"},
	{0, 3, "\x1f\x8b\x08", "a gzip'd file"},
	{0, 4, "\x28\xb5\x2f\xfd", "a zstd-compressed file"},
	{0, 5, "\xfd\x37zXZ", "an xz-compressed file"},
	{0, 3, "BZh", "a bzip2-compressed file"},
	{0, 4, "\x02\x21\x4c\x18", "an lz4-compressed file"},
	{0, 4, "\x04\x22\x4d\x18", "an lz4-compressed file"},
	{0, 4, "\x89LZO", "an lzo-compressed file"},
	{0, 3, "\x5d\0\0", "an lzma-compressed file"},
};

static const char *elf_name(const uint8_t *data)
{
	uint16_t machine;

	if (data[EI_DATA] != ELFDATA2LSB)
		return "a big-endian ELF file";
	memcpy(&machine, data + offsetof(Elf64_Ehdr, e_machine),
	       sizeof(machine));
	switch (le16toh(machine)) {
	case EM_386:
		return "an ELF file for 32-bit x86";
	case EM_X86_64:
		return "an ELF file for x86_64";
	case EM_ARM:
		return "an ELF file for 32-bit Arm";
	case EM_AARCH64:
		return "an ELF file for aarch64";
	default:
		return "an ELF file for another architecture";
	}
}

const char *kernel_form_name(const uint8_t *data, size_t size)
{
	if (size >= sizeof(Elf64_Ehdr) && !memcmp(data, ELFMAG, SELFMAG))
		return elf_name(data);
	for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
		const struct form *form = &forms[i];

		if (range_fits(form->offset, form->length, size) &&
		    !memcmp(data + form->offset, form->magic, form->length))
			return form->name;
	}
	return "not a kernel of a known form";
}

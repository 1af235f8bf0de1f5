/*
 * arch/x86_64/tables.c - what the CPU walks before the kernel has its own:
 * a GDT and an identity map; and the few bytes that stand in for a BIOS.
 *
 * 2 MiB pages, since 1 GiB pages need a CPU feature (pdpe1gb) that nested CPU
 * models lack. 4 GiB is what the 64-bit boot protocol can ask for: kernel,
 * zero page, command line, and an initrd below 4 GiB.
 */
#include <errno.h>

#include "arch/x86_64/boot.h"
#include "arch/x86_64/layout.h"
#include "base/endian.h"

#define PAGE_PRESENT_WRITABLE 0x3
#define PAGE_LARGE	      0x80
#define TABLE_ENTRIES	      512
#define DIRECTORIES	      4

/*
 * Linux on hardware-reduced ACPI takes it that there is EFI to reset with;
 * where there is none it jumps in real mode to the BIOS' reset vector
 * (reboot_init() and native_machine_emergency_restart() in its
 * arch/x86/kernel/reboot.c). So that is where we need the machine to reset.
 */
static const uint8_t reset_code[] = {
	0xb0, 0xfe, /* mov $0xfe, %al */
	0xe6, 0x64, /* out %al, $0x64: the keyboard controller's reset */
	0xf4,	    /* hlt */
};

int tables_write(const struct guest_memory *memory, struct err *err)
{
	/* null, null, flat 64-bit code, flat data (SDM 3A, 3.4.5) */
	const le64 gdt[] = {le64_make(0), le64_make(0),
			    le64_make(0x00af9b000000ffff),
			    le64_make(0x00cf93000000ffff)};
	le64(*table)[TABLE_ENTRIES];
	gpa_t base = LAYOUT_PAGE_TABLES;

	table = guest_range(memory, base, (2 + DIRECTORIES) * sizeof(*table));
	if (!table || guest_write(memory, LAYOUT_GDT, gdt, sizeof(gdt)) ||
	    guest_write(memory, LAYOUT_RESET_VECTOR, reset_code,
			sizeof(reset_code)))
		return err_set(err, ENOSPC, "no memory for page tables");
	table[0][0] = le64_make((base + 0x1000) | PAGE_PRESENT_WRITABLE);
	for (unsigned int i = 0; i < DIRECTORIES; i++)
		table[1][i] = le64_make((base + 0x2000 + i * 0x1000) |
					PAGE_PRESENT_WRITABLE);
	for (unsigned int i = 0; i < DIRECTORIES * TABLE_ENTRIES; i++)
		table[2 + i / TABLE_ENTRIES][i % TABLE_ENTRIES] = le64_make(
			i * 2 * MIB | PAGE_PRESENT_WRITABLE | PAGE_LARGE);
	return 0;
}

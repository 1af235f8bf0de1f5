/*
 * arch/x86_64/boot.h - from a kernel file to guest memory and an entry point.
 *
 * boot.c is the outline; bzimage.c and elf.c know one form of kernel each,
 * acpi.c the tables, tables.c what the CPU itself needs. All of it writes
 * through guest_range(): what does not fit is refused with a sentence.
 */
#ifndef ARCH_X86_64_BOOT_H
#define ARCH_X86_64_BOOT_H

#include "arch/arch.h"

/* A piece of guest memory that a loaded thing occupies. */
struct boot_span {
	gpa_t base;
	uint64_t size;
};

/* One range of the memory map that kernels are told (e820). */
struct boot_range {
	gpa_t base;
	uint64_t size;
	uint32_t type; /* E820_* */
};

#define BOOT_RANGES_MAX 8

/* Fills @ranges in ascending order and returns how many there are. */
unsigned int boot_memory_map(const struct guest_memory *memory,
			     struct boot_range ranges[BOOT_RANGES_MAX]);

/*
 * Copies the initrd as high as it goes below @limit, above @above. Nothing to
 * do (size 0) without an initrd.
 */
int boot_load_initrd(const struct arch_board *board, gpa_t above, gpa_t limit,
		     struct boot_span *ret_initrd, struct err *err);

/* The board's command line, with what discovery adds, at LAYOUT_CMDLINE. */
int boot_write_cmdline(const struct arch_board *board, uint64_t max,
		       struct err *err);

/* Does the file look like this form? Then its loader gives the verdict. */
bool bzimage_detect(const struct fd_map *kernel);
int bzimage_load(const struct arch_board *board, gpa_t rsdp,
		 struct arch_entry *ret_entry, struct err *err);

bool elf_detect(const struct fd_map *kernel);
int elf_load(const struct arch_board *board, gpa_t rsdp,
	     struct arch_entry *ret_entry, struct err *err);

/* The GDT, the identity map of the first 4 GiB and the reset vector. */
int tables_write(const struct guest_memory *memory, struct err *err);

/* The ACPI tables; *ret_rsdp is where the RSDP lies. */
int acpi_write(const struct arch_board *board, gpa_t *ret_rsdp,
	       struct err *err);

#endif

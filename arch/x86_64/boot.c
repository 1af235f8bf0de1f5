/*
 * arch/x86_64/boot.c - the outline of booting: tables, command line, kernel.
 */
#include "arch/x86_64/boot.h"

#include <errno.h>
#include <string.h>

#include "arch/cmdline.h"
#include "arch/kernel_form.h"
#include "arch/x86_64/layout.h"

unsigned int boot_memory_map(const struct guest_memory *memory,
			     struct boot_range ranges[BOOT_RANGES_MAX])
{
	const struct guest_region *low = &memory->regions[0];
	unsigned int count = 0;

	ranges[count++] = (struct boot_range){0, LAYOUT_LOW_RAM_END, E820_RAM};
	ranges[count++] = (struct boot_range){LAYOUT_ACPI,
					      LAYOUT_KERNEL - LAYOUT_ACPI,
					      E820_RESERVED};
	ranges[count++] = (struct boot_range){LAYOUT_KERNEL,
					      low->size - LAYOUT_KERNEL,
					      E820_RAM};
	for (unsigned int i = 1; i < memory->count; i++)
		ranges[count++] = (struct boot_range){memory->regions[i].base,
						      memory->regions[i].size,
						      E820_RAM};
	return count;
}

int boot_load_initrd(const struct arch_board *board, gpa_t above, gpa_t limit,
		     struct boot_span *ret_initrd, struct err *err)
{
	const struct fd_map *initrd = board->initrd;
	const struct guest_region *low = &board->memory->regions[0];
	gpa_t base;

	*ret_initrd = (struct boot_span){0, 0};
	if (!initrd)
		return 0;
	limit = min_u64(limit, low->base + low->size);
	if (initrd->size > limit ||
	    align_down(limit - initrd->size, 4096) < align_up(above, 4096))
		return err_set(
			err, ENOSPC,
			"initrd %s (%zu KiB) does not fit between the kernel's "
			"end at %llu MiB and %llu MiB; more --memory helps",
			initrd->path, initrd->size / 1024,
			(unsigned long long)(above / MIB),
			(unsigned long long)(limit / MIB));
	base = align_down(limit - initrd->size, 4096);
	guest_write(board->memory, base, initrd->data, initrd->size);
	*ret_initrd = (struct boot_span){base, initrd->size};
	return 0;
}

int boot_write_cmdline(const struct arch_board *board, uint64_t max,
		       struct err *err)
{
	char text[LAYOUT_CMDLINE_MAX];
	int ret;

	ret = cmdline_build(board, 0, text, min_u64(max, sizeof(text)), err);
	if (!ret)
		ret = guest_write(board->memory, LAYOUT_CMDLINE, text,
				  strlen(text) + 1);
	return ret;
}

int arch_boot_load(const struct arch_board *board, struct arch_entry *ret_entry,
		   struct err *err)
{
	gpa_t rsdp;
	int ret;

	if (board->discovery == ARCH_DISCOVERY_FDT)
		return err_set(
			err, EINVAL,
			"--discovery fdt is for aarch64; on x86_64 it is "
			"acpi or cmdline");
	if (board->memory->regions[0].size < 2 * MIB)
		return err_set(err, EINVAL, "less than 2 MiB of memory");
	ret = tables_write(board->memory, err);
	if (!ret)
		ret = acpi_write(board, &rsdp, err);
	if (ret)
		return ret;
	if (bzimage_detect(board->kernel))
		return bzimage_load(board, rsdp, ret_entry, err);
	if (elf_detect(board->kernel))
		return elf_load(board, rsdp, ret_entry, err);
	return err_set(err, ENOEXEC,
		       "kernel %s is %s; x86_64 boots a bzImage, or an ELF "
		       "vmlinux with a PVH note",
		       board->kernel->path,
		       kernel_form_name(board->kernel->data,
					board->kernel->size));
}

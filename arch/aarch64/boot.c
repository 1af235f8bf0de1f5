/*
 * arch/aarch64/boot.c - kernel, initrd and FDT into guest memory, as Linux'
 * Documentation/arch/arm64/booting.rst wants them.
 *
 * A compressed kernel is unpacked to the start of RAM, where all of RAM bounds
 * it and where most kernels stay; one with a text_offset then moves up.
 */
#include <errno.h>
#include <string.h>

#include "arch/aarch64/device_tree.h"
#include "arch/aarch64/image.h"
#include "arch/aarch64/placement.h"
#include "arch/aarch64/vm.h"
#include "arch/arch.h"
#include "arch/kernel_file.h"

/* The kernel as it came out of its file: there, or in @ram. */
struct unpacked {
	const uint8_t *data;
	size_t size;
};

static int unpack(const struct fd_map *map, const struct guest_region *ram,
		  struct unpacked *ret_kernel, struct err *err)
{
	struct kernel_file file;
	int ret = kernel_file_init(map, &file, err);

	if (ret)
		return ret;
	ret_kernel->data = file.data;
	ret_kernel->size = file.size;
	if (file.packing == KERNEL_PLAIN)
		return 0;
	ret_kernel->data = ram->host;
	return kernel_file_unpack(&file, ram->host, ram->size,
				  &ret_kernel->size, err);
}

static int place(const struct arch_board *board, const struct image *image,
		 struct placement *ret_placement, struct err *err)
{
	uint64_t initrd_size = board->initrd ? board->initrd->size : 0;
	int ret = placement_init(image, board->memory->regions[0].size,
				 initrd_size, ret_placement, err);

	if (ret)
		err_prefix(err, "cannot boot kernel %s", board->kernel->path);
	return ret;
}

static int load(const struct arch_board *board, struct placement *ret_placement,
		struct err *err)
{
	const struct guest_region *ram = &board->memory->regions[0];
	struct unpacked kernel;
	struct image image;
	int ret = unpack(board->kernel, ram, &kernel, err);

	if (!ret)
		ret = image_parse(board->kernel->path, kernel.data, kernel.size,
				  &image, err);
	if (!ret)
		ret = place(board, &image, ret_placement, err);
	if (ret)
		return ret;

	memmove(ram->host + image.text_offset, kernel.data, kernel.size);
	if (board->initrd)
		memcpy(ram->host + (ret_placement->initrd - ram->base),
		       board->initrd->data, board->initrd->size);
	return 0;
}

static int check_discovery(const struct arch_board *board, struct err *err)
{
	if (board->discovery == ARCH_DISCOVERY_ACPI)
		return err_set(err, EINVAL,
			       "an aarch64 machine has no ACPI; its devices "
			       "are found by --discovery fdt (the default) or "
			       "cmdline");
	return 0;
}

int arch_boot_load(const struct arch_board *board, struct arch_entry *ret_entry,
		   struct err *err)
{
	struct placement placement;
	int ret = check_discovery(board, err);

	if (!ret)
		ret = load(board, &placement, err);
	if (!ret)
		ret = device_tree_build(board, board->vm->gic.version,
					&placement,
					guest_range(board->memory,
						    placement.fdt,
						    PLACEMENT_FDT_SPACE),
					PLACEMENT_FDT_SPACE, err);
	if (ret)
		return ret;
	*ret_entry = (struct arch_entry){
		.pc = placement.kernel,
		.argument = placement.fdt,
	};
	return 0;
}

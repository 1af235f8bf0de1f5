/*
 * arch/aarch64/placement.c - see placement.h. The rules are those of Linux'
 * Documentation/arch/arm64/booting.rst: the FDT and the initrd within a window
 * that begins at a multiple of 1 GiB and covers the kernel, too (RAM does
 * begin so); for old kernels a smaller one.
 */
#include "arch/aarch64/placement.h"

#include <errno.h>

#include "arch/aarch64/map.h"

#define WINDOW	   (32 * GIB)
#define WINDOW_OLD (512 * MIB)

/* All three are rounded to this, so that a sum of sizes is what must fit. */
#define UNIT PLACEMENT_FDT_SPACE

static uint64_t space_needed(const struct image *image, uint64_t initrd_size)
{
	return align_up(image->text_offset + image->memory_size, UNIT) +
	       PLACEMENT_FDT_SPACE + align_up(initrd_size, UNIT);
}

static int error_too_large(uint64_t needed, uint64_t memory_size,
			   uint64_t window, struct err *err)
{
	unsigned long long needed_mib = div_round_up(needed, MIB);

	if (needed > window)
		return err_set(
			err, ENOSPC,
			"with its initrd it needs %llu MiB, and a kernel "
			"of its version finds only what lies in the first "
			"%llu MiB; a smaller initrd would help",
			needed_mib, window / MIB);
	return err_set(err, ENOSPC,
		       "with its initrd it needs at least %llu MiB of memory, "
		       "and the machine has %llu; give it more with --memory "
		       "%lluM",
		       needed_mib, memory_size / MIB, needed_mib);
}

int placement_init(const struct image *image, uint64_t memory_size,
		   uint64_t initrd_size, struct placement *ret_placement,
		   struct err *err)
{
	uint64_t window = image->old ? WINDOW_OLD : WINDOW;
	uint64_t needed, end;

	/* So that no sum below can overflow; nothing this large ever fits. */
	initrd_size = min_u64(initrd_size, 2 * WINDOW);
	needed = space_needed(image, initrd_size);
	end = align_down(min_u64(memory_size, window), UNIT);
	if (needed > end)
		return error_too_large(needed, memory_size, window, err);

	end -= align_up(initrd_size, UNIT);
	*ret_placement = (struct placement){
		.kernel = MAP_RAM_BASE + image->text_offset,
		.fdt = MAP_RAM_BASE + end - PLACEMENT_FDT_SPACE,
		.initrd = initrd_size ? MAP_RAM_BASE + end : 0,
		.initrd_size = initrd_size,
	};
	return 0;
}

/*
 * arch/aarch64/placement.h - where kernel, FDT and initrd go in RAM.
 *
 * Pure. The kernel lies at the start of RAM and the other two at its end, so
 * that whatever lies behind the kernel is free for it:
 *
 *	RAM base  kernel: text_offset, then image_size bytes
 *	          (free)
 *	          FDT, FDT_SPACE bytes that cross no 2 MiB boundary
 *	          initrd
 *	end of RAM, or of the window that the boot protocol allows
 */
#ifndef ARCH_AARCH64_PLACEMENT_H
#define ARCH_AARCH64_PLACEMENT_H

#include "arch/aarch64/image.h"
#include "base/guest_memory.h"
#include "base/math.h"

#define PLACEMENT_FDT_SPACE (128 * KIB)

struct placement {
	gpa_t kernel;
	gpa_t fdt;
	gpa_t initrd; /* 0 without one */
	uint64_t initrd_size;
};

/*
 * -ENOSPC, with a sentence about the kernel ("it") that says how much memory
 * would do, where RAM of @memory_size bytes is too small. @initrd_size 0: none.
 */
int placement_init(const struct image *image, uint64_t memory_size,
		   uint64_t initrd_size, struct placement *ret_placement,
		   struct err *err);

#endif

/*
 * vmm/disk_view.h - a disk as the code that looks for a kernel sees it:
 * something of a size that can be read. Tests put plain memory behind it.
 *
 * On main.
 */
#ifndef VMM_DISK_VIEW_H
#define VMM_DISK_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "block/block.h"

struct disk_view {
	/* Of a range that lies within @size and is aligned as for block_read */
	int (*read)(void *context, uint64_t offset, void *buffer,
		    size_t length);
	void *context;
	uint64_t size;
};

/* @block must outlive the view. */
struct disk_view disk_view_of_block(struct block *block);

/*
 * Offset and length are multiples of BLOCK_SECTOR. 0, -EINVAL for a range that
 * is not so or leaves the disk, or the disk's -errno.
 */
int disk_view_read(const struct disk_view *disk, uint64_t offset, void *buffer,
		   size_t length);

#endif

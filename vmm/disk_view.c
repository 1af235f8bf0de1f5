/* vmm/disk_view.c - see disk_view.h. */
#include "vmm/disk_view.h"

#include <errno.h>

#include "base/math.h"

static int read_block(void *context, uint64_t offset, void *buffer,
		      size_t length)
{
	struct iovec iov = {buffer, length};

	return block_read(context, offset, &iov, 1);
}

struct disk_view disk_view_of_block(struct block *block)
{
	return (struct disk_view){
		.read = read_block,
		.context = block,
		.size = block_size(block),
	};
}

int disk_view_read(const struct disk_view *disk, uint64_t offset, void *buffer,
		   size_t length)
{
	if (!range_fits(offset, length, disk->size) ||
	    !is_aligned(offset | length, BLOCK_SECTOR))
		return -EINVAL;
	return disk->read(disk->context, offset, buffer, length);
}

/* block/preallocate.c - see preallocate.h. */
#include "block/preallocate.h"

#include <errno.h>
#include <fcntl.h>

int file_preallocate(struct file *file, uint64_t offset, uint64_t length,
		     enum preallocation how)
{
	uint64_t end = offset + length;
	int ret = 0;

	if (how == PREALLOCATE_FALLOC) {
		if (file->fd < 0)
			return -EOPNOTSUPP;
		ret = -posix_fallocate(file->fd, (off_t)offset, (off_t)length);
	}
	if (!ret && end > file_size(file))
		ret = file_truncate(file, end);
	if (!ret && how == PREALLOCATE_FULL)
		ret = file_fill_zeroes(file, offset, length);
	return ret;
}

/* block/preallocate.c - see preallocate.h. */
#include "block/preallocate.h"

#include <errno.h>
#include <fcntl.h>

#include "base/math.h"

/* Between two looks at whether to stop. */
#define PIECE (64 * MIB)

static int fill(struct file *file, uint64_t offset, uint64_t length,
		enum preallocation how)
{
	if (how == PREALLOCATE_FULL)
		return file_fill_zeroes(file, offset, length);
	if (file->fd < 0)
		return -EOPNOTSUPP;
	return -posix_fallocate(file->fd, (off_t)offset, (off_t)length);
}

int file_preallocate(struct file *file, uint64_t offset, uint64_t length,
		     enum preallocation how, const atomic_bool *stop)
{
	uint64_t end = offset + length, part;
	int ret = 0;

	if (end > file_size(file))
		ret = file_truncate(file, end);
	if (how != PREALLOCATE_FALLOC && how != PREALLOCATE_FULL)
		return ret;
	for (; offset < end && !ret; offset += part) {
		part = min_u64(end - offset, PIECE);
		ret = atomic_load(stop) ? -ECANCELED
					: fill(file, offset, part, how);
	}
	return ret;
}

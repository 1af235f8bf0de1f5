/*
 * block/file_direct.c - a host file opened with O_DIRECT (cache=none).
 *
 * The kernel wants offset, length and memory aligned. A request that is goes
 * straight through; another one is widened to the alignment and goes through
 * a buffer of its own. A widened write reads first what lies around it, so it
 * must not meet another write to the same blocks: aligned writes share a lock,
 * widened ones hold it alone.
 */
#include "block/file_host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/iov.h"
#include "base/math.h"

/* Every file system and disk takes this. */
#define DIRECT_ALIGNMENT 4096

/* A request is taken apart into bounces of at most this. */
#define BOUNCE_MAX (1 * MIB)

struct file_direct {
	struct file file;
	pthread_rwlock_t lock; /* shared: aligned writes; see above */
	uint64_t alignment;    /* [c] */
};

static struct file_direct *file_direct_of(struct file *file)
{
	return (struct file_direct *)file;
}

static bool all_aligned(const struct iovec *iov, size_t count, uint64_t offset,
			uint64_t alignment)
{
	uint64_t bits = offset;

	for (size_t i = 0; i < count; i++)
		bits |= (uintptr_t)iov[i].iov_base | iov[i].iov_len;
	return is_aligned(bits, alignment);
}

/* One part of an unaligned request, and the buffer for the blocks it is in. */
struct bounce {
	uint8_t *buffer;
	uint64_t start;	 /* in the file, aligned */
	uint64_t length; /* aligned */
	uint64_t skip;	 /* from start to the part */
	uint64_t part;	 /* bytes of the request */
};

static struct bounce bounce_next(uint8_t *buffer, uint64_t alignment,
				 uint64_t offset, uint64_t left)
{
	uint64_t start = align_down(offset, alignment);
	uint64_t skip = offset - start;
	uint64_t part = min_u64(left, BOUNCE_MAX - skip);

	return (struct bounce){
		.buffer = buffer,
		.start = start,
		.length = align_up(skip + part, alignment),
		.skip = skip,
		.part = part,
	};
}

static int bounce_read(struct file *file, const struct bounce *bounce)
{
	struct iovec iov = {bounce->buffer, bounce->length};

	return fd_readv_at(file->fd, &iov, 1, bounce->start);
}

/* The blocks at both ends keep what the request does not cover. */
static int bounce_write(struct file *file, const struct bounce *bounce,
			const struct iovec *iov, size_t count, uint64_t done)
{
	int ret = 0;

	if (bounce->part != bounce->length)
		ret = bounce_read(file, bounce);
	if (ret)
		return ret;
	iov_to_buffer(iov, count, done, bounce->buffer + bounce->skip,
		      bounce->part);
	return fd_write_at(file->fd, bounce->buffer, bounce->length,
			   bounce->start);
}

static int bounce_all(struct file *file, const struct iovec *iov, size_t count,
		      uint64_t offset, bool write)
{
	uint64_t alignment = file_direct_of(file)->alignment;
	uint64_t length = iov_length(iov, count), done = 0;
	struct bounce bounce;
	uint8_t *buffer;
	int ret = 0;

	buffer = aligned_alloc(DIRECT_ALIGNMENT, BOUNCE_MAX);
	if (!buffer)
		return -ENOMEM;
	for (; done < length && !ret; done += bounce.part) {
		bounce = bounce_next(buffer, alignment, offset + done,
				     length - done);
		if (write) {
			ret = bounce_write(file, &bounce, iov, count, done);
			continue;
		}
		ret = bounce_read(file, &bounce);
		if (!ret)
			iov_from_buffer(iov, count, done,
					bounce.buffer + bounce.skip,
					bounce.part);
	}
	free(buffer);
	return ret;
}

static int file_direct_readv(struct file *file, struct iovec *iov, size_t count,
			     uint64_t offset)
{
	if (all_aligned(iov, count, offset, file_direct_of(file)->alignment))
		return fd_readv_at(file->fd, iov, count, offset);
	return bounce_all(file, iov, count, offset, false);
}

static int file_direct_writev(struct file *file, struct iovec *iov,
			      size_t count, uint64_t offset)
{
	struct file_direct *direct = file_direct_of(file);
	int ret;

	if (all_aligned(iov, count, offset, direct->alignment)) {
		pthread_rwlock_rdlock(&direct->lock);
		ret = fd_writev_at(file->fd, iov, count, offset);
	} else {
		pthread_rwlock_wrlock(&direct->lock);
		ret = bounce_all(file, iov, count, offset, true);
	}
	pthread_rwlock_unlock(&direct->lock);
	return ret;
}

static int file_direct_zero(struct file *file, uint64_t offset, uint64_t length,
			    bool may_unmap)
{
	struct file_direct *direct = file_direct_of(file);
	int ret;

	pthread_rwlock_wrlock(&direct->lock);
	ret = file_host_zero(file, offset, length, may_unmap);
	pthread_rwlock_unlock(&direct->lock);
	return ret;
}

static void file_direct_close(struct file *file)
{
	struct file_direct *direct = file_direct_of(file);

	pthread_rwlock_destroy(&direct->lock);
	fd_close(&file->fd);
	free(direct);
}

static const struct file_ops file_direct_ops = {
	.readv = file_direct_readv,
	.writev = file_direct_writev,
	.flush = file_host_flush,
	.zero = file_direct_zero,
	.truncate = file_host_truncate,
	.close = file_direct_close,
};

/*
 * A block device says what it takes. A file system may want no more than its
 * disk's sector, but only newer kernels say so: 4 KiB is right everywhere.
 */
static uint64_t direct_alignment(int fd)
{
	struct stat st;
	int sector;

	if (!fstat(fd, &st) && S_ISBLK(st.st_mode) &&
	    !ioctl(fd, BLKSSZGET, &sector) && sector >= 512)
		return (uint64_t)sector;
	return DIRECT_ALIGNMENT;
}

int file_direct_new(int fd, uint64_t size, const char *path,
		    struct file **ret_file, struct err *err)
{
	struct file_direct *direct = malloc(sizeof(*direct));

	if (!direct)
		return err_set(err, ENOMEM, "out of memory opening %s", path);
	file_init(&direct->file, &file_direct_ops, size);
	direct->file.fd = fd;
	direct->alignment = direct_alignment(fd);
	pthread_rwlock_init(&direct->lock, NULL);
	*ret_file = &direct->file;
	return 0;
}

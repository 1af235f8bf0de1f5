/*
 * block/file_direct.c - a host file opened with O_DIRECT (cache=none).
 *
 * The kernel wants offset, length and memory aligned. A request that is goes
 * straight through; another one is widened to the alignment and goes through
 * a buffer of its own. A widened write reads first what lies around it, so it
 * must not meet another write to the same blocks: aligned writes go through a
 * gate, widened ones close it.
 */
#include "block/file_host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/iov.h"
#include "base/math.h"
#include "block/gate.h"

/* Every file system and disk takes this, of offsets and of memory. */
#define DIRECT_ALIGNMENT 4096

/* A request is taken apart into bounces of at most this. */
#define BOUNCE_MAX (1 * MIB)

struct file_direct {
	struct gate gate;     /* of aligned writes; see above */
	pthread_mutex_t lock; /* held by who closes it */
	struct file file;
};

static struct file_direct *file_direct_of(struct file *file)
{
	return (struct file_direct *)((char *)file -
				      offsetof(struct file_direct, file));
}

static bool all_aligned(const struct file *file, const struct iovec *iov,
			size_t count, uint64_t offset)
{
	uint64_t bits = offset, memory = 0;

	for (size_t i = 0; i < count; i++) {
		bits |= iov[i].iov_len;
		memory |= (uintptr_t)iov[i].iov_base;
	}
	return is_aligned(bits, file->alignment) &&
	       is_aligned(memory, file->memory_alignment);
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

	return fd_readv_direct_at(file->fd, &iov, 1, bounce->start,
				  file->alignment);
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
	uint64_t length = iov_length(iov, count), done = 0;
	struct bounce bounce;
	uint8_t *buffer;
	int ret = 0;

	buffer = aligned_alloc(DIRECT_ALIGNMENT, BOUNCE_MAX);
	if (!buffer)
		return -ENOMEM;
	for (; done < length && !ret; done += bounce.part) {
		bounce = bounce_next(buffer, file->alignment, offset + done,
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
	if (all_aligned(file, iov, count, offset))
		return fd_readv_direct_at(file->fd, iov, count, offset,
					  file->alignment);
	return bounce_all(file, iov, count, offset, false);
}

static bool file_direct_begin_write(struct file *file,
				    struct gate_pass *ret_pass)
{
	return gate_enter(&file_direct_of(file)->gate, ret_pass);
}

static void file_direct_end_write(struct file *file, struct gate_pass pass)
{
	gate_leave(&file_direct_of(file)->gate, pass);
}

static void lock_alone(struct file_direct *direct)
{
	pthread_mutex_lock(&direct->lock);
	gate_close(&direct->gate);
}

static void unlock_alone(struct file_direct *direct)
{
	gate_open(&direct->gate);
	pthread_mutex_unlock(&direct->lock);
}

static int write_aligned(struct file_direct *direct, struct iovec *iov,
			 size_t count, uint64_t offset)
{
	struct gate_pass pass;
	int ret;

	if (gate_enter(&direct->gate, &pass)) {
		ret = fd_writev_at(direct->file.fd, iov, count, offset);
		gate_leave(&direct->gate, pass);
		return ret;
	}
	pthread_mutex_lock(&direct->lock);
	ret = fd_writev_at(direct->file.fd, iov, count, offset);
	pthread_mutex_unlock(&direct->lock);
	return ret;
}

static int file_direct_writev(struct file *file, struct iovec *iov,
			      size_t count, uint64_t offset)
{
	struct file_direct *direct = file_direct_of(file);
	int ret;

	if (all_aligned(file, iov, count, offset))
		return write_aligned(direct, iov, count, offset);
	lock_alone(direct);
	ret = bounce_all(file, iov, count, offset, true);
	unlock_alone(direct);
	return ret;
}

static int file_direct_zero(struct file *file, uint64_t offset, uint64_t length,
			    bool may_unmap)
{
	struct file_direct *direct = file_direct_of(file);
	int ret;

	lock_alone(direct);
	ret = file_host_zero(file, offset, length, may_unmap);
	unlock_alone(direct);
	return ret;
}

static void file_direct_close(struct file *file)
{
	struct file_direct *direct = file_direct_of(file);

	pthread_mutex_destroy(&direct->lock);
	gate_fini(&direct->gate);
	fd_close(&file->fd);
	free(direct);
}

static const struct file_ops file_direct_ops = {
	.readv = file_direct_readv,
	.writev = file_direct_writev,
	.flush = file_host_flush,
	.zero = file_direct_zero,
	.begin_write = file_direct_begin_write,
	.end_write = file_direct_end_write,
	.find_data = file_host_find_data,
	.truncate = file_host_truncate,
	.close = file_direct_close,
};

/*
 * Newer kernels say what a file takes, all of them what a block device does.
 * Where nobody says, 4 KiB is right.
 */
static void find_alignment(struct file *file)
{
	struct statx st;
	int sector;

	file->alignment = DIRECT_ALIGNMENT;
	file->memory_alignment = DIRECT_ALIGNMENT;
	if (statx(file->fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_DIOALIGN,
		  &st) < 0)
		return;
	if (st.stx_mask & STATX_DIOALIGN && st.stx_dio_offset_align) {
		file->alignment = st.stx_dio_offset_align;
		file->memory_alignment = st.stx_dio_mem_align;
	} else if (S_ISBLK(st.stx_mode) &&
		   !ioctl(file->fd, BLKSSZGET, &sector) && sector >= 512) {
		file->alignment = (uint32_t)sector;
		file->memory_alignment = (uint32_t)sector;
	}
}

int file_direct_new(int fd, uint64_t size, const char *path,
		    struct file **ret_file, struct err *err)
{
	struct file_direct *direct = aligned_alloc(GATE_LINE, sizeof(*direct));

	if (!direct)
		return err_set(err, ENOMEM, "out of memory opening %s", path);
	file_init(&direct->file, &file_direct_ops, size);
	direct->file.fd = fd;
	find_alignment(&direct->file);
	gate_init(&direct->gate);
	pthread_mutex_init(&direct->lock, NULL);
	*ret_file = &direct->file;
	return 0;
}

/*
 * block/block.c - the public calls of block.h: range checks, the lock, and the
 * choice between the fast path and the slow one.
 *
 * One lock per disk. Requests that the map alone answers share it, so reads
 * of known extents and writes in place run side by side; whatever changes a
 * table or a cache of the chain holds it alone. Nothing is in flight when it
 * is held alone, so a cluster that is freed there has no late readers.
 */
#include "block/block.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/iov.h"
#include "base/math.h"
#include "block/chain.h"
#include "block/commit.h"
#include "block/image.h"
#include "block/mutant.h"

struct block {
	struct image *top;     /* [c] owned */
	pthread_rwlock_t lock; /* see above */
};

struct block *block_new(struct image *top)
{
	struct block *block = calloc(1, sizeof(*block));
	pthread_rwlockattr_t attr;

	if (!block)
		return NULL;
	block->top = top;
	/* Or a guest that only reads would keep a writer out for ever. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(
		&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&block->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	return block;
}

int block_open(const struct block_options *options, struct block **ret_block,
	       struct err *err)
{
	struct image *top;
	int ret;

	ret = chain_open(options, &top, err);
	if (ret)
		return ret;
	*ret_block = block_new(top);
	if (!*ret_block) {
		image_close(top);
		return err_set(err, ENOMEM, "out of memory");
	}
	return 0;
}

int block_close(struct block *block)
{
	int ret = image_close(block->top);

	pthread_rwlock_destroy(&block->lock);
	free(block);
	return ret;
}

uint64_t block_size(const struct block *block)
{
	return block->top->size;
}

bool block_is_read_only(const struct block *block)
{
	return block->top->read_only;
}

uint64_t block_discard_granularity(const struct block *block)
{
	return block->top->discard_granularity;
}

static int block_check_range(const struct block *block, uint64_t offset,
			     uint64_t length)
{
	if (!is_aligned(offset | length, BLOCK_SECTOR) ||
	    !range_fits(offset, length, block->top->size))
		return -EINVAL;
	return 0;
}

/* The checks of whatever changes the disk. */
static int block_check_change(const struct block *block, uint64_t offset,
			      uint64_t length)
{
	if (block->top->read_only)
		return -EROFS;
	return block_check_range(block, offset, length);
}

int block_read(struct block *block, uint64_t offset, const struct iovec *iov,
	       size_t count)
{
	struct cursor to = cursor_make(iov, count);

	return block_read_to(block, offset, iov_length(iov, count), &to);
}

int block_read_to(struct block *block, uint64_t offset, uint64_t length,
		  struct cursor *to)
{
	int ret = block_check_range(block, offset, length);
	uint64_t done;

	if (ret)
		return ret;
	pthread_rwlock_rdlock(&block->lock);
	ret = image_read_fast(block->top, offset, length, to, &done);
	pthread_rwlock_unlock(&block->lock);
	if (ret || done == length)
		return ret;

	pthread_rwlock_wrlock(&block->lock);
	ret = image_read(block->top, offset + done, length - done, to);
	pthread_rwlock_unlock(&block->lock);
	return ret;
}

int block_write(struct block *block, uint64_t offset, const struct iovec *iov,
		size_t count)
{
	struct cursor from = cursor_make(iov, count);

	return block_write_from(block, offset, iov_length(iov, count), &from);
}

int block_write_from(struct block *block, uint64_t offset, uint64_t length,
		     struct cursor *from)
{
	int ret = block_check_change(block, offset, length);
	uint64_t done;

	if (ret)
		return ret;
	pthread_rwlock_rdlock(&block->lock);
	ret = image_write_fast(block->top, offset, length, from, &done);
	pthread_rwlock_unlock(&block->lock);
	if (ret || done == length)
		return ret;

	pthread_rwlock_wrlock(&block->lock);
	ret = block->top->ops->write(block->top, offset + done, length - done,
				     from);
	pthread_rwlock_unlock(&block->lock);
	return ret;
}

static bool block_is_settled(const struct block *block)
{
	const struct image *top = block->top;

	return !top->ops->is_settled || top->ops->is_settled(top);
}

int block_flush(struct block *block)
{
	bool settled;
	int ret = 0;

	if (block->top->read_only)
		return 0;
	pthread_rwlock_rdlock(&block->lock);
	settled = block_is_settled(block);
	if (settled && !MUTANT(NO_BARRIER_IN_PLACE))
		ret = file_flush(block->top->data);
	pthread_rwlock_unlock(&block->lock);
	if (settled)
		return ret;

	pthread_rwlock_wrlock(&block->lock);
	ret = block->top->ops->flush(block->top);
	pthread_rwlock_unlock(&block->lock);
	return ret;
}

int block_discard(struct block *block, uint64_t offset, uint64_t length)
{
	int ret = block_check_change(block, offset, length);

	if (ret || !length)
		return ret;
	pthread_rwlock_wrlock(&block->lock);
	ret = block->top->ops->discard(block->top, offset, length);
	pthread_rwlock_unlock(&block->lock);
	return ret;
}

int block_write_zeroes(struct block *block, uint64_t offset, uint64_t length,
		       bool may_unmap)
{
	int ret = block_check_change(block, offset, length);

	if (ret || !length)
		return ret;
	pthread_rwlock_wrlock(&block->lock);
	ret = block->top->ops->write_zeroes(block->top, offset, length,
					    may_unmap);
	pthread_rwlock_unlock(&block->lock);
	return ret;
}

void block_map(struct block *block, uint64_t offset, uint64_t length,
	       struct block_extent *ret_extent)
{
	struct extent extent = {
		.kind = BLOCK_EXTENT_UNCACHED,
		.length = length,
	};

	if (!pthread_rwlock_tryrdlock(&block->lock)) {
		block->top->ops->map(block->top, offset, length, &extent);
		pthread_rwlock_unlock(&block->lock);
	}
	*ret_extent = (struct block_extent){
		.kind = extent.kind,
		.writable_in_place = extent.writable_in_place,
		.fd = -1,
		.host_offset = extent.host_offset,
		.length = extent.length,
	};
	if (extent.kind == BLOCK_EXTENT_DATA)
		ret_extent->fd = extent.image->data->fd;
}

int block_find(struct block *block, uint64_t offset, uint64_t length,
	       struct extent *ret_extent)
{
	int ret = block_check_range(block, offset, length);

	if (ret)
		return ret;
	pthread_rwlock_wrlock(&block->lock);
	ret = image_find(block->top, offset, length, ret_extent);
	pthread_rwlock_unlock(&block->lock);
	return ret;
}

int block_write_compressed(struct block *block, uint64_t offset,
			   const void *packed, size_t length)
{
	int ret = block_check_change(block, offset, 0);

	if (ret)
		return ret;
	if (!block->top->ops->write_compressed)
		return -ENOTSUP;
	pthread_rwlock_wrlock(&block->lock);
	ret = block->top->ops->write_compressed(block->top, offset, packed,
						length);
	pthread_rwlock_unlock(&block->lock);
	return ret;
}

int block_commit(struct block *block,
		 void (*progress)(void *context, uint64_t done, uint64_t total),
		 void *context, struct err *err)
{
	int ret;

	pthread_rwlock_wrlock(&block->lock);
	ret = commit_image(block->top, progress, context, err);
	pthread_rwlock_unlock(&block->lock);
	return ret;
}

int block_resize(struct block *block, uint64_t size, struct err *err)
{
	struct image *top = block->top;
	int ret;

	if (top->read_only)
		return err_set(err, EROFS, "%s is open for reading only",
			       top->name);
	pthread_rwlock_wrlock(&block->lock);
	ret = top->ops->resize(top, size, err);
	pthread_rwlock_unlock(&block->lock);
	return ret;
}

/*
 * block/block.c - the public calls of block.h: range checks, the lock, and the
 * choice between the fast path and the slow one.
 *
 * Requests that the map alone answers go through the gate, side by side, and
 * never wait. Whatever changes a table or a cache of the chain holds the lock,
 * one at a time, while fast requests go on; the formats see to it that these
 * find what is right at any moment, and that a cluster which was freed is not
 * used again before the gate says that nobody can be at it any more. Only what
 * replaces whole tables closes the gate, and is alone then.
 */
#include "block/disk.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/iov.h"
#include "base/math.h"
#include "block/chain.h"
#include "block/fast.h"
#include "block/mutant.h"

static bool is_settled(const struct block *block)
{
	const struct image *top = block->top;

	return !top->ops->is_settled || top->ops->is_settled(top);
}

/* What the images of a disk know of it, and of each other. */
static void adopt(struct block *block)
{
	unsigned int number = 0;

	for (struct image *image = block->top; image; image = image->backing) {
		image->gate = &block->gate;
		image->workers = &block->workers;
		image->data->number = number++;
	}
}

struct block *block_new(struct image *top)
{
	struct block *block = aligned_alloc(GATE_LINE, sizeof(*block));

	if (!block)
		return NULL;
	gate_init(&block->gate);
	pthread_mutex_init(&block->lock, NULL);
	workers_init(&block->workers);
	flush_group_init(&block->flushes);
	block->top = top;
	atomic_init(&block->settled, is_settled(block));
	adopt(block);
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
	int ret;

	workers_fini(&block->workers);
	ret = image_close(block->top);
	flush_group_fini(&block->flushes);
	pthread_mutex_destroy(&block->lock);
	gate_fini(&block->gate);
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

int block_check_range(const struct block *block, uint64_t offset,
		      uint64_t length)
{
	if (!is_aligned(offset | length, BLOCK_SECTOR) ||
	    !range_fits(offset, length, block->top->size))
		return -EINVAL;
	return 0;
}

int block_check_change(const struct block *block, uint64_t offset,
		       uint64_t length)
{
	if (block->top->read_only)
		return -EROFS;
	return block_check_range(block, offset, length);
}

void block_lock(struct block *block)
{
	pthread_mutex_lock(&block->lock);
}

/* Whoever hears that this has ended finds out if a flush has to follow it. */
void block_unlock(struct block *block)
{
	atomic_store(&block->settled, is_settled(block));
	pthread_mutex_unlock(&block->lock);
}

void block_lock_alone(struct block *block)
{
	block_lock(block);
	gate_close(&block->gate);
}

void block_unlock_alone(struct block *block)
{
	gate_open(&block->gate);
	block_unlock(block);
}

bool block_begin(struct block *block, struct block_pass *ret_pass)
{
	return gate_enter(&block->gate, &ret_pass->gate);
}

void block_end(struct block *block, struct block_pass pass)
{
	gate_leave(&block->gate, pass.gate);
}

size_t block_files(struct block *block, const struct file **ret_files,
		   size_t room)
{
	size_t count = 0;

	for (struct image *image = block->top; image; image = image->backing)
		if (count < room)
			ret_files[count++] = image->data;
	return count;
}

struct workers *block_workers(struct block *block)
{
	return &block->workers;
}

int block_next(struct block *block, uint64_t offset, uint64_t length,
	       struct extent *ret_extent)
{
	int ret = length ? block_check_range(block, offset, length) : -EINVAL;

	if (!ret)
		block->top->ops->map(block->top, offset, length, ret_extent);
	return ret;
}

void block_expect(struct block *block, uint64_t offset)
{
	const struct image *top = block->top;

	if (top->ops->expect)
		top->ops->expect(top, offset);
}

/* As much as can be done inside the gate. */
static int read_fast(struct block *block, uint64_t offset, uint64_t length,
		     struct cursor *to, uint64_t *ret_done)
{
	struct block_pass pass;
	int ret;

	*ret_done = 0;
	if (!block_begin(block, &pass))
		return 0;
	ret = block_check_range(block, offset, length);
	if (!ret)
		ret = image_read_fast(block->top, offset, length, to, ret_done);
	block_end(block, pass);
	return ret;
}

/*
 * Brings into memory what the fast path lacks. If it is still @stuck after
 * that - for want of memory, say - does the next part itself.
 */
static int read_slow(struct block *block, uint64_t offset, uint64_t length,
		     bool stuck, struct cursor *to, uint64_t *ret_done)
{
	struct extent extent;
	int ret;

	*ret_done = 0;
	block_lock(block);
	ret = block_check_range(block, offset, length);
	if (!ret)
		ret = image_find(block->top, offset, length, &extent);
	if (!ret && stuck) {
		ret = image_read(block->top, offset, extent.length, to);
		*ret_done = extent.length;
	}
	block_unlock(block);
	return ret;
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
	bool stuck = false;
	uint64_t fast, slow;
	int ret;

	for (;;) {
		ret = read_fast(block, offset, length, to, &fast);
		if (ret || fast == length)
			return ret;
		offset += fast;
		length -= fast;
		ret = read_slow(block, offset, length, stuck && !fast, to,
				&slow);
		if (ret || slow == length)
			return ret;
		offset += slow;
		length -= slow;
		stuck = !slow;
	}
}

int block_write(struct block *block, uint64_t offset, const struct iovec *iov,
		size_t count)
{
	struct cursor from = cursor_make(iov, count);

	return block_write_from(block, offset, iov_length(iov, count), &from);
}

static int write_fast(struct block *block, uint64_t offset, uint64_t length,
		      struct cursor *from, uint64_t *ret_done)
{
	struct block_pass pass;
	int ret;

	*ret_done = 0;
	if (!block_begin(block, &pass))
		return 0;
	ret = block_check_change(block, offset, length);
	if (!ret)
		ret = image_write_fast(block->top, offset, length, from,
				       ret_done);
	block_end(block, pass);
	return ret;
}

int block_write_from(struct block *block, uint64_t offset, uint64_t length,
		     struct cursor *from)
{
	uint64_t done;
	int ret = write_fast(block, offset, length, from, &done);

	if (ret || done == length)
		return ret;
	offset += done;
	length -= done;
	block_lock(block);
	ret = block_check_change(block, offset, length);
	if (!ret)
		ret = image_write(block->top, offset, length, from);
	block_unlock(block);
	return ret;
}

struct file *block_flush_file(struct block *block)
{
	return atomic_load(&block->settled) ? block->top->data : NULL;
}

/* All that waits; without the lock while the files are flushed. */
static int flush_all(struct block *block)
{
	struct image *top = block->top;
	uint64_t time;
	int ret;

	block_lock(block);
	ret = top->ops->write_back(top, &time);
	block_unlock(block);
	if (!ret && !MUTANT(NO_BARRIER_AT_SETTLE))
		ret = image_sync(top);
	if (ret)
		return ret;
	block_lock(block);
	top->ops->written_back(top, time);
	block_unlock(block);
	return 0;
}

static int flush_once(void *context)
{
	struct block *block = context;
	struct file *file = block_flush_file(block);

	if (!file)
		return flush_all(block);
	return MUTANT(NO_BARRIER_IN_PLACE) ? 0 : file_flush(file);
}

int block_flush(struct block *block)
{
	if (block->top->read_only)
		return 0;
	return flush_group_run(&block->flushes, flush_once, block);
}

void block_trim(struct block *block)
{
	struct image *image = block->top;

	if (pthread_mutex_trylock(&block->lock))
		return;
	for (; image; image = image->backing)
		if (image->ops->trim)
			image->ops->trim(image);
	block_unlock(block);
}

void block_statistics(struct block *block,
		      struct block_statistics *ret_statistics)
{
	struct image *image = block->top;

	*ret_statistics = (struct block_statistics){
		.lookups = gate_entered(&block->gate),
	};
	block_lock(block);
	for (; image; image = image->backing)
		if (image->ops->add_statistics)
			image->ops->add_statistics(image, ret_statistics);
	block_unlock(block);
}

int block_discard(struct block *block, uint64_t offset, uint64_t length)
{
	int ret;

	block_lock(block);
	ret = block_check_change(block, offset, length);
	if (!ret && length)
		ret = block->top->ops->discard(block->top, offset, length);
	block_unlock(block);
	return ret;
}

int block_write_zeroes(struct block *block, uint64_t offset, uint64_t length,
		       bool may_unmap)
{
	int ret;

	block_lock(block);
	ret = block_check_change(block, offset, length);
	if (!ret && length)
		ret = block->top->ops->write_zeroes(block->top, offset, length,
						    may_unmap);
	block_unlock(block);
	return ret;
}

void block_map(struct block *block, uint64_t offset, uint64_t length,
	       struct block_extent *ret_extent)
{
	struct extent extent = {
		.kind = BLOCK_EXTENT_UNCACHED,
		.length = length,
	};
	struct block_pass pass;

	if (block_begin(block, &pass)) {
		block->top->ops->map(block->top, offset, length, &extent);
		block_end(block, pass);
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

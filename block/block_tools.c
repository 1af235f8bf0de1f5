/*
 * block/block_tools.c - the calls of image.h that only tools need.
 */
#include "block/disk.h"

#include <errno.h>

#include "block/commit.h"
#include "block/rebase.h"

int block_find(struct block *block, uint64_t offset, uint64_t length,
	       struct extent *ret_extent)
{
	int ret;

	block_lock(block);
	ret = block_check_range(block, offset, length);
	if (!ret)
		ret = image_find(block->top, offset, length, ret_extent);
	block_unlock(block);
	return ret;
}

int block_write_compressed(struct block *block, uint64_t offset,
			   const void *packed, size_t length)
{
	int ret;

	if (!block->top->ops->write_compressed)
		return -ENOTSUP;
	block_lock(block);
	ret = block_check_change(block, offset, 0);
	if (!ret)
		ret = block->top->ops->write_compressed(block->top, offset,
							packed, length);
	block_unlock(block);
	return ret;
}

int block_commit(struct block *block, const struct block_commit *how,
		 struct err *err)
{
	int ret;

	block_lock_alone(block);
	ret = commit_image(block->top, how, err);
	block_unlock_alone(block);
	return ret;
}

int block_rebase(struct block *block, struct image *backing,
		 int (*progress)(void *context, uint64_t done, uint64_t total),
		 void *context)
{
	int ret;

	block_lock_alone(block);
	ret = rebase_image(block->top, backing, progress, context);
	block_unlock_alone(block);
	return ret;
}

int block_resize(struct block *block, uint64_t size, struct err *err)
{
	struct image *top = block->top;
	int ret;

	if (top->read_only)
		return err_set(err, EROFS, "%s is open for reading only",
			       top->name);
	block_lock_alone(block);
	ret = top->ops->resize(top, size, err);
	block_unlock_alone(block);
	return ret;
}

/*
 * block/commit.c - an image's contents into its backing file; see commit.h.
 *
 * Data first, durably, then the image is emptied: as long as it has a cluster
 * that one hides what lies beneath, so at any time the disk reads the same.
 */
#include "block/commit.h"

#include <errno.h>
#include <stdlib.h>

#include "base/math.h"
#include "block/mutant.h"

#define COMMIT_CHUNK (1 * MIB)

static int copy_data(struct image *top, uint64_t offset, uint64_t length,
		     uint8_t *buffer)
{
	struct iovec iov = {buffer, length};
	struct cursor cursor = cursor_make(&iov, 1);
	int ret;

	ret = image_read(top, offset, length, &cursor);
	if (ret)
		return ret;
	cursor = cursor_make(&iov, 1);
	return image_write(top->backing, offset, length, &cursor);
}

/* The front of [offset, top->size); *ret_length says how much that was. */
static int commit_extent(struct image *top, uint64_t offset, uint8_t *buffer,
			 uint64_t *ret_length)
{
	uint64_t length = min_u64(top->size - offset, COMMIT_CHUNK);
	struct extent extent;
	int ret;

	ret = image_find(top, offset, length, &extent);
	if (ret)
		return ret;
	*ret_length = extent.length;
	if (extent.image != top)
		return 0;
	if (extent.kind == BLOCK_EXTENT_ZERO)
		return top->backing->ops->write_zeroes(top->backing, offset,
						       extent.length, true);
	return copy_data(top, offset, extent.length, buffer);
}

static int commit_all(struct image *top,
		      int (*progress)(void *context, uint64_t done,
				      uint64_t total),
		      void *context)
{
	uint8_t *buffer = malloc(COMMIT_CHUNK);
	uint64_t length;
	int ret = buffer ? 0 : -ENOMEM;

	for (uint64_t at = 0; at < top->size && !ret; at += length) {
		ret = commit_extent(top, at, buffer, &length);
		if (!ret && progress)
			ret = progress(context, at + length, top->size);
	}
	free(buffer);
	if (MUTANT(NO_BARRIER_BEFORE_EMPTY))
		return ret;
	return ret ? ret : top->backing->ops->flush(top->backing);
}

int commit_image(struct image *top,
		 int (*progress)(void *context, uint64_t done, uint64_t total),
		 void *context, struct err *err)
{
	struct image *backing = top->backing;
	int ret = 0;

	if (!backing)
		return err_set(err, ENOTSUP, "%s has no backing file",
			       top->name);
	if (top->read_only || backing->read_only)
		return err_set(err, EROFS, "%s is open for reading only",
			       top->read_only ? top->name : backing->name);
	if (backing->size < top->size)
		ret = backing->ops->resize(backing, top->size, err);
	if (ret)
		return ret;
	ret = commit_all(top, progress, context);
	if (ret)
		return err_errno(err, -ret, "cannot commit %s to %s", top->name,
				 backing->name);
	return top->ops->empty(top, err);
}

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

static int copy_data(struct image *top, struct image *base, uint64_t offset,
		     uint64_t length, uint8_t *buffer)
{
	struct iovec iov = {buffer, length};
	struct cursor cursor = cursor_make(&iov, 1);
	int ret;

	ret = image_read(top, offset, length, &cursor);
	if (ret)
		return ret;
	cursor = cursor_make(&iov, 1);
	return image_write(base, offset, length, &cursor);
}

/*
 * Does something above @base say what is there? Where nobody has anything, that
 * may be the end of an image between.
 */
static bool is_above(const struct image *top, const struct image *base,
		     const struct extent *extent, uint64_t offset)
{
	for (; top != base; top = top->backing)
		if (extent->image == top ||
		    (!extent->image && offset >= top->size))
			return true;
	return false;
}

/* The front of [offset, top->size); *ret_length says how much that was. */
static int commit_extent(struct image *top, struct image *base, uint64_t offset,
			 uint8_t *buffer, uint64_t *ret_length)
{
	uint64_t length = min_u64(top->size - offset, COMMIT_CHUNK);
	struct extent extent;
	int ret;

	ret = image_find(top, offset, length, &extent);
	if (ret)
		return ret;
	*ret_length = extent.length;
	if (!is_above(top, base, &extent, offset))
		return 0;
	if (extent.kind == BLOCK_EXTENT_ZERO)
		return base->ops->write_zeroes(base, offset, extent.length,
					       true);
	return copy_data(top, base, offset, extent.length, buffer);
}

static int commit_all(struct image *top, struct image *base,
		      const struct block_commit *how)
{
	uint8_t *buffer = malloc(COMMIT_CHUNK);
	uint64_t length;
	int ret = buffer ? 0 : -ENOMEM;

	for (uint64_t at = 0; at < top->size && !ret; at += length) {
		ret = commit_extent(top, base, at, buffer, &length);
		if (!ret && how->progress)
			ret = how->progress(how->context, at + length,
					    top->size);
	}
	free(buffer);
	if (MUTANT(NO_BARRIER_BEFORE_EMPTY))
		return ret;
	return ret ? ret : base->ops->flush(base);
}

int commit_image(struct image *top, const struct block_commit *how,
		 struct err *err)
{
	struct image *base = top;
	int ret = 0;

	for (unsigned int i = 0; i < how->depth && base; i++)
		base = base->backing;
	if (!base)
		return err_set(err, ENOTSUP, "%s has no such backing file",
			       top->name);
	if (top->read_only || base->read_only)
		return err_set(err, EROFS, "%s is open for reading only",
			       top->read_only ? top->name : base->name);
	if (base->size < top->size)
		ret = base->ops->resize(base, top->size, err);
	if (ret)
		return ret;
	ret = commit_all(top, base, how);
	if (ret)
		return err_errno(err, -ret, "cannot commit %s to %s", top->name,
				 base->name);
	return how->keep || how->depth > 1 ? 0 : top->ops->empty(top, err);
}

/*
 * block/image.c - reading and writing what map() answers; see image.h.
 */
#include "block/image.h"

#include <errno.h>

#include "base/math.h"
#include "block/mutant.h"

int image_close(struct image *image)
{
	struct image *backing;
	int ret = 0, closed;

	for (; image; image = backing) {
		backing = image->backing;
		closed = image->ops->close(image);
		if (!ret)
			ret = closed;
	}
	return ret;
}

int image_sync(struct image *image)
{
	bool apart = image->data != image->file;
	int ret = 0;

	if (apart && !MUTANT(NO_BARRIER_FOR_DATA_FILE))
		ret = file_flush(image->data);
	if (!ret && !(apart && MUTANT(NO_BARRIER_BESIDE_DATA_FILE)))
		ret = file_flush(image->file);
	return ret;
}

/* Of the request's range, which begins at @offset; all but UNCACHED. */
static int extent_read(const struct extent *extent, uint64_t offset,
		       struct cursor *to)
{
	struct image *image = extent->image;

	switch (extent->kind) {
	case BLOCK_EXTENT_DATA:
		return file_read_to(image->data, extent->host_offset,
				    extent->length, to);
	case BLOCK_EXTENT_COMPRESSED:
		return image->ops->inflate(image, offset, extent->length, to);
	default:
		cursor_zero(to, extent->length);
		return 0;
	}
}

int image_read_fast(struct image *image, uint64_t offset, uint64_t length,
		    struct cursor *to, uint64_t *ret_done)
{
	struct extent extent;
	uint64_t done = 0;
	int ret = 0;

	while (done < length) {
		image->ops->map(image, offset + done, length - done, &extent);
		if (extent.kind == BLOCK_EXTENT_UNCACHED)
			break;
		ret = extent_read(&extent, offset + done, to);
		if (ret)
			break;
		done += extent.length;
	}
	*ret_done = done;
	return ret == -EAGAIN ? 0 : ret;
}

int image_write_fast(struct image *image, uint64_t offset, uint64_t length,
		     struct cursor *from, uint64_t *ret_done)
{
	struct extent extent;
	uint64_t done = 0;
	int ret = 0;

	while (done < length) {
		image->ops->map(image, offset + done, length - done, &extent);
		if (!extent.writable_in_place)
			break;
		ret = file_write_from(extent.image->data, extent.host_offset,
				      extent.length, from);
		if (ret)
			break;
		done += extent.length;
	}
	*ret_done = done;
	return ret;
}

int image_find(struct image *image, uint64_t offset, uint64_t length,
	       struct extent *ret_extent)
{
	int ret;

	image->ops->map(image, offset, length, ret_extent);
	if (ret_extent->kind != BLOCK_EXTENT_UNCACHED)
		return 0;
	ret = image->ops->load(image, offset);
	if (ret)
		return ret;
	image->ops->map(image, offset, length, ret_extent);
	return ret_extent->kind == BLOCK_EXTENT_UNCACHED ? -EIO : 0;
}

int image_write(struct image *image, uint64_t offset, uint64_t length,
		struct cursor *from)
{
	uint64_t done;
	int ret = image_write_fast(image, offset, length, from, &done);

	if (ret || done == length)
		return ret;
	return image->ops->write(image, offset + done, length - done, from);
}

int image_read(struct image *image, uint64_t offset, uint64_t length,
	       struct cursor *to)
{
	struct extent extent;
	int ret;

	while (length) {
		ret = image_find(image, offset, length, &extent);
		if (!ret)
			ret = extent_read(&extent, offset, to);
		if (ret)
			return ret;
		offset += extent.length;
		length -= extent.length;
	}
	return 0;
}

int image_read_padded(struct image *image, uint64_t offset, uint64_t length,
		      void *buffer)
{
	struct iovec iov = {buffer, length};
	struct cursor to = cursor_make(&iov, 1);
	uint64_t inside = 0;
	int ret = 0;

	if (offset < image->size)
		inside = min_u64(length, image->size - offset);
	if (inside)
		ret = image_read(image, offset, inside, &to);
	if (!ret)
		cursor_zero(&to, length - inside);
	return ret;
}

bool image_is_zero(struct image *image, uint64_t offset, uint64_t length)
{
	struct extent extent;
	uint64_t end;

	if (offset >= image->size)
		return true;
	end = offset + min_u64(length, image->size - offset);
	for (; offset < end; offset += extent.length) {
		if (image_find(image, offset, end - offset, &extent))
			return false;
		if (extent.kind != BLOCK_EXTENT_ZERO)
			return false;
	}
	return true;
}

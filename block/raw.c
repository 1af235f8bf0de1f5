/*
 * block/raw.c - a raw disk: the file's bytes are the disk's bytes.
 *
 * A raw disk is never looked into: the format is what the user, or the image
 * above it, says. A size that is not a multiple of a sector is rounded up, so
 * that no byte of the file is lost; what is added reads as zeroes, and a write
 * there makes the file longer.
 */
#include "block/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "block/mutant.h"

/* What file systems and disks take back without splitting a page. */
#define RAW_DISCARD_GRANULARITY (4 * KIB)

static void raw_map(struct image *image, uint64_t offset, uint64_t length,
		    struct extent *ret_extent)
{
	*ret_extent = (struct extent){
		.kind = BLOCK_EXTENT_DATA,
		.writable_in_place = !image->read_only,
		.image = image,
		.host_offset = offset,
		.length = length,
	};
}

static int raw_discard(struct image *image, uint64_t offset, uint64_t length)
{
	file_discard(image->file, offset, length);
	return 0;
}

static int raw_write_zeroes(struct image *image, uint64_t offset,
			    uint64_t length, bool may_unmap)
{
	return file_zero(image->file, offset, length, may_unmap);
}

static int raw_flush(struct image *image)
{
	return file_flush(image->file);
}

static int raw_resize(struct image *image, uint64_t size, struct err *err)
{
	int ret;

	if (size > INT64_MAX - BLOCK_SECTOR)
		return err_set(err, EFBIG, "a disk cannot be as large as that");
	ret = file_truncate(image->file, size);
	if (!ret && !MUTANT(NO_BARRIER_AFTER_RAW_SIZE))
		ret = file_flush(image->file);
	if (ret)
		return err_errno(err, -ret, "cannot resize %s", image->name);
	image->size = align_up(size, BLOCK_SECTOR);
	return 0;
}

static int raw_close(struct image *image)
{
	int ret = image->read_only ? 0 : file_flush(image->file);

	file_close(image->file);
	free(image->name);
	free(image);
	return ret;
}

static const struct image_ops raw_ops = {
	.map = raw_map,
	.discard = raw_discard,
	.write_zeroes = raw_write_zeroes,
	.flush = raw_flush,
	.resize = raw_resize,
	.close = raw_close,
};

int raw_open(struct file *file, const struct image_options *options,
	     struct image **ret_image, struct err *err)
{
	uint64_t size = file_size(file);
	struct image *image;

	if (options->data_file)
		return err_set(err, EINVAL,
			       "%s is a raw disk, which has no data file",
			       options->name);
	if (options->snapshot_id)
		return err_set(err, EINVAL,
			       "%s is a raw disk, which has no snapshots",
			       options->name);
	if (size > INT64_MAX - BLOCK_SECTOR)
		return err_set(err, EFBIG, "%s is too large", options->name);
	image = calloc(1, sizeof(*image));
	if (!image)
		return err_set(err, ENOMEM, "out of memory");
	image->ops = &raw_ops;
	image->file = file;
	image->data = file;
	image->size = align_up(size, BLOCK_SECTOR);
	image->discard_granularity = RAW_DISCARD_GRANULARITY;
	image->read_only = options->read_only;
	image->name = strdup(options->name);
	if (!image->name) {
		free(image);
		return err_set(err, ENOMEM, "out of memory");
	}
	*ret_image = image;
	return 0;
}

/*
 * block/chain.c - opening a disk's whole chain of files.
 *
 * Everything is open before the guest starts, and only from the top down:
 * image, backing file, its backing file and so on, each of them read-only but
 * the first (and the second, where a tool asks for it). With "snapshot" that
 * one is read-only too, and a nameless qcow2 overlay lies above it.
 */
#include "block/chain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/math.h"
#include "block/backing.h"
#include "block/qcow2_create.h"

/* Longer chains are slow, and more likely a trap than a wish. */
#define CHAIN_MAX 16

/* QEMU's default; an overlay is short-lived, and nothing else looks at it. */
#define OVERLAY_CLUSTER_BITS	  16
#define OVERLAY_CLUSTER_BITS_HUGE 21

static int open_format(struct file *file, enum block_format format,
		       const struct image_options *options,
		       struct image **ret_image, struct err *err)
{
	if (format == BLOCK_RAW)
		return raw_open(file, options, ret_image, err);
	return qcow2_open(file, options, ret_image, err);
}

/* @name is what messages, and backing files' relative names, go by. */
static int open_image(const char *path, const char *name,
		      enum block_format format,
		      const struct block_options *disk, bool read_only,
		      struct image **ret_image, struct err *err)
{
	struct file_options file_options = {
		.read_only = read_only,
		.direct = disk->cache == BLOCK_DIRECT,
		.no_lock = disk->no_lock,
	};
	struct image_options options = {
		.name = name,
		.read_only = read_only,
		.l2_cache_size = disk->l2_cache_size,
	};
	struct file *file;
	int ret;

	ret = file_open(path, &file_options, &file, err);
	if (ret)
		return ret;
	/* The user names one data file, and one snapshot: the top's. */
	if (path == disk->path)
		options.snapshot_id = disk->snapshot_id;
	if (path == disk->path && disk->data_file)
		ret = file_open(disk->data_file, &file_options,
				&options.data_file, err);
	if (!ret)
		ret = open_format(file, format, &options, ret_image, err);
	if (ret) {
		file_close(options.data_file);
		file_close(file);
		return ret;
	}
	(*ret_image)->explicit_zeroes = disk->explicit_zeroes;
	return 0;
}

static int check_new(const struct image *top, const struct image *image,
		     struct err *err)
{
	unsigned int depth = 1;

	for (; top != image; top = top->backing, depth++)
		if (top->file->device == image->file->device &&
		    top->file->inode == image->file->inode)
			return err_set(err, ELOOP,
				       "%s is a backing file of itself",
				       image->name);
	if (depth > CHAIN_MAX)
		return err_set(err, ELOOP,
			       "a chain of more than %d backing files ends in "
			       "%s",
			       CHAIN_MAX - 1, image->name);
	return 0;
}

/* Opens what @image names, and hangs it below @image. */
static int open_backing(const struct image *top, struct image *image,
			const struct block_options *disk, bool read_only,
			struct err *err)
{
	enum block_format format;
	char *path, *name;
	int ret;

	ret = backing_resolve(image, disk->backing, &path, err);
	if (ret)
		return ret;
	name = backing_path(image->name, image->backing_ref.name);
	if (!name)
		ret = err_set(err, ENOMEM, "out of memory");
	if (image == top && disk->backing_format)
		snprintf(image->backing_ref.format,
			 sizeof(image->backing_ref.format), "%s",
			 disk->backing_format);
	if (!ret)
		ret = backing_format(image, &format, err);
	if (!ret)
		ret = open_image(path, name, format, disk, read_only,
				 &image->backing, err);
	free(name);
	free(path);
	if (ret)
		err_prefix(err, "the backing file of %s", image->name);
	return ret ? ret : check_new(top, image->backing, err);
}

static int open_all_backing(struct image *top, const struct block_options *disk,
			    struct err *err)
{
	unsigned int depth = 0;
	int ret;

	if (disk->backing == BLOCK_BACKING_IGNORED)
		return 0;
	for (struct image *image = top; image->backing_ref.name[0];
	     image = image->backing) {
		ret = open_backing(top, image, disk,
				   ++depth != disk->write_depth, err);
		if (ret)
			return ret;
	}
	return 0;
}

/* Puts an empty image without a name above @base, which becomes its own. */
static int open_overlay(struct image *base, const struct block_options *disk,
			struct image **ret_overlay, struct err *err)
{
	struct qcow2_create_options create = {
		.size = base->size,
		.cluster_bits = OVERLAY_CLUSTER_BITS,
		.version = 3,
		.refcount_order = 4,
		.extended_l2 = true,
	};
	struct image_options options = {
		.name = "the overlay",
		.l2_cache_size = disk->l2_cache_size,
	};
	struct file *file;
	int ret;

	if (qcow2_create_size_max(create.cluster_bits, true) < base->size)
		create.cluster_bits = OVERLAY_CLUSTER_BITS_HUGE;
	ret = file_open_nameless(&file, err);
	if (ret)
		return ret;
	ret = qcow2_create(file, &create, err);
	if (!ret)
		ret = qcow2_open(file, &options, ret_overlay, err);
	if (ret)
		file_close(file);
	else
		(*ret_overlay)->backing = base;
	return ret;
}

static int begin(struct image *top, struct err *err)
{
	int ret = 0;

	if (!top->read_only && top->ops->begin)
		ret = top->ops->begin(top);
	return ret ? err_errno(err, -ret, "cannot write %s", top->name) : 0;
}

int chain_open(const struct block_options *options, struct image **ret_top,
	       struct err *err)
{
	bool read_only = options->read_only || options->snapshot;
	struct image *top, *image;
	int ret;

	ret = open_image(options->path, options->path, options->format, options,
			 read_only, &top, err);
	if (ret)
		return ret;
	ret = open_all_backing(top, options, err);
	if (!ret && options->snapshot && !options->read_only)
		ret = open_overlay(top, options, &top, err);
	for (image = top; !ret && image; image = image->backing)
		ret = begin(image, err);
	if (ret) {
		image_close(top);
		return ret;
	}
	*ret_top = top;
	return 0;
}

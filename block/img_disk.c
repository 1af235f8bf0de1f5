/* block/img_disk.c - see img_disk.h. */
#include "block/img_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/math.h"
#include "base/parse.h"
#include "block/chain.h"
#include "block/img_command.h"
#include "block/img_node.h"
#include "block/qcow2_describe.h"
#include "block/qcow2_format.h"

const char *img_snapshot_value(const struct img_args *args)
{
	static const char *const keys[] = {"snapshot.name=", "snapshot.id="};
	const char *text = img_args_value(args, 'l');

	for (size_t i = 0; text && i < ARRAY_LENGTH(keys); i++)
		if (!strncmp(text, keys[i], strlen(keys[i])))
			return text + strlen(keys[i]);
	return text;
}

int img_format_parse(const char *name, enum block_format *ret_format,
		     struct err *err)
{
	*ret_format = BLOCK_RAW;
	if (!strcmp(name, "qcow2"))
		*ret_format = BLOCK_QCOW2;
	else if (strcmp(name, "raw"))
		return err_set(err, EINVAL, "Unknown file format '%s'", name);
	return 0;
}

const char *img_format_name(enum block_format format)
{
	return format == BLOCK_QCOW2 ? "qcow2" : "raw";
}

int img_cache_parse(const char *mode, struct img_open *open, struct err *err)
{
	static const char *const modes[] = {"none",	  "off",
					    "directsync", "writethrough",
					    "writeback",  "unsafe",
					    NULL};

	for (int i = 0; modes[i]; i++)
		if (!strcmp(mode, modes[i])) {
			open->direct = i < 3;
			open->writethrough = i == 2 || i == 3;
			return 0;
		}
	return parse_unknown(err, "cache mode", mode, modes);
}

static int parse_backing(const char *value, enum block_backing *ret_backing,
			 struct err *err)
{
	static const char *const words[] = {
		[BLOCK_BACKING_NEAR] = "near",
		[BLOCK_BACKING_ON] = "on",
		[BLOCK_BACKING_OFF] = "off",
		NULL,
	};

	for (int i = 0; words[i]; i++)
		if (!strcmp(value, words[i])) {
			*ret_backing = (enum block_backing)i;
			return 0;
		}
	return parse_unknown(err, "--backing", value, words);
}

int img_open_init(struct img_open *open, const struct img_args *args,
		  const char *path, int cache, struct err *err)
{
	const char *mode = img_args_value(args, cache);
	const char *backing = img_args_value(args, IMG_OPTION_BACKING);
	int ret = 0;

	*open = (struct img_open){
		.path = path,
		.typed = true,
		.format = img_args_value(args, 'f'),
		.data_file = img_args_value(args, IMG_OPTION_DATA_FILE),
		.no_lock = img_args_has(args, 'U'),
	};
	if (mode)
		ret = img_cache_parse(mode, open, err);
	if (!ret && backing)
		ret = parse_backing(backing, &open->backing, err);
	return ret;
}

/*
 * By the first bytes: qcow2's magic, however much follows, or else raw.
 * *ret_data_file: it needs a data file.
 */
static int probe(const char *path, enum block_format *ret_format,
		 bool *ret_data_file)
{
	struct qcow2_header header;
	struct iovec iov = {&header, sizeof(header)};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int ret;

	if (fd < 0)
		return -errno;
	ret = fd_readv_at(fd, &iov, 1, 0);
	fd_close(&fd);
	*ret_format = BLOCK_RAW;
	*ret_data_file = false;
	if (ret || be32_get(header.magic) != QCOW2_MAGIC)
		return 0;
	*ret_format = BLOCK_QCOW2;
	*ret_data_file = be32_get(header.version) > 2 &&
			 be64_get(header.incompatible_features) &
				 QCOW2_DATA_FILE;
	return 0;
}

static int find_format(const struct img_open *open,
		       enum block_format *ret_format, bool *ret_data_file,
		       struct err *err)
{
	int ret;

	if (open->format && strcmp(open->format, "qcow2") &&
	    strcmp(open->format, "raw"))
		return err_set(err, EINVAL, "Unknown driver '%s'",
			       open->format);
	/* Also where the format is stated: here a missing file is told of. */
	ret = probe(open->path, ret_format, ret_data_file);
	if (ret)
		return err_errno(err, -ret, "Could not open '%s'", open->path);
	if (open->format)
		return img_format_parse(open->format, ret_format, err);
	return 0;
}

static int open_chain(struct img_disk *disk, struct img_node *node,
		      struct err *err)
{
	const struct img_open *open = &node->open;
	struct block_options options = {
		.path = open->path,
		.cache = open->direct ? BLOCK_DIRECT : BLOCK_WRITEBACK,
		.backing = open->backing,
		.read_only = !open->writable && !open->snapshot,
		.snapshot = open->snapshot,
		.write_depth = open->write_depth,
		.no_lock = open->no_lock,
		.explicit_zeroes = open->explicit_zeroes,
		.backing_format = open->backing_format,
		.data_file = open->data_file,
		.snapshot_id = open->snapshot_id,
		.l2_cache_size = open->l2_cache_size,
	};
	bool needs_data_file = false;
	int ret;

	ret = find_format(open, &options.format, &needs_data_file, err);
	/* Any file will do where none is read. */
	if (open->describe && needs_data_file)
		options.data_file = open->path;
	if (!ret)
		ret = chain_open(&options, &disk->top, err);
	if (ret)
		return ret;
	if (node->blkdebug)
		ret = img_blkdebug_insert(node->blkdebug, disk->top);
	disk->block = ret ? NULL : block_new(disk->top);
	if (!disk->block) {
		image_close(disk->top);
		return err_set(err, ENOMEM, "out of memory");
	}
	disk->size = block_size(disk->block);
	disk->compress = open->compress;
	disk->blkdebug = node->blkdebug;
	node->blkdebug = NULL;
	return 0;
}

/* As it was typed, for messages. */
static const char *open_name(const struct img_open *open)
{
	return open->path ? open->path : open->options;
}

/* What can only be judged when the image is open; closes it if it fails. */
static int check_runtime(struct img_disk *disk, const struct img_node *node,
			 struct err *err)
{
	struct qcow2_description qcow2;
	int ret;

	if (!img_disk_is_qcow2(disk) || qcow2_describe(disk->top, &qcow2))
		return 0;
	ret = img_runtime_check(&node->runtime, qcow2.cluster_size, err);
	if (ret)
		img_disk_close(disk);
	return ret;
}

int img_file_open(const struct img_open *open, struct file **ret_file,
		  enum block_format *ret_format, struct err *err)
{
	struct file_options options = {
		.read_only = !open->writable,
		.no_lock = open->no_lock,
	};
	bool needs_data_file;
	struct img_node node;
	int ret = img_node_init(&node, open, err);

	if (!ret)
		ret = find_format(&node.open, ret_format, &needs_data_file,
				  err);
	if (!ret)
		ret = file_open(node.open.path, &options, ret_file, err);
	if (ret)
		err_prefix(err, "Could not open '%s'", open_name(open));
	img_node_fini(&node);
	return ret;
}

int img_disk_open(struct img_disk *disk, const struct img_open *open,
		  struct err *err)
{
	struct img_node node;
	int ret;

	*disk = (struct img_disk){0};
	ret = img_node_init(&node, open, err);
	if (!ret)
		ret = open_chain(disk, &node, err);
	if (!ret)
		ret = check_runtime(disk, &node, err);
	if (ret && !open->plain)
		err_prefix(err, "Could not open '%s'", open_name(open));
	img_node_fini(&node);
	return ret;
}

int img_disk_close(struct img_disk *disk)
{
	int ret = disk->block ? block_close(disk->block) : 0;

	img_blkdebug_free(disk->blkdebug);
	*disk = (struct img_disk){0};
	return ret;
}

int img_open_operand(struct img_open *open, const struct img_args *args,
		     size_t index, int cache)
{
	struct err err;

	if (img_open_init(open, args, args->operands[index], cache, &err))
		return img_failed("%s", err.text);
	return IMG_OK;
}

int img_disk_begin(struct img_disk *disk, const struct img_open *open)
{
	struct err err;

	if (img_disk_open(disk, open, &err))
		return img_failed("%s", err.text);
	return IMG_OK;
}

int img_disk_finish(struct img_disk *disk, const char *path, int status)
{
	int ret = img_disk_close(disk);

	if (ret && status == IMG_OK)
		return img_failed("error while closing %s: %s", path,
				  strerror(-ret));
	return status;
}

bool img_disk_is_qcow2(const struct img_disk *disk)
{
	return disk->top->ops->write_compressed;
}

/* --- Ranges that are not whole sectors ------------------------------------ */

/* Whole sectors around a range, and their contents. */
struct bounce {
	uint64_t offset;
	size_t length;
	size_t skip; /* to the range */
	uint8_t *data;
};

static int bounce_read(struct img_disk *disk, uint64_t offset, size_t length,
		       struct bounce *bounce)
{
	struct iovec iov;
	int ret;

	bounce->offset = align_down(offset, BLOCK_SECTOR);
	bounce->skip = offset - bounce->offset;
	bounce->length = align_up(bounce->skip + length, BLOCK_SECTOR);
	bounce->data = malloc(bounce->length);
	if (!bounce->data)
		return -ENOMEM;
	iov = (struct iovec){bounce->data, bounce->length};
	ret = block_read(disk->block, bounce->offset, &iov, 1);
	if (ret)
		free(bounce->data);
	return ret;
}

static int bounce_write(struct img_disk *disk, const struct bounce *bounce)
{
	struct iovec iov = {bounce->data, bounce->length};

	return block_write(disk->block, bounce->offset, &iov, 1);
}

static int check_range(const struct img_disk *disk, uint64_t offset,
		       uint64_t length)
{
	return range_fits(offset, length, disk->size) ? 0 : -EIO;
}

int img_disk_read(struct img_disk *disk, uint64_t offset, void *buffer,
		  size_t length)
{
	struct iovec iov = {buffer, length};
	struct bounce bounce;
	int ret = check_range(disk, offset, length);

	if (ret || !length)
		return ret;
	if (is_aligned(offset | length, BLOCK_SECTOR))
		return block_read(disk->block, offset, &iov, 1);
	ret = bounce_read(disk, offset, length, &bounce);
	if (ret)
		return ret;
	memcpy(buffer, bounce.data + bounce.skip, length);
	free(bounce.data);
	return 0;
}

int img_disk_write(struct img_disk *disk, uint64_t offset, const void *buffer,
		   size_t length)
{
	struct iovec iov = {(void *)buffer, length};
	struct bounce bounce;
	int ret = check_range(disk, offset, length);

	if (ret || !length)
		return ret;
	if (is_aligned(offset | length, BLOCK_SECTOR))
		return block_write(disk->block, offset, &iov, 1);
	ret = bounce_read(disk, offset, length, &bounce);
	if (ret)
		return ret;
	memcpy(bounce.data + bounce.skip, buffer, length);
	ret = bounce_write(disk, &bounce);
	free(bounce.data);
	return ret;
}

/* Less than a sector, or none: the part of a range before the first whole one.
 */
static int zero_part(struct img_disk *disk, uint64_t offset, size_t length)
{
	static const uint8_t zeroes[BLOCK_SECTOR];

	return img_disk_write(disk, offset, zeroes, length);
}

static bool is_zero(struct img_disk *disk, uint64_t offset, size_t length)
{
	uint8_t data[BLOCK_SECTOR];

	if (img_disk_read(disk, offset, data, length))
		return false;
	for (size_t i = 0; i < length; i++)
		if (data[i])
			return false;
	return true;
}

/* The whole sectors that a range touches, if what it leaves out is zeroes. */
static void widen(struct img_disk *disk, uint64_t *start, uint64_t *end)
{
	uint64_t first = align_down(*start, BLOCK_SECTOR);
	uint64_t last = align_up(*end, BLOCK_SECTOR);

	if (is_zero(disk, first, *start - first))
		*start = first;
	if (last <= disk->size && is_zero(disk, *end, last - *end))
		*end = last;
}

int img_disk_write_zeroes(struct img_disk *disk, uint64_t offset,
			  uint64_t length, bool may_unmap)
{
	uint64_t end = offset + length, first, last;
	int ret = check_range(disk, offset, length);

	if (ret || !length)
		return ret;
	widen(disk, &offset, &end);
	first = min_u64(align_up(offset, BLOCK_SECTOR), end);
	last = max_u64(align_down(end, BLOCK_SECTOR), first);
	ret = zero_part(disk, offset, first - offset);
	if (!ret && last > first)
		ret = block_write_zeroes(disk->block, first, last - first,
					 may_unmap);
	if (!ret)
		ret = zero_part(disk, last, end - last);
	return ret;
}

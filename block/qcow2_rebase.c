/*
 * block/qcow2_rebase.c - another backing file; see qcow2_rebase.h.
 *
 * The header, its extensions and the name are put together anew and written
 * from the back to the front: first all that lies past the first sector,
 * durably, then that sector, which holds the fixed fields. All extensions are
 * kept as they are but the format's, which goes to the end, so that the others
 * move as little as can be.
 */
#include "block/qcow2_rebase.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2.h"

/* The first cluster, old and new. */
struct rebase {
	struct file *file;
	uint64_t size; /* of a cluster */
	uint8_t *old, *new;
	uint64_t used; /* of new */
};

static bool add(struct rebase *rebase, const void *data, uint64_t length)
{
	if (!range_fits(rebase->used, length, rebase->size))
		return false;
	if (length)
		memcpy(rebase->new + rebase->used, data, length);
	rebase->used += length;
	return true;
}

static bool add_extension(struct rebase *rebase, uint32_t type,
			  const void *data, uint64_t length)
{
	struct qcow2_extension extension = {be32_make(type),
					    be32_make((uint32_t)length)};
	static const uint8_t padding[8];

	return add(rebase, &extension, sizeof(extension)) &&
	       add(rebase, data, length) &&
	       add(rebase, padding, align_up(length, 8) - length);
}

/* All but the format. -EUCLEAN: they do not end inside the cluster. */
static int keep_extensions(struct rebase *rebase, uint64_t at)
{
	struct qcow2_extension extension;
	uint64_t length;
	uint32_t type;

	while (range_fits(at, sizeof(extension), rebase->size)) {
		memcpy(&extension, rebase->old + at, sizeof(extension));
		at += sizeof(extension);
		type = be32_get(extension.type);
		length = be32_get(extension.length);
		if (type == QCOW2_EXTENSION_END)
			return 0;
		if (!range_fits(at, length, rebase->size))
			return -EUCLEAN;
		if (type != QCOW2_EXTENSION_BACKING_FORMAT &&
		    !add_extension(rebase, type, rebase->old + at, length))
			return -ENAMETOOLONG;
		at += align_up(length, 8);
	}
	return 0;
}

static int put_together(struct rebase *rebase, uint64_t header_length,
			const char *backing, const char *format)
{
	struct qcow2_header *header = (struct qcow2_header *)rebase->new;
	uint64_t length = backing ? strlen(backing) : 0;
	int ret;

	add(rebase, rebase->old, header_length);
	ret = keep_extensions(rebase, header_length);
	if (ret)
		return ret;
	if (length && format &&
	    !add_extension(rebase, QCOW2_EXTENSION_BACKING_FORMAT, format,
			   strlen(format)))
		return -ENAMETOOLONG;
	if (!add_extension(rebase, QCOW2_EXTENSION_END, "", 0))
		return -ENAMETOOLONG;
	header->backing_file_offset = be64_make(length ? rebase->used : 0);
	header->backing_file_size = be32_make((uint32_t)length);
	if (length > QCOW2_BACKING_NAME_MAX || !add(rebase, backing, length))
		return -ENAMETOOLONG;
	return 0;
}

/* The rest of the cluster is not touched: it may hold anything. */
static int write_back(struct rebase *rebase)
{
	uint64_t first = min_u64(BLOCK_SECTOR, rebase->used);
	int ret = 0;

	if (rebase->used > first)
		ret = file_write(rebase->file, rebase->new + first,
				 rebase->used - first, first);
	if (!ret)
		ret = file_flush(rebase->file);
	if (!ret)
		ret = file_write(rebase->file, rebase->new, first, 0);
	return ret ? ret : file_flush(rebase->file);
}

static int rebase_run(struct rebase *rebase, const char *backing,
		      const char *format)
{
	const struct qcow2_header *header;
	uint64_t length = QCOW2_V2_LENGTH;
	int ret;

	rebase->old = calloc(1, rebase->size);
	rebase->new = calloc(1, rebase->size);
	if (!rebase->old || !rebase->new)
		return -ENOMEM;
	ret = file_read(rebase->file, rebase->old, rebase->size, 0);
	if (ret)
		return ret;
	header = (const struct qcow2_header *)rebase->old;
	if (be32_get(header->version) > 2)
		length = be32_get(header->header_length);
	ret = put_together(rebase, length, backing, format);
	return ret ? ret : write_back(rebase);
}

static int check_image(const struct qcow2_info *info, const char *image,
		       const char *backing, struct err *err)
{
	if (info->incompatible & (QCOW2_DIRTY | QCOW2_CORRUPT))
		return err_set(err, EUCLEAN,
			       "%s has errors; \"alcor img check -r all\" may "
			       "repair it",
			       image);
	if (backing && info->incompatible & QCOW2_DATA_FILE &&
	    info->autoclear & QCOW2_DATA_FILE_RAW)
		return err_set(err, EINVAL,
			       "%s has a raw data file, which does not go "
			       "together with a backing file",
			       image);
	return 0;
}

int qcow2_rebase(struct file *file, const char *image, const char *backing,
		 const char *format, struct err *err)
{
	struct image_options options = {
		.name = image,
		.read_only = true,
		.for_check = true,
	};
	struct rebase rebase = {.file = file};
	struct qcow2_info info;
	int ret;

	ret = qcow2_header_read(file, &options, &info, err);
	if (!ret)
		ret = check_image(&info, image, backing, err);
	if (ret)
		return ret;
	rebase.size = 1ULL << info.cluster_bits;
	ret = rebase_run(&rebase, backing, format);
	free(rebase.old);
	free(rebase.new);
	if (ret == -ENAMETOOLONG)
		return err_set(err, ENAMETOOLONG,
			       "the header of %s has no room for the name of "
			       "its backing file",
			       image);
	return ret ? err_errno(err, -ret, "cannot write %s", image) : 0;
}

/*
 * block/qcow2_describe.c - see qcow2_describe.h.
 *
 * Lists are bounded before memory is taken for them: the snapshots' by the
 * header's checks, the bitmaps' here. Names may hold any byte but come out as
 * strings that end at the first zero.
 */
#include "block/qcow2_describe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2.h"

#define BITMAPS_MAX	     65535
#define BITMAP_DIRECTORY_MAX (16 * MIB)

/* A text of @length bytes in the file, or NULL if there is no memory. */
static int read_text(struct qcow2 *qcow2, uint64_t offset, size_t length,
		     char **ret_text)
{
	char *text = calloc(1, length + 1);
	int ret;

	if (!text)
		return -ENOMEM;
	ret = file_read(qcow2->image.file, text, length, offset);
	if (ret)
		free(text);
	else
		*ret_text = text;
	return ret;
}

int qcow2_describe(struct image *image, struct qcow2_description *ret)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	struct qcow2_header header;
	uint64_t compatible = 0;
	int error = file_read(image->file, &header, sizeof(header), 0);

	if (error)
		return error;
	if (qcow2->info.version > 2)
		compatible = be64_get(header.compatible_features);
	*ret = (struct qcow2_description){
		.version = qcow2->info.version,
		.cluster_size = qcow2->cluster_size,
		.refcount_bits = 1U << qcow2->info.refcount_order,
		.compression = qcow2->info.compression,
		.lazy_refcounts = compatible & QCOW2_LAZY_REFCOUNTS,
		.dirty = qcow2->info.incompatible & QCOW2_DIRTY,
		.corrupt = qcow2->corrupt ||
			   qcow2->info.incompatible & QCOW2_CORRUPT,
		.extended_l2 = qcow2->info.incompatible & QCOW2_EXTENDED_L2,
	};
	if (qcow2->info.incompatible & QCOW2_DATA_FILE) {
		ret->data_file_raw = be64_get(header.autoclear_features) &
				     QCOW2_DATA_FILE_RAW;
		error = qcow2_extension_find(image->file,
					     be32_get(header.header_length),
					     qcow2->cluster_size,
					     QCOW2_EXTENSION_DATA_FILE,
					     ret->data_file,
					     sizeof(ret->data_file) - 1);
	}
	return error;
}

bool qcow2_is_table(struct image *image, uint64_t offset, uint64_t length)
{
	return image->ops->write_compressed &&
	       qcow2_metadata_overlaps(qcow2_of(image), offset, length);
}

/* --- Snapshots ------------------------------------------------------------ */

/* What follows the fixed part, as far as the entry is long enough for it. */
struct snapshot_extra {
	be64 vm_state_size;
	be64 disk_size;
	be64 icount;
};

static int read_snapshot_extra(struct qcow2 *qcow2, uint64_t offset,
			       size_t length, struct qcow2_snapshot *snapshot)
{
	struct snapshot_extra extra = {.icount = be64_make(UINT64_MAX)};
	int ret = file_read(qcow2->image.file, &extra,
			    min_u64(length, sizeof(extra)), offset);

	snapshot->disk_size = qcow2->image.size;
	if (length >= offsetof(struct snapshot_extra, disk_size))
		snapshot->vm_state_size = be64_get(extra.vm_state_size);
	if (length >= offsetof(struct snapshot_extra, icount))
		snapshot->disk_size = be64_get(extra.disk_size);
	snapshot->icount = be64_get(extra.icount);
	return ret;
}

static int read_snapshot(struct qcow2 *qcow2, uint64_t *offset,
			 struct qcow2_snapshot *snapshot)
{
	struct qcow2_snapshot_header entry;
	size_t extra, id, name;
	uint64_t at = *offset + sizeof(entry);
	int ret;

	ret = file_read(qcow2->image.file, &entry, sizeof(entry), *offset);
	if (ret)
		return ret;
	extra = be32_get(entry.extra_size);
	id = be16_get(entry.id_length);
	name = be16_get(entry.name_length);
	if (extra > QCOW2_SNAPSHOT_EXTRA_MAX ||
	    !range_fits(at, extra + id + name, file_size(qcow2->image.file)))
		return -EUCLEAN;
	*snapshot = (struct qcow2_snapshot){
		.seconds = be32_get(entry.seconds),
		.nanoseconds = be32_get(entry.nanoseconds),
		.guest_nanoseconds = be64_get(entry.guest_nanoseconds),
		.vm_state_size = be32_get(entry.vm_state_size),
		.l1_offset = be64_get(entry.l1_table_offset),
		.l1_size = be32_get(entry.l1_size),
	};
	ret = read_snapshot_extra(qcow2, at, extra, snapshot);
	if (!ret)
		ret = read_text(qcow2, at + extra, id, &snapshot->id);
	if (!ret)
		ret = read_text(qcow2, at + extra + id, name, &snapshot->name);
	*offset = align_up(at + extra + id + name, 8);
	return ret;
}

int qcow2_snapshots_read(struct image *image, struct qcow2_snapshot **ret_list,
			 size_t *ret_count)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	uint64_t offset = qcow2->info.snapshots_offset;
	size_t count = qcow2->info.snapshot_count;
	struct qcow2_snapshot *list = calloc(count + 1, sizeof(*list));
	int ret = list ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && !ret; i++) {
		ret = read_snapshot(qcow2, &offset, &list[i]);
		if (offset - qcow2->info.snapshots_offset >
		    QCOW2_SNAPSHOT_BYTES_MAX)
			ret = -EUCLEAN;
	}
	if (ret) {
		qcow2_snapshots_free(list, list ? count : 0);
		return ret;
	}
	*ret_list = list;
	*ret_count = count;
	return 0;
}

void qcow2_snapshots_free(struct qcow2_snapshot *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(list[i].id);
		free(list[i].name);
	}
	free(list);
}

/* --- Bitmaps -------------------------------------------------------------- */

#define BITMAP_IN_USE (1U << 0)
#define BITMAP_AUTO   (1U << 1)

static int read_bitmap(struct qcow2 *qcow2, uint64_t *offset, uint64_t end,
		       struct qcow2_bitmap *bitmap)
{
	uint64_t at = *offset + sizeof(struct qcow2_bitmap_entry);
	struct qcow2_bitmap_entry entry;
	uint64_t name, extra;
	int ret;

	if (at > end)
		return -EUCLEAN;
	ret = file_read(qcow2->image.file, &entry, sizeof(entry), *offset);
	if (ret)
		return ret;
	extra = be32_get(entry.extra_size);
	name = be16_get(entry.name_length);
	if (!range_fits(at, extra + name, end) || entry.granularity_bits > 63)
		return -EUCLEAN;
	bitmap->granularity = 1ULL << entry.granularity_bits;
	bitmap->in_use = be32_get(entry.flags) & BITMAP_IN_USE;
	bitmap->automatic = be32_get(entry.flags) & BITMAP_AUTO;
	*offset = align_up(at + extra + name, 8);
	return read_text(qcow2, at + extra, name, &bitmap->name);
}

static int find_bitmaps(struct qcow2 *qcow2,
			struct qcow2_bitmaps_extension *ret_extension)
{
	struct qcow2_header header;
	int ret = file_read(qcow2->image.file, &header, sizeof(header), 0);

	*ret_extension =
		(struct qcow2_bitmaps_extension){.count = be32_make(0)};
	/* Without the bit nobody vouches for them. */
	if (ret || qcow2->info.version < 3 ||
	    !(be64_get(header.autoclear_features) & QCOW2_BITMAPS))
		return ret;
	return qcow2_extension_find(qcow2->image.file,
				    be32_get(header.header_length),
				    qcow2->cluster_size,
				    QCOW2_EXTENSION_BITMAPS, ret_extension,
				    sizeof(*ret_extension));
}

int qcow2_bitmaps_read(struct image *image, struct qcow2_bitmap **ret_list,
		       size_t *ret_count)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	struct qcow2_bitmaps_extension extension;
	struct qcow2_bitmap *list;
	uint64_t offset, end;
	size_t count;
	int ret = find_bitmaps(qcow2, &extension);

	if (ret)
		return ret;
	count = be32_get(extension.count);
	offset = be64_get(extension.directory_offset);
	end = be64_get(extension.directory_size);
	if (count > BITMAPS_MAX || end > BITMAP_DIRECTORY_MAX ||
	    !range_fits(offset, end, file_size(image->file)))
		return -EUCLEAN;
	end += offset;
	list = calloc(count + 1, sizeof(*list));
	ret = list ? 0 : -ENOMEM;
	for (size_t i = 0; i < count && !ret; i++)
		ret = read_bitmap(qcow2, &offset, end, &list[i]);
	if (ret) {
		qcow2_bitmaps_free(list, list ? count : 0);
		return ret;
	}
	*ret_list = list;
	*ret_count = count;
	return 0;
}

void qcow2_bitmaps_free(struct qcow2_bitmap *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i].name);
	free(list);
}

/*
 * block/qcow2_resize.c - making the disk larger or smaller, or empty.
 *
 * Larger: a longer L1 table first, if that is needed, then zeroes where a
 * backing file or the rest of the last cluster would show, and a longer data
 * file, all of it durable; then the header's size. Smaller: tables without what
 * is cut off, aside, and the size together with them; then the data file.
 * Either way the size changes in one write.
 *
 * Whole tables are written aside as for snapshots (qcow2_tables.h), with the
 * image settled before and loaded anew after it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/mutant.h"
#include "block/qcow2_tables.h"

static uint64_t l1_needed(const struct qcow2 *qcow2, uint64_t size)
{
	return max_u64(1, div_round_up(size,
				       qcow2->cluster_size << qcow2->l2_bits));
}

static int resize_l1(struct qcow2_tables *tables, uint64_t l1_size)
{
	uint64_t old = tables->info.l1_size;
	be64 *l1 = realloc(tables->l1, (l1_size + 1) * sizeof(*l1));

	if (!l1)
		return -ENOMEM;
	if (l1_size > old)
		memset(l1 + old, 0, (l1_size - old) * sizeof(*l1));
	tables->l1 = l1;
	tables->info.l1_size = l1_size;
	return 0;
}

static int rebuild(struct qcow2_tables *tables, uint64_t l1_size)
{
	struct qcow2_rebuild rebuild = {0};
	int ret;

	ret = qcow2_survey(tables);
	if (!ret && (tables->result.corruptions || tables->unreadable))
		ret = -EUCLEAN;
	if (!ret)
		ret = qcow2_rebuild_init(&rebuild, tables);
	if (!ret)
		ret = resize_l1(tables, l1_size);
	if (!ret)
		ret = qcow2_rebuild_l1(&rebuild, tables->l1, l1_size, true, 1);
	if (!ret)
		ret = qcow2_rebuild_publish(&rebuild);
	if (!ret)
		qcow2_rebuild_reclaim(&rebuild);
	qcow2_rebuild_fini(&rebuild);
	return ret;
}

/*
 * New tables for a disk of this size, of which [0, end) stays allocated; an L1
 * table of that many entries; then load them.
 */
static int change_tables(struct qcow2 *qcow2, uint64_t size, uint64_t end,
			 uint64_t l1_size, struct err *err)
{
	struct qcow2_tables tables;
	int ret;

	ret = qcow2_tables_init(&tables, qcow2->image.file, qcow2->image.name,
				err);
	if (!ret) {
		tables.header.size = be64_make(size);
		tables.end = div_round_up(end, qcow2->cluster_size);
		ret = rebuild(&tables, l1_size);
		if (ret)
			err_errno(err, -ret, "cannot change the tables of %s",
				  qcow2->image.name);
	}
	/* Nobody knows then which tables the file has. */
	if (tables.switching && !MUTANT(SWITCH_IN_DOUBT_FORGOTTEN))
		qcow2->corrupt = true;
	qcow2_tables_fini(&tables);
	return ret ? ret : qcow2_state_reload(qcow2, err);
}

/*
 * A data file reaches as far as the disk, and a raw one no farther: durably. A
 * block device has the size that it has.
 */
static int resize_data_file(struct qcow2 *qcow2, uint64_t size)
{
	struct file *data = qcow2->image.data;
	bool cut = qcow2_data_is_raw(qcow2) && file_size(data) > size;
	int ret;

	if (!qcow2_has_data_file(qcow2) || (!cut && file_size(data) >= size))
		return 0;
	ret = file_truncate(data, size);
	if (cut && ret == -ENOTSUP)
		return 0;
	if (MUTANT(NO_BARRIER_AFTER_DATA_FILE_SIZE))
		return ret;
	return ret ? ret : file_flush(data);
}

/*
 * Zeroes what would otherwise show in [size of now, size): a raw data file may
 * have been longer than the disk. The disk has the new size in memory then.
 */
static int zero_tail(struct qcow2 *qcow2, uint64_t size)
{
	struct image *image = &qcow2->image;
	uint64_t old = image->size;
	uint64_t end = align_up(old, qcow2->cluster_size);
	int ret;

	if (image->backing)
		end = max_u64(end, image->backing->size);
	if (qcow2_data_is_raw(qcow2))
		end = max_u64(end, file_size(image->data));
	end = min_u64(end, size);
	if (end <= old)
		return 0;
	image->size = size;
	ret = qcow2_write_zeroes(image, old, end - old, true);
	if (!ret && !MUTANT(NO_BARRIER_BEFORE_SIZE))
		ret = qcow2_flush(image);
	return ret;
}

static int write_size(struct qcow2 *qcow2, uint64_t size)
{
	be64 field = be64_make(size);
	int ret;

	ret = file_write(qcow2->image.file, &field, sizeof(field),
			 offsetof(struct qcow2_header, size));
	if (!ret && !MUTANT(NO_BARRIER_AFTER_SIZE))
		ret = file_flush(qcow2->image.file);
	if (ret)
		return ret;
	qcow2->image.size = size;
	qcow2->info.size = size;
	return 0;
}

static int grow(struct qcow2 *qcow2, uint64_t size, struct err *err)
{
	uint64_t l1_size = l1_needed(qcow2, size), old = qcow2->image.size;
	int ret = 0;

	if (l1_size > qcow2->l1.count)
		ret = change_tables(qcow2, old, old, l1_size, err);
	if (ret)
		return ret;
	ret = qcow2_cache_grow(&qcow2->l2_cache, qcow2_l2_slices(qcow2, size));
	if (!ret)
		ret = zero_tail(qcow2, size);
	if (!ret)
		ret = resize_data_file(qcow2, size);
	if (!ret)
		ret = write_size(qcow2, size);
	if (!ret)
		return 0;
	if (!MUTANT(NO_UNDO_OF_SIZE))
		qcow2->image.size = old;
	return err_errno(err, -ret, "cannot resize %s", qcow2->image.name);
}

static int shrink(struct qcow2 *qcow2, uint64_t size, struct err *err)
{
	return change_tables(qcow2, size, size, l1_needed(qcow2, size), err);
}

/* Also where the disk has its size already: somebody may not have got so far */
static int finish_shrink(struct qcow2 *qcow2, uint64_t size, struct err *err)
{
	int ret = resize_data_file(qcow2, size);

	return ret ? err_errno(err, -ret, "cannot resize the data file of %s",
			       qcow2->image.name)
		   : 0;
}

static int check_size(const struct qcow2 *qcow2, uint64_t size, struct err *err)
{
	const char *name = qcow2->image.name;

	if (!is_aligned(size, BLOCK_SECTOR))
		return err_set(err, EINVAL,
			       "the new size must be a multiple of %d bytes",
			       BLOCK_SECTOR);
	if (qcow2->info.snapshot_count && qcow2->info.version < 3)
		return err_set(err, ENOTSUP,
			       "%s has snapshots, and version 2 of qcow2 does "
			       "not keep their sizes: it cannot be resized",
			       name);
	if (size > INT64_MAX - BLOCK_SECTOR ||
	    l1_needed(qcow2, size) * sizeof(be64) > QCOW2_L1_BYTES_MAX)
		return err_set(err, EFBIG, "%s cannot be as large as that",
			       name);
	return 0;
}

static int settle(struct qcow2 *qcow2, struct err *err)
{
	int ret = qcow2->corrupt ? -EUCLEAN : qcow2_quiesce(qcow2);

	return ret ? err_errno(err, -ret, "cannot write %s", qcow2->image.name)
		   : 0;
}

int qcow2_resize(struct image *image, uint64_t size, struct err *err)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	int ret;

	ret = check_size(qcow2, size, err);
	if (!ret)
		ret = settle(qcow2, err);
	if (ret)
		return ret;
	if (size > image->size)
		return grow(qcow2, size, err);
	if (size < image->size)
		ret = shrink(qcow2, size, err);
	return ret ? ret : finish_shrink(qcow2, size, err);
}

int qcow2_empty(struct image *image, struct err *err)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	int ret = settle(qcow2, err);

	if (ret)
		return ret;
	return change_tables(qcow2, image->size, 0, qcow2->l1.count, err);
}

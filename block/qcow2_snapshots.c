/*
 * block/qcow2_snapshots.c - internal snapshots; see qcow2_snapshots.h.
 *
 * A snapshot is an L1 table of its own; each reference from it counts. So
 * creating one adds the references of the active table once more, deleting one
 * takes its references back, and applying one does both. The new counts, the
 * COPIED flags that follow from them, and the new lists are written aside and
 * published together (qcow2_rebuild.c).
 *
 * Bitmaps stay valid but where the disk's contents change: then nobody vouches
 * for them any more, and their clusters are free.
 */
#include "block/qcow2_snapshots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2_tables.h"

struct change {
	struct qcow2_tables tables;
	struct qcow2_rebuild rebuild;
	const char *name; /* of the snapshot, perhaps its id */
};

static int change_init(struct change *change, struct file *file,
		       const char *image, const char *name, struct err *err)
{
	int ret;

	*change = (struct change){.name = name};
	ret = qcow2_tables_init_sound(&change->tables, file, image, err);
	if (!ret && change->tables.has_data_file)
		ret = err_set(err, ENOTSUP,
			      "%s keeps its data in another file, which goes "
			      "not together with snapshots",
			      image);
	return ret;
}

static void change_fini(struct change *change)
{
	qcow2_rebuild_fini(&change->rebuild);
	qcow2_tables_fini(&change->tables);
}

/* Finds, counts and publishes; @apply says what changes in between. */
static int change_run(struct change *change,
		      int (*apply)(struct change *change), const char *verb,
		      struct err *err)
{
	const char *image = change->tables.name;
	int ret;

	ret = qcow2_rebuild_init(&change->rebuild, &change->tables);
	if (!ret)
		ret = apply(change);
	if (!ret)
		ret = qcow2_rebuild_publish(&change->rebuild);
	if (!ret)
		qcow2_rebuild_reclaim(&change->rebuild);
	if (ret == -ENOENT)
		return err_set(err, ENOENT, "%s has no snapshot \"%s\"", image,
			       change->name);
	if (ret == -ERANGE)
		return err_set(
			err, ERANGE,
			"%s has refcounts of %d bits, too narrow for one "
			"more snapshot",
			image, 1 << change->tables.info.refcount_order);
	return ret ? err_errno(err, -ret, "cannot %s a snapshot of %s", verb,
			       image)
		   : 0;
}

static int change_image(struct file *file, const char *image, const char *name,
			int (*apply)(struct change *change), const char *verb,
			struct err *err)
{
	struct change change;
	int ret;

	ret = change_init(&change, file, image, name, err);
	if (!ret)
		ret = change_run(&change, apply, verb, err);
	change_fini(&change);
	return ret;
}

/* --- Create --------------------------------------------------------------- */

/* Both L1 tables lead to the same L2 tables, which say COPIED nowhere. */
static int create(struct change *change)
{
	struct qcow2_tables *tables = &change->tables;
	struct qcow2_snapshot_table *snapshots = &tables->snapshots;
	uint64_t l1_size = tables->info.l1_size, offset;
	int ret;

	ret = qcow2_snapshot_table_append(snapshots, change->name,
					  tables->info.size);
	if (!ret)
		ret = qcow2_survey_l1(tables, tables->l1, l1_size, 1);
	if (!ret)
		ret = qcow2_rebuild_l1(&change->rebuild, tables->l1, l1_size,
				       true, 2);
	if (!ret)
		ret = qcow2_rebuild_write(&change->rebuild, tables->l1,
					  l1_size * sizeof(be64), &offset);
	if (!ret)
		qcow2_snapshot_table_set_l1(snapshots, snapshots->count - 1,
					    offset, l1_size);
	return ret;
}

int qcow2_snapshot_create(struct file *file, const char *image,
			  const char *name, struct err *err)
{
	return change_image(file, image, name, create, "create", err);
}

/* --- Delete --------------------------------------------------------------- */

static int drop_references(struct qcow2_tables *tables,
			   const struct qcow2_snapshot_entry *snapshot)
{
	be64 *l1;
	int ret;

	ret = qcow2_tables_read_l1(tables, snapshot->l1_offset,
				   snapshot->l1_size, &l1);
	if (ret)
		return ret;
	ret = qcow2_survey_l1(tables, l1, snapshot->l1_size, -1);
	free(l1);
	if (ret)
		return ret;
	return qcow2_survey_add(tables, snapshot->l1_offset,
				snapshot->l1_size * sizeof(be64), -1);
}

static int delete (struct change *change)
{
	struct qcow2_tables *tables = &change->tables;
	struct qcow2_snapshot_table *snapshots = &tables->snapshots;
	struct qcow2_snapshot_entry snapshot;
	uint64_t index;
	int ret;

	index = qcow2_snapshot_table_find_name(snapshots, change->name);
	if (index == snapshots->count)
		index = qcow2_snapshot_table_find_id(snapshots, change->name);
	if (index == snapshots->count)
		return -ENOENT;
	snapshot = qcow2_snapshot_table_get(snapshots, index);
	ret = drop_references(tables, &snapshot);
	if (ret)
		return ret;
	qcow2_snapshot_table_remove(snapshots, index);
	return qcow2_rebuild_l1(&change->rebuild, tables->l1,
				tables->info.l1_size, true, 1);
}

int qcow2_snapshot_delete(struct file *file, const char *image,
			  const char *id_or_name, struct err *err)
{
	return change_image(file, image, id_or_name, delete, "delete", err);
}

/* --- Apply ---------------------------------------------------------------- */

/* The disk's size is the snapshot's, and its L1 table long enough for it. */
static int take_over(struct qcow2_tables *tables,
		     const struct qcow2_snapshot_entry *snapshot)
{
	uint64_t size = snapshot->disk_size ? snapshot->disk_size
					    : tables->info.size;
	uint64_t covers = qcow2_l2_covers(tables->info.cluster_bits,
					  tables->entry_words > 1);
	uint64_t l1_size = max_u64(snapshot->l1_size,
				   div_round_up(size, covers));
	be64 *old, *l1;
	int ret;

	if (l1_size * sizeof(be64) > QCOW2_L1_BYTES_MAX || size > INT64_MAX)
		return -EFBIG;
	l1 = calloc(l1_size + 1, sizeof(be64));
	if (!l1)
		return -ENOMEM;
	ret = qcow2_tables_read_l1(tables, snapshot->l1_offset,
				   snapshot->l1_size, &old);
	if (ret) {
		free(l1);
		return ret;
	}
	memcpy(l1, old, snapshot->l1_size * sizeof(be64));
	free(old);
	free(tables->l1);
	tables->l1 = l1;
	tables->info.l1_size = l1_size;
	tables->header.size = be64_make(size);
	return 0;
}

static int drop_range(void *context, uint64_t offset, uint64_t length)
{
	return qcow2_survey_add(context, offset, length, -1);
}

static int drop_bitmaps(struct qcow2_tables *tables)
{
	int ret = qcow2_bitmap_walk(tables, drop_range, tables);

	tables->info.autoclear &= ~QCOW2_BITMAPS;
	return ret;
}

static int apply(struct change *change)
{
	struct qcow2_tables *tables = &change->tables;
	struct qcow2_snapshot_entry snapshot;
	uint64_t index = qcow2_snapshot_table_find(&tables->snapshots,
						   change->name);
	int ret;

	if (index == tables->snapshots.count)
		return -ENOENT;
	snapshot = qcow2_snapshot_table_get(&tables->snapshots, index);
	ret = qcow2_survey_l1(tables, tables->l1, tables->info.l1_size, -1);
	if (!ret)
		ret = take_over(tables, &snapshot);
	if (!ret)
		ret = qcow2_survey_l1(tables, tables->l1, tables->info.l1_size,
				      1);
	if (!ret)
		ret = drop_bitmaps(tables);
	if (ret)
		return ret;
	return qcow2_rebuild_l1(&change->rebuild, tables->l1,
				tables->info.l1_size, true, 1);
}

int qcow2_snapshot_apply(struct file *file, const char *image,
			 const char *id_or_name, struct err *err)
{
	return change_image(file, image, id_or_name, apply, "apply", err);
}

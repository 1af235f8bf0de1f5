/*
 * block/qcow2_survey.c - counting what an image's tables refer to; see
 * qcow2_tables.h.
 *
 * Findings and counts are those of "qemu-img check", so that the two can be
 * compared, but that a fault in an L2 table that several L1 tables lead to is
 * told once. So work grows with what there is: each table is read once, however
 * many snapshots share it, and counted as often as it is referred to. For that
 * the L1 tables are walked twice: to count the L2 tables, then to look into
 * them.
 */
#include "block/qcow2_survey.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define L1_RESERVED 0x7f000000000001ffULL

/* References to an L2 table are counted in 32 bits. */
#define ROOT_ORDER 5

/* --- L1 tables ------------------------------------------------------------ */

/* The first walk. What is wrong with the L1 entry is found here. */
static int count_l2(struct survey *survey, uint64_t entry)
{
	struct qcow2_tables *tables = survey->tables;
	uint64_t offset = entry & QCOW2_OFFSET_MASK, cluster, times;
	int ret;

	if (entry & L1_RESERVED)
		qcow2_survey_fault(
			survey,
			"ERROR found L1 entry with reserved bits set: %" PRIx64,
			entry);
	ret = qcow2_survey_range(survey, offset, tables->cluster_size);
	if (!is_aligned(offset, tables->cluster_size))
		qcow2_survey_fault(survey,
				   "ERROR l2_offset=%" PRIx64
				   ": Table is not cluster "
				   "aligned; L1 entry corrupted",
				   offset);
	cluster = offset >> tables->info.cluster_bits;
	if (ret || !is_aligned(offset, tables->cluster_size) ||
	    cluster >= survey->roots.clusters)
		return ret;
	times = qcow2_counts_get(&survey->roots, cluster);
	if (times == qcow2_counts_max(&survey->roots))
		return -EFBIG;
	return qcow2_counts_set(&survey->roots, cluster, times + 1);
}

/* The second walk: all references to an L2 table at once. */
static int look_into_l2(struct survey *survey, uint64_t guest, uint64_t entry)
{
	struct qcow2_tables *tables = survey->tables;
	uint64_t offset = entry & QCOW2_OFFSET_MASK;
	uint64_t cluster = offset >> tables->info.cluster_bits, times;
	int ret;

	if (!is_aligned(offset, tables->cluster_size))
		return qcow2_survey_l2(survey, guest, offset);
	times = qcow2_counts_get(&survey->roots, cluster);
	if (!times)
		return 0;
	qcow2_counts_set(&survey->roots, cluster, 0);
	survey->times = times;
	ret = qcow2_survey_l2(survey, guest, offset);
	survey->times = 1;
	return ret;
}

static int visit_l1_entry(void *context, uint64_t index, uint64_t entry)
{
	struct survey *survey = context;
	const struct qcow2_tables *tables = survey->tables;
	uint64_t guest = index * tables->l2_entries;
	bool is_cut = !qcow2_survey_is_cut(survey, guest) &&
		      qcow2_survey_is_cut(survey,
					  guest + tables->l2_entries - 1);

	if (qcow2_survey_is_cut(survey, guest) ||
	    (survey->silent && qcow2_tables_is_lost_l1(tables, entry)))
		return 0;
	/* A table that is cut through is another one for those that are not. */
	if (is_cut && survey->into)
		return qcow2_survey_l2(survey, guest,
				       entry & QCOW2_OFFSET_MASK);
	if (is_cut)
		return qcow2_survey_range(survey, entry & QCOW2_OFFSET_MASK,
					  tables->cluster_size);
	return survey->into ? look_into_l2(survey, guest, entry)
			    : count_l2(survey, entry);
}

static int walk_active(struct survey *survey, const be64 *l1, uint64_t size)
{
	return qcow2_tables_walk(survey->tables, l1, 0, size, visit_l1_entry,
				 survey);
}

/* --- Snapshots ------------------------------------------------------------ */

static bool is_misplaced(const struct survey *survey,
			 const struct qcow2_snapshot_entry *snapshot)
{
	return !is_aligned(snapshot->l1_offset, survey->tables->cluster_size) ||
	       snapshot->l1_size * sizeof(be64) > QCOW2_L1_BYTES_MAX;
}

static int count_snapshot(struct survey *survey,
			  const struct qcow2_snapshot_entry *snapshot)
{
	if (is_misplaced(survey, snapshot)) {
		qcow2_survey_fault(
			survey,
			"ERROR snapshot %.*s (%.*s) l1_offset=%#" PRIx64
			": L1 table is not where it can be",
			(int)snapshot->id_length, snapshot->id,
			(int)snapshot->name_length, snapshot->name,
			snapshot->l1_offset);
		return survey->silent ? -EUCLEAN : 0;
	}
	return qcow2_survey_range(survey, snapshot->l1_offset,
				  snapshot->l1_size * sizeof(be64));
}

static int walk_snapshot(struct survey *survey,
			 const struct qcow2_snapshot_entry *snapshot)
{
	int ret = 0;

	if (!survey->into)
		ret = count_snapshot(survey, snapshot);
	if (ret || is_misplaced(survey, snapshot))
		return ret;
	ret = qcow2_tables_walk(survey->tables, NULL, snapshot->l1_offset,
				snapshot->l1_size, visit_l1_entry, survey);
	/* The host's, which the first walk will have told. */
	if (ret != -EIO || (survey->into && survey->tables->unreadable))
		return ret == -EIO ? 0 : ret;
	return qcow2_survey_unreadable(survey, "L1");
}

static int walk_snapshots(struct survey *survey)
{
	const struct qcow2_snapshot_table *snapshots =
		&survey->tables->snapshots;
	struct qcow2_snapshot_entry snapshot;
	int ret = 0;

	if (survey->tables->has_data_file && snapshots->count && !survey->into)
		qcow2_survey_fault(survey,
				   "ERROR %" PRIu64
				   " snapshots in image with data "
				   "file",
				   snapshots->count);
	for (uint64_t i = 0; i < snapshots->count && !ret; i++) {
		snapshot = qcow2_snapshot_table_get(snapshots, i);
		ret = walk_snapshot(survey, &snapshot);
	}
	return ret;
}

/* Twice: see above. */
static int walk_trees(struct survey *survey, const be64 *l1, uint64_t size,
		      bool snapshots)
{
	struct qcow2_tables *tables = survey->tables;
	bool active = survey->active;
	int ret;

	survey->times = 1;
	survey->l2 = malloc(tables->cluster_size);
	ret = qcow2_tables_count(tables, ROOT_ORDER, &survey->roots);
	if (!survey->l2)
		ret = -ENOMEM;
	for (int i = 0; i < 2 && !ret; i++) {
		survey->into = i;
		survey->active = active;
		ret = walk_active(survey, l1, size);
		survey->active = false;
		if (!ret && snapshots)
			ret = walk_snapshots(survey);
	}
	qcow2_counts_fini(&survey->roots);
	free(survey->l2);
	return ret;
}

int qcow2_survey_l1(struct qcow2_tables *tables, const be64 *l1,
		    uint64_t l1_size, int delta)
{
	struct survey survey = {
		.tables = tables,
		.delta = delta,
		.silent = true,
	};

	return walk_trees(&survey, l1, l1_size, false);
}

int qcow2_survey_add(struct qcow2_tables *tables, uint64_t offset,
		     uint64_t length, int delta)
{
	struct survey survey = {
		.tables = tables,
		.delta = delta,
		.times = 1,
		.silent = true,
	};

	return qcow2_survey_range(&survey, offset, length);
}

/* --- All of it ------------------------------------------------------------ */

/* Refcount blocks count themselves. */
static int survey_blocks(struct survey *survey)
{
	struct qcow2_tables *tables = survey->tables;
	uint64_t entry, offset, count;
	int ret;

	for (uint64_t i = 0; i < tables->reftable_count; i++) {
		entry = be64_get(tables->reftable[i]);
		offset = entry & QCOW2_REFTABLE_MASK;
		if (!entry)
			continue;
		if (!is_aligned(entry, tables->cluster_size)) {
			qcow2_survey_fault(
				survey,
				"ERROR refcount table entry %" PRIu64
				" is not cluster aligned or has reserved "
				"bits set",
				i);
			continue;
		}
		if (offset >> tables->info.cluster_bits >=
		    tables->counts.clusters) {
			qcow2_survey_fault(survey,
					   "ERROR refcount block %" PRIu64
					   " is outside image",
					   i);
			continue;
		}
		ret = qcow2_survey_range(survey, offset, tables->cluster_size);
		if (ret)
			return ret;
		count = qcow2_counts_get(&tables->counts,
					 offset >> tables->info.cluster_bits);
		if (count != 1)
			qcow2_survey_fault(survey,
					   "ERROR refcount block %" PRIu64
					   " refcount=%" PRIu64,
					   i, count);
	}
	return 0;
}

static int visit_range(void *context, uint64_t offset, uint64_t length)
{
	return qcow2_survey_range(context, offset, length);
}

int qcow2_survey(struct qcow2_tables *tables)
{
	const struct qcow2_info *info = &tables->info;
	struct survey survey = {
		.tables = tables,
		.delta = 1,
		.times = 1,
		.active = true,
	};
	int ret;

	tables->result.total_clusters = div_round_up(info->size,
						     tables->cluster_size);
	ret = qcow2_survey_range(&survey, 0, tables->cluster_size);
	if (!ret)
		ret = qcow2_survey_range(&survey, info->l1_offset,
					 info->l1_size * sizeof(be64));
	if (!ret)
		ret = walk_trees(&survey, tables->l1, info->l1_size, true);
	if (!ret)
		ret = qcow2_survey_range(&survey, info->snapshots_offset,
					 tables->snapshots.length);
	if (!ret)
		ret = qcow2_survey_range(&survey, info->reftable_offset,
					 tables->reftable_count * sizeof(be64));
	if (!ret)
		ret = qcow2_bitmap_walk(tables, visit_range, &survey);
	return ret ? ret : survey_blocks(&survey);
}

int qcow2_survey_guest(struct qcow2_tables *tables)
{
	struct survey survey = {
		.tables = tables,
		.delta = 1,
		.times = 1,
		.silent = true,
		.active = true,
	};
	int ret;

	ret = qcow2_survey_range(&survey, 0, tables->cluster_size);
	if (!ret)
		ret = walk_trees(&survey, tables->l1, tables->info.l1_size,
				 true);
	return ret ? ret : qcow2_bitmap_walk(tables, visit_range, &survey);
}

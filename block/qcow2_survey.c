/*
 * block/qcow2_survey.c - counting what an image's tables refer to; see
 * qcow2_tables.h.
 *
 * Findings and counts are those of "qemu-img check", so that the two can be
 * compared. Work is bounded by the real file: an L1 table that refers to more
 * L2 tables than the file has clusters is not followed further.
 */
#include "block/qcow2_tables.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define L1_RESERVED   0x7f000000000001ffULL
#define L2_RESERVED   0x3f000000000001feULL
#define ALL_ALLOCATED 0xffffffffULL

/* A walk over the image. */
struct survey {
	struct qcow2_tables *tables;
	int delta;
	bool silent;	    /* what is wrong is not counted and not told */
	bool active;	    /* this is the active L1 table's part of it */
	uint64_t guest;	    /* cluster of the disk that comes next */
	uint64_t next_host; /* what would follow the last data cluster */
	be64 *l2;	    /* room for a table */
};

__attribute__((format(printf, 2, 3))) static void find_fault(
	struct survey *survey, const char *format, ...)
{
	char line[256];
	va_list args;

	if (survey->silent)
		return;
	survey->tables->result.corruptions++;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	qcow2_tables_tell(survey->tables, "%s", line);
}

static int count_cluster(struct survey *survey, uint64_t cluster)
{
	struct qcow2_counts *counts = &survey->tables->counts;
	uint64_t count = qcow2_counts_get(counts, cluster);
	uint64_t end = survey->delta > 0 ? qcow2_counts_max(counts) : 0;

	if (count != end) {
		qcow2_counts_set(counts, cluster,
				 count + (uint64_t)survey->delta);
		return 0;
	}
	if (survey->silent)
		return -ERANGE;
	find_fault(survey, "ERROR overflow cluster offset=%#" PRIx64,
		   cluster << counts->cluster_bits);
	return 0;
}

static int count_range(struct survey *survey, uint64_t offset, uint64_t length)
{
	struct qcow2_counts *counts = &survey->tables->counts;
	uint64_t last;
	int ret;

	if (!length)
		return 0;
	if (qcow2_tables_is_outside(survey->tables, offset, length)) {
		find_fault(
			survey,
			"ERROR: counting reference for region exceeding the end of "
			"the file by one cluster or more: offset %#" PRIx64
			" size %#" PRIx64,
			offset, length);
		return 0;
	}
	last = (offset + length - 1) >> counts->cluster_bits;
	ret = qcow2_counts_grow(counts, last + 1);
	for (uint64_t i = offset >> counts->cluster_bits; i <= last && !ret;
	     i++)
		ret = count_cluster(survey, i);
	return ret;
}

/* --- L2 tables ------------------------------------------------------------ */

static int survey_compressed(struct survey *survey, struct qcow2_entry entry)
{
	struct qcow2_check_result *result = &survey->tables->result;
	uint64_t offset, length;

	qcow2_tables_compressed(survey->tables, entry.word, &offset, &length);
	if (entry.word & QCOW2_COPIED)
		find_fault(survey,
			   "ERROR: coffset=%#" PRIx64
			   ": copied flag must never be "
			   "set for compressed clusters",
			   offset);
	if (!survey->silent &&
	    (survey->tables->has_data_file || entry.bitmap)) {
		find_fault(survey,
			   "ERROR compressed cluster with %s, entry=%#" PRIx64,
			   survey->tables->has_data_file
				   ? "data file"
				   : "non-zero subcluster allocation bitmap",
			   entry.word);
		return 0;
	}
	if (survey->active && !survey->silent) {
		result->allocated_clusters++;
		result->compressed_clusters++;
		result->fragmented_clusters++;
	}
	return count_range(survey, offset, length);
}

static int survey_cluster(struct survey *survey, struct qcow2_entry entry)
{
	struct qcow2_tables *tables = survey->tables;
	uint64_t offset = entry.word & QCOW2_OFFSET_MASK;

	if (qcow2_tables_is_bitmap_wrong(entry)) {
		find_fault(survey,
			   "ERROR offset=%#" PRIx64 ": Allocated cluster with "
			   "corrupted subcluster allocation bitmap",
			   offset);
		return 0;
	}
	if (!is_aligned(offset, tables->cluster_size))
		find_fault(survey,
			   "ERROR offset=%" PRIx64
			   ": %s cluster is not properly "
			   "aligned; L2 entry corrupted.",
			   offset,
			   entry.word & QCOW2_ZERO_FLAG ? "Preallocated"
							: "Data");
	if (survey->active && !survey->silent) {
		tables->result.allocated_clusters++;
		if (survey->next_host && offset != survey->next_host)
			tables->result.fragmented_clusters++;
		survey->next_host = offset + tables->cluster_size;
	}
	if (tables->has_data_file)
		return 0;
	return count_range(survey, offset, tables->cluster_size);
}

static int survey_entry(struct survey *survey, struct qcow2_entry entry)
{
	if (survey->silent && qcow2_tables_is_lost(survey->tables, entry))
		return 0;
	if (entry.word & QCOW2_COMPRESSED_FLAG)
		return survey_compressed(survey, entry);
	if (entry.word & L2_RESERVED)
		find_fault(
			survey,
			"ERROR found l2 entry with reserved bits set: %" PRIx64,
			entry.word);
	if (qcow2_tables_has_cluster(survey->tables, entry))
		return survey_cluster(survey, entry);
	if (entry.bitmap & ALL_ALLOCATED)
		find_fault(survey, "ERROR Unallocated cluster has non-zero "
				   "subcluster allocation map");
	return 0;
}

/* --- L1 tables ------------------------------------------------------------ */

static int cannot_read(struct survey *survey, const char *what)
{
	if (survey->silent)
		return -EIO;
	survey->tables->result.check_errors++;
	survey->tables->unreadable++;
	qcow2_tables_tell(survey->tables,
			  "ERROR: I/O error while reading an "
			  "%s table",
			  what);
	return 0;
}

/* Is this cluster of the disk not in the new state? */
static bool is_cut_off(const struct survey *survey, uint64_t guest)
{
	return survey->active && survey->silent && guest >= survey->tables->end;
}

static int survey_l2(struct survey *survey, uint64_t offset)
{
	struct qcow2_tables *tables = survey->tables;
	struct qcow2_entry entry;
	int ret;

	if (file_read(tables->file, survey->l2, tables->cluster_size, offset))
		return cannot_read(survey, "L2");
	survey->next_host = 0;
	for (uint64_t i = 0; i < tables->l2_entries; i++) {
		entry = qcow2_tables_entry(tables, survey->l2, i);
		if ((!entry.word && !entry.bitmap) ||
		    is_cut_off(survey, survey->guest + i))
			continue;
		ret = survey_entry(survey, entry);
		if (ret)
			return ret;
	}
	return 0;
}

static int survey_l1_entry(struct survey *survey, uint64_t entry)
{
	struct qcow2_tables *tables = survey->tables;
	uint64_t offset = entry & QCOW2_OFFSET_MASK;
	int ret;

	if (survey->silent && qcow2_tables_is_lost_l1(tables, entry))
		return 0;
	if (entry & L1_RESERVED)
		find_fault(
			survey,
			"ERROR found L1 entry with reserved bits set: %" PRIx64,
			entry);
	ret = count_range(survey, offset, tables->cluster_size);
	if (ret)
		return ret;
	if (!is_aligned(offset, tables->cluster_size))
		find_fault(survey,
			   "ERROR l2_offset=%" PRIx64 ": Table is not cluster "
			   "aligned; L1 entry corrupted",
			   offset);
	return survey_l2(survey, offset);
}

static int survey_tree(struct survey *survey, const be64 *l1, uint64_t size)
{
	struct qcow2_tables *tables = survey->tables;
	uint64_t entry, followed = 0;
	int ret = 0;

	survey->l2 = malloc(tables->cluster_size);
	if (!survey->l2)
		return -ENOMEM;
	for (uint64_t i = 0; i < size && !ret; i++) {
		entry = be64_get(l1[i]);
		survey->guest = i * tables->l2_entries;
		if (!entry || is_cut_off(survey, survey->guest))
			continue;
		if (followed++ > tables->clusters) {
			find_fault(survey,
				   "ERROR L1 table with more entries than "
				   "the file has clusters");
			ret = survey->silent ? -EFBIG : 0;
			break;
		}
		ret = survey_l1_entry(survey, entry);
	}
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

	return survey_tree(&survey, l1, l1_size);
}

int qcow2_survey_add(struct qcow2_tables *tables, uint64_t offset,
		     uint64_t length, int delta)
{
	struct survey survey = {
		.tables = tables,
		.delta = delta,
		.silent = true,
	};

	return count_range(&survey, offset, length);
}

/* --- All of it ------------------------------------------------------------ */

static int survey_snapshot(struct survey *survey,
			   const struct qcow2_snapshot_entry *snapshot)
{
	be64 *l1;
	int ret;

	if (!is_aligned(snapshot->l1_offset, survey->tables->cluster_size) ||
	    snapshot->l1_size * sizeof(be64) > QCOW2_L1_BYTES_MAX) {
		find_fault(survey,
			   "ERROR snapshot %.*s (%.*s) l1_offset=%#" PRIx64
			   ": L1 table is not where it can be",
			   (int)snapshot->id_length, snapshot->id,
			   (int)snapshot->name_length, snapshot->name,
			   snapshot->l1_offset);
		return survey->silent ? -EUCLEAN : 0;
	}
	ret = count_range(survey, snapshot->l1_offset,
			  snapshot->l1_size * sizeof(be64));
	if (ret)
		return ret;
	ret = qcow2_tables_read_l1(survey->tables, snapshot->l1_offset,
				   snapshot->l1_size, &l1);
	if (ret)
		return ret == -ENOMEM ? ret : cannot_read(survey, "L1");
	ret = survey_tree(survey, l1, snapshot->l1_size);
	free(l1);
	return ret;
}

static int survey_snapshots(struct survey *survey)
{
	struct qcow2_tables *tables = survey->tables;
	struct qcow2_snapshot_entry snapshot;
	int ret = 0;

	if (tables->has_data_file && tables->snapshots.count)
		find_fault(survey,
			   "ERROR %" PRIu64 " snapshots in image with data "
			   "file",
			   tables->snapshots.count);
	for (uint64_t i = 0; i < tables->snapshots.count && !ret; i++) {
		snapshot = qcow2_snapshot_table_get(&tables->snapshots, i);
		ret = survey_snapshot(survey, &snapshot);
	}
	return ret;
}

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
			find_fault(survey,
				   "ERROR refcount table entry %" PRIu64
				   " is not cluster aligned or has reserved "
				   "bits set",
				   i);
			continue;
		}
		if (offset >> tables->info.cluster_bits >=
		    tables->counts.clusters) {
			find_fault(survey,
				   "ERROR refcount block %" PRIu64
				   " is outside image",
				   i);
			continue;
		}
		ret = count_range(survey, offset, tables->cluster_size);
		if (ret)
			return ret;
		count = qcow2_counts_get(&tables->counts,
					 offset >> tables->info.cluster_bits);
		if (count != 1)
			find_fault(survey,
				   "ERROR refcount block %" PRIu64
				   " refcount=%" PRIu64,
				   i, count);
	}
	return 0;
}

static int visit_range(void *context, uint64_t offset, uint64_t length)
{
	return count_range(context, offset, length);
}

int qcow2_survey(struct qcow2_tables *tables)
{
	const struct qcow2_info *info = &tables->info;
	struct survey survey = {.tables = tables, .delta = 1, .active = true};
	int ret;

	tables->result.total_clusters = div_round_up(info->size,
						     tables->cluster_size);
	ret = count_range(&survey, 0, tables->cluster_size);
	if (!ret)
		ret = count_range(&survey, info->l1_offset,
				  info->l1_size * sizeof(be64));
	if (!ret)
		ret = survey_tree(&survey, tables->l1, info->l1_size);
	survey.active = false;
	if (!ret)
		ret = survey_snapshots(&survey);
	if (!ret)
		ret = count_range(&survey, info->snapshots_offset,
				  tables->snapshots.length);
	if (!ret)
		ret = count_range(&survey, info->reftable_offset,
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
		.silent = true,
		.active = true,
	};
	int ret;

	ret = count_range(&survey, 0, tables->cluster_size);
	if (!ret)
		ret = survey_tree(&survey, tables->l1, tables->info.l1_size);
	survey.active = false;
	if (!ret)
		ret = survey_snapshots(&survey);
	return ret ? ret : qcow2_bitmap_walk(tables, visit_range, &survey);
}

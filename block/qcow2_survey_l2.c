/*
 * block/qcow2_survey_l2.c - counting what an L2 table refers to; see
 * qcow2_survey.h.
 */
#include "block/qcow2_survey.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

#define L2_RESERVED   0x3f000000000001feULL
#define ALL_ALLOCATED 0xffffffffULL

void qcow2_survey_fault(struct survey *survey, const char *format, ...)
{
	va_list args;

	if (survey->silent)
		return;
	survey->tables->result.corruptions += survey->times;
	va_start(args, format);
	qcow2_tables_vtell(survey->tables, format, args);
	va_end(args);
}

static int count_cluster(struct survey *survey, uint64_t cluster)
{
	struct qcow2_counts *counts = &survey->tables->counts;
	uint64_t count = qcow2_counts_get(counts, cluster);
	uint64_t room = survey->delta > 0 ? qcow2_counts_max(counts) - count
					  : count;
	uint64_t times = min_u64(survey->times, room);
	int ret;

	ret = qcow2_counts_set(counts, cluster,
			       count + (uint64_t)survey->delta * times);
	if (ret || times == survey->times)
		return ret;
	if (survey->silent)
		return -ERANGE;
	qcow2_survey_fault(survey, "ERROR: overflow cluster offset=%#" PRIx64,
			   cluster << survey->tables->info.cluster_bits);
	return 0;
}

int qcow2_survey_range(struct survey *survey, uint64_t offset, uint64_t length)
{
	struct qcow2_tables *tables = survey->tables;
	unsigned int bits = tables->info.cluster_bits;
	uint64_t last;
	int ret;

	if (!length)
		return 0;
	if (qcow2_tables_is_outside(tables, offset, length)) {
		qcow2_survey_fault(
			survey,
			"ERROR: counting reference for region exceeding the end of "
			"the file by one cluster or more: offset %#" PRIx64
			" size %#" PRIx64,
			offset, length);
		return 0;
	}
	last = (offset + length - 1) >> bits;
	ret = qcow2_counts_grow(&tables->counts, last + 1);
	if (!ret && length > tables->cluster_size)
		ret = qcow2_tables_spend(tables, (length >> bits) * 8);
	for (uint64_t i = offset >> bits; i <= last && !ret; i++)
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
		qcow2_survey_fault(survey,
				   "ERROR: coffset=%#" PRIx64
				   ": copied flag must never be "
				   "set for compressed clusters",
				   offset);
	if (!survey->silent &&
	    (survey->tables->has_data_file || entry.bitmap)) {
		qcow2_survey_fault(
			survey,
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
	return qcow2_survey_range(survey, offset, length);
}

static int survey_cluster(struct survey *survey, struct qcow2_entry entry)
{
	struct qcow2_tables *tables = survey->tables;
	uint64_t offset = entry.word & QCOW2_OFFSET_MASK;

	if (qcow2_tables_is_bitmap_wrong(entry)) {
		qcow2_survey_fault(survey,
				   "ERROR offset=%#" PRIx64
				   ": Allocated cluster with "
				   "corrupted subcluster allocation bitmap",
				   offset);
		return 0;
	}
	if (!is_aligned(offset, tables->cluster_size))
		qcow2_survey_fault(survey,
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
	return qcow2_survey_range(survey, offset, tables->cluster_size);
}

static int survey_entry(struct survey *survey, struct qcow2_entry entry)
{
	if (survey->silent && qcow2_tables_is_lost(survey->tables, entry))
		return 0;
	if (entry.word & QCOW2_COMPRESSED_FLAG)
		return survey_compressed(survey, entry);
	if (entry.word & L2_RESERVED)
		qcow2_survey_fault(
			survey,
			"ERROR found l2 entry with reserved bits set: %" PRIx64,
			entry.word);
	if (qcow2_tables_has_cluster(survey->tables, entry))
		return survey_cluster(survey, entry);
	if (entry.bitmap & ALL_ALLOCATED)
		qcow2_survey_fault(survey,
				   "ERROR Unallocated cluster has non-zero "
				   "subcluster allocation map");
	return 0;
}

int qcow2_survey_unreadable(struct survey *survey, const char *what)
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

bool qcow2_survey_is_cut(const struct survey *survey, uint64_t guest)
{
	return survey->active && survey->silent && guest >= survey->tables->end;
}

int qcow2_survey_l2(struct survey *survey, uint64_t guest, uint64_t offset)
{
	struct qcow2_tables *tables = survey->tables;
	struct qcow2_entry entry;
	int ret;

	if (qcow2_tables_is_hole(tables, offset, tables->cluster_size))
		return 0;
	ret = qcow2_tables_read(tables, survey->l2, tables->cluster_size,
				offset);
	if (ret)
		return ret == -EFBIG ? ret
				     : qcow2_survey_unreadable(survey, "L2");
	survey->next_host = 0;
	for (uint64_t i = 0; i < tables->l2_entries; i++) {
		entry = qcow2_tables_entry(tables, survey->l2, i);
		if ((!entry.word && !entry.bitmap) ||
		    qcow2_survey_is_cut(survey, guest + i))
			continue;
		ret = survey_entry(survey, entry);
		if (ret)
			return ret;
	}
	return 0;
}

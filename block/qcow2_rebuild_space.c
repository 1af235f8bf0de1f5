/*
 * block/qcow2_rebuild_space.c - clusters for new tables, and those that the old
 * state leaves behind; see qcow2_tables.h.
 *
 * Until the header is switched, what the old state refers to is not free, even
 * if nothing in the new state does.
 */
#include "block/qcow2_tables.h"

#include <errno.h>
#include <stdlib.h>

#include "block/mutant.h"

static bool is_free(const struct qcow2_rebuild *rebuild, uint64_t cluster)
{
	return (cluster >= rebuild->used_clusters || MUTANT(OLD_TABLE_REUSED) ||
		!(rebuild->used[cluster / 8] & 1 << cluster % 8)) &&
	       !qcow2_counts_get(&rebuild->tables->counts, cluster);
}

/* The first place for a run. Past the end of the file all is free. */
static uint64_t find_run(const struct qcow2_rebuild *rebuild, uint64_t count)
{
	uint64_t first = rebuild->cursor, length = 0;

	while (length < count) {
		if (is_free(rebuild, first + length)) {
			length++;
			continue;
		}
		first += length + 1;
		length = 0;
	}
	return first;
}

int qcow2_rebuild_take(struct qcow2_rebuild *rebuild, uint64_t count,
		       uint64_t *ret_offset)
{
	struct qcow2_tables *tables = rebuild->tables;
	uint64_t first = find_run(rebuild, count);
	int ret;

	if (first + count > QCOW2_OFFSET_LIMIT >> tables->info.cluster_bits)
		return -EFBIG;
	ret = qcow2_counts_grow(&tables->counts, first + count);
	if (ret)
		return ret;
	for (uint64_t i = 0; i < count; i++)
		qcow2_counts_set(&tables->counts, first + i, 1);
	if (first == rebuild->cursor)
		rebuild->cursor = first + count;
	*ret_offset = first << tables->info.cluster_bits;
	return 0;
}

static void note_used(struct qcow2_rebuild *rebuild)
{
	const struct qcow2_counts *counts = &rebuild->tables->counts;

	for (uint64_t i = 0; i < rebuild->used_clusters; i++)
		if (qcow2_counts_get(counts, i))
			rebuild->used[i / 8] |= (uint8_t)(1 << i % 8);
}

int qcow2_rebuild_init(struct qcow2_rebuild *rebuild,
		       struct qcow2_tables *tables)
{
	*rebuild = (struct qcow2_rebuild){
		.tables = tables,
		.used_clusters = tables->counts.clusters,
		.used = calloc(1, tables->counts.clusters / 8 + 1),
	};
	if (!rebuild->used)
		return -ENOMEM;
	note_used(rebuild);
	qcow2_counts_clear(&tables->counts);
	return qcow2_survey_guest(tables);
}

void qcow2_rebuild_fini(struct qcow2_rebuild *rebuild)
{
	free(rebuild->used);
	free(rebuild->blocks);
}

static bool is_abandoned(const struct qcow2_rebuild *rebuild, uint64_t cluster)
{
	return rebuild->used[cluster / 8] & 1 << cluster % 8 &&
	       !qcow2_counts_get(&rebuild->tables->counts, cluster);
}

/* The last cluster that is in use, plus 1. */
static uint64_t find_end(const struct qcow2_counts *counts)
{
	uint64_t end = counts->clusters;

	while (end && !qcow2_counts_get(counts, end - 1))
		end--;
	return end;
}

/* No harm is done if the host does not want it back. */
void qcow2_rebuild_reclaim(struct qcow2_rebuild *rebuild)
{
	struct qcow2_tables *tables = rebuild->tables;
	unsigned int bits = tables->info.cluster_bits;
	uint64_t end = find_end(&tables->counts) << bits, i = 0, first;

	while (i < rebuild->used_clusters) {
		first = i;
		while (i < rebuild->used_clusters && is_abandoned(rebuild, i))
			i++;
		if (i > first)
			file_discard(tables->file, first << bits,
				     (i - first) << bits);
		else
			i++;
	}
	if (end < file_size(tables->file))
		file_truncate(tables->file, end);
}

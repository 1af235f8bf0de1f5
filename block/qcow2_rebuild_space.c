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
	return (MUTANT(OLD_TABLE_REUSED) ||
		!qcow2_counts_get(&rebuild->used, cluster)) &&
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
	for (uint64_t i = 0; i < count && !ret; i++)
		ret = qcow2_counts_set(&tables->counts, first + i, 1);
	if (ret)
		return ret;
	if (first == rebuild->cursor)
		rebuild->cursor = first + count;
	*ret_offset = first << tables->info.cluster_bits;
	return 0;
}

static int note_used(struct qcow2_rebuild *rebuild)
{
	const struct qcow2_counts *counts = &rebuild->tables->counts;
	uint64_t end = counts->clusters, i = 0;
	int ret = 0;

	while ((i = qcow2_counts_next(counts, i, end)) < end && !ret)
		ret = qcow2_counts_set(&rebuild->used, i++, 1);
	return ret;
}

int qcow2_rebuild_init(struct qcow2_rebuild *rebuild,
		       struct qcow2_tables *tables)
{
	int ret;

	*rebuild = (struct qcow2_rebuild){.tables = tables};
	ret = qcow2_tables_count(tables, 0, &rebuild->used);
	if (!ret)
		ret = qcow2_counts_grow(&rebuild->used,
					tables->counts.clusters);
	if (!ret)
		ret = note_used(rebuild);
	if (ret)
		return ret;
	qcow2_counts_clear(&tables->counts);
	return qcow2_survey_guest(tables);
}

void qcow2_rebuild_fini(struct qcow2_rebuild *rebuild)
{
	qcow2_counts_fini(&rebuild->used);
	free(rebuild->blocks);
}

/* The first cluster from @first on that the new state does not use. */
static uint64_t find_abandoned(const struct qcow2_rebuild *rebuild,
			       uint64_t first)
{
	const struct qcow2_counts *used = &rebuild->used;

	first = qcow2_counts_next(used, first, used->clusters);
	while (first < used->clusters &&
	       qcow2_counts_get(&rebuild->tables->counts, first))
		first = qcow2_counts_next(used, first + 1, used->clusters);
	return first;
}

static uint64_t count_abandoned(const struct qcow2_rebuild *rebuild,
				uint64_t first)
{
	uint64_t count = 0;

	while (qcow2_counts_get(&rebuild->used, first + count) &&
	       !qcow2_counts_get(&rebuild->tables->counts, first + count))
		count++;
	return count;
}

/* No harm is done if the host does not want it back. */
void qcow2_rebuild_reclaim(struct qcow2_rebuild *rebuild)
{
	struct qcow2_tables *tables = rebuild->tables;
	unsigned int bits = tables->info.cluster_bits;
	uint64_t end = qcow2_counts_end(&tables->counts) << bits;
	uint64_t first = find_abandoned(rebuild, 0), count;

	while (first < rebuild->used.clusters) {
		count = count_abandoned(rebuild, first);
		file_discard(tables->file, first << bits, count << bits);
		first = find_abandoned(rebuild, first + count);
	}
	if (end < file_size(tables->file))
		file_truncate(tables->file, end);
}

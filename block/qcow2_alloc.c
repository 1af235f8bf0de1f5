/*
 * block/qcow2_alloc.c - host clusters that are free, and taking them.
 *
 * What is free is found in a list of clusters that became free, then by a scan
 * of the refcounts with a cursor that only moves forward, so that many takes
 * cost one scan. The list is a hint of bounded size: the refcounts decide.
 */
#include "block/qcow2.h"

#include <errno.h>

/* Adds to the last run if it goes on from there; false if there is no room. */
static bool run_append(struct qcow2_run *runs, size_t *count, uint64_t cluster)
{
	struct qcow2_run *last = *count ? &runs[*count - 1] : NULL;

	if (last && last->first + last->count == cluster) {
		last->count++;
		return true;
	}
	if (*count == QCOW2_RUNS_MAX)
		return false;
	runs[(*count)++] = (struct qcow2_run){cluster, 1};
	return true;
}

/* Not in the list: then the scan has to begin there again. */
void qcow2_alloc_add_free(struct qcow2 *qcow2, uint64_t cluster)
{
	struct qcow2_alloc *alloc = qcow2->alloc;

	if (!run_append(alloc->free, &alloc->free_count, cluster))
		alloc->cursor = min_u64(alloc->cursor, cluster);
}

int qcow2_alloc_claim(struct qcow2 *qcow2, uint64_t first, uint64_t want,
		      uint64_t *ret_count)
{
	uint64_t refcount, count = 0;
	int ret = 0;

	for (; count < want; count++) {
		if (!qcow2_refcount_is_covered(qcow2, first + count))
			break;
		ret = qcow2_refcount_get(qcow2, first + count, &refcount);
		if (ret || refcount)
			break;
		if (qcow2_metadata_overlaps(
			    qcow2, (first + count) << qcow2->cluster_bits, 1)) {
			ret = qcow2_corrupt(qcow2, "a table has no refcount");
			break;
		}
		ret = qcow2_refcount_set(qcow2, first + count, 1);
		if (ret)
			break;
	}
	*ret_count = count;
	return count ? 0 : ret;
}

/* From the list; *ret_count is 0 if it is empty. */
static int take_known(struct qcow2 *qcow2, uint64_t want, uint64_t *ret_first,
		      uint64_t *ret_count)
{
	struct qcow2_alloc *alloc = qcow2->alloc;
	struct qcow2_run *run;
	int ret;

	*ret_count = 0;
	while (alloc->free_count && !*ret_count) {
		run = &alloc->free[alloc->free_count - 1];
		*ret_first = run->first;
		ret = qcow2_alloc_claim(qcow2, run->first,
					min_u64(want, run->count), ret_count);
		if (ret)
			return ret;
		run->first += *ret_count;
		run->count -= *ret_count;
		if (!*ret_count || !run->count)
			alloc->free_count--;
	}
	return 0;
}

/* By the scan. Making a block takes clusters: so look again after it. */
static int take_new(struct qcow2 *qcow2, uint64_t want, uint64_t *ret_first,
		    uint64_t *ret_count)
{
	struct qcow2_alloc *alloc = qcow2->alloc;
	uint64_t limit = QCOW2_OFFSET_LIMIT >> qcow2->cluster_bits;
	int ret;

	for (;;) {
		ret = qcow2_refcount_find_free(qcow2, alloc->cursor,
					       &alloc->cursor);
		if (ret)
			return ret;
		if (alloc->cursor >= limit)
			return -EFBIG;
		if (qcow2_refcount_is_covered(qcow2, alloc->cursor))
			break;
		ret = qcow2_refcount_cover(qcow2, alloc->cursor);
		if (ret)
			return ret;
	}
	*ret_first = alloc->cursor;
	want = min_u64(want, limit - alloc->cursor);
	ret = qcow2_alloc_claim(qcow2, alloc->cursor, want, ret_count);
	alloc->cursor += *ret_count;
	return ret;
}

int qcow2_alloc_find(struct qcow2 *qcow2, uint64_t want,
		     struct qcow2_run *ret_run)
{
	int ret = take_known(qcow2, want, &ret_run->first, &ret_run->count);

	if (ret || ret_run->count)
		return ret;
	return take_new(qcow2, want, &ret_run->first, &ret_run->count);
}

int qcow2_alloc_take(struct qcow2 *qcow2, uint64_t want,
		     struct qcow2_taken *ret_taken)
{
	struct qcow2_taken *reserve = &qcow2->alloc->reserve;
	int ret;

	if (!reserve->run.count) {
		ret = qcow2_reserve_fill(qcow2, want);
		if (ret)
			return ret;
	}
	*ret_taken = *reserve;
	ret_taken->run.count = min_u64(want, reserve->run.count);
	reserve->run.first += ret_taken->run.count;
	reserve->run.count -= ret_taken->run.count;
	qcow2->alloc->is_idle = false;
	return 0;
}

/* If a refcount cannot be lowered again, the cluster is leaked: no harm. */
void qcow2_alloc_undo(struct qcow2 *qcow2, struct qcow2_run run)
{
	for (uint64_t i = 0; i < run.count; i++)
		if (!qcow2_refcount_set(qcow2, run.first + i, 0))
			qcow2_alloc_add_free(qcow2, run.first + i);
}

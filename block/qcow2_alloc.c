/*
 * block/qcow2_alloc.c - host clusters: free, taken, dead.
 *
 * A cluster that loses its last pointer in memory is not free yet. On the disk
 * the pointer is still there, and would lead to somebody else's data after a
 * power loss; and a request that saw it in memory may still be reading or
 * writing there. So it is dead until a settle has brought the change to the
 * disk, and the gate has let out whoever was inside before that. Then its
 * refcount goes down, and it is free to be taken or given back to the host.
 * That its lower refcount is not on the disk yet does no harm: a refcount that
 * is too high is a leak, and taking the cluster again makes it right.
 *
 * Free clusters are found in a list of those that became free, then by a scan
 * of the refcounts with a cursor that only moves forward, so that many takes
 * cost one scan. The list is a hint of bounded size: the refcounts decide.
 */
#include "block/qcow2.h"

#include <assert.h>
#include <errno.h>

#include "block/gate.h"
#include "block/inflated.h"
#include "block/mutant.h"

/*
 * Adds to the last run if it goes on from there, and is none of the first
 * @closed ones; false if there is no room.
 */
static bool run_append(struct qcow2_run *runs, size_t *count, size_t closed,
		       uint64_t first, uint64_t clusters)
{
	struct qcow2_run *last = *count > closed ? &runs[*count - 1] : NULL;

	if (last && last->first + last->count == first) {
		last->count += clusters;
		return true;
	}
	if (*count == QCOW2_RUNS_MAX)
		return false;
	runs[(*count)++] = (struct qcow2_run){first, clusters};
	return true;
}

/* Not in the list: then the scan has to begin there again. */
static void add_free(struct qcow2_alloc *alloc, uint64_t first, uint64_t count)
{
	if (!run_append(alloc->free, &alloc->free_count, 0, first, count))
		alloc->cursor = min_u64(alloc->cursor, first);
}

/*
 * Sets the refcounts of the front of a run to 1, as far as it is free and
 * covered. What was taken before an error is taken.
 */
static int claim(struct qcow2 *qcow2, uint64_t first, uint64_t want,
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
		ret = claim(qcow2, run->first, min_u64(want, run->count),
			    ret_count);
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
	ret = claim(qcow2, alloc->cursor, want, ret_count);
	alloc->cursor += *ret_count;
	return ret;
}

int qcow2_alloc_take(struct qcow2 *qcow2, uint64_t want, uint64_t *ret_first,
		     uint64_t *ret_count)
{
	int ret = take_known(qcow2, want, ret_first, ret_count);

	if (ret || *ret_count)
		return ret;
	return take_new(qcow2, want, ret_first, ret_count);
}

/* If a refcount cannot be lowered again, the cluster is leaked: no harm. */
void qcow2_alloc_undo(struct qcow2 *qcow2, uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		if (!qcow2_refcount_set(qcow2, first + i, 0))
			add_free(qcow2->alloc, first + i, 1);
}

void qcow2_alloc_release(struct qcow2 *qcow2, uint64_t first, uint64_t count)
{
	struct qcow2_alloc *alloc = qcow2->alloc;
	bool fits = run_append(alloc->dead, &alloc->dead_count, alloc->awaited,
			       first, count);

	assert(fits);
	if (MUTANT(FREED_BEFORE_DURABLE)) {
		qcow2_alloc_await(qcow2);
		qcow2_alloc_settle(qcow2);
	}
}

static bool has_room(const struct qcow2_alloc *alloc)
{
	return alloc->dead_count <= QCOW2_RUNS_MAX - QCOW2_RELEASES_MAX;
}

/* Requests inside the gate end without our help, so they can be waited for. */
int qcow2_alloc_make_room(struct qcow2 *qcow2)
{
	struct qcow2_alloc *alloc = qcow2->alloc;
	struct gate *gate = qcow2->image.gate;
	int ret;

	if (has_room(alloc))
		return 0;
	ret = qcow2_flush(&qcow2->image);
	while (!ret && alloc->awaited) {
		gate_wait(gate, alloc->ticket);
		ret = qcow2_alloc_settle(qcow2);
	}
	return ret || has_room(alloc) ? ret : -EIO;
}

/* Lowers one refcount; *ret_free if it was the last. */
static int lower(struct qcow2 *qcow2, uint64_t cluster, bool *ret_free)
{
	uint64_t refcount;
	int ret = qcow2_refcount_get(qcow2, cluster, &refcount);

	if (ret)
		return ret;
	if (!refcount)
		return qcow2_corrupt(qcow2, "a cluster in use has no refcount");
	*ret_free = refcount == 1;
	return qcow2_refcount_set(qcow2, cluster, refcount - 1);
}

/* Whatever remembers what the cluster was must not outlive it. */
static void forget(struct qcow2 *qcow2, uint64_t cluster)
{
	if (!MUTANT(FREED_TABLE_REMEMBERED))
		qcow2_metadata_remove(qcow2, cluster);
	if (!MUTANT(FREED_TAIL_REMEMBERED))
		qcow2_compressed_forget(qcow2, cluster);
	if (qcow2->alloc->awaited_compressed &&
	    !MUTANT(FREED_INFLATED_REMEMBERED))
		inflated_forget(qcow2->inflated);
	qcow2->alloc->awaited_compressed = false;
	add_free(qcow2->alloc, cluster, 1);
}

/* Settles the front of a dead run: as many as become free together. */
static int settle_front(struct qcow2 *qcow2, struct qcow2_run *run)
{
	uint64_t first = run->first, count = 0;
	bool is_free = true;
	int ret = 0;

	while (run->count && is_free) {
		ret = lower(qcow2, run->first, &is_free);
		if (ret)
			break;
		run->first++;
		run->count--;
		if (!is_free)
			break;
		forget(qcow2, first + count);
		count++;
	}
	if (count)
		file_discard(qcow2->image.file, first << qcow2->cluster_bits,
			     count << qcow2->cluster_bits);
	return ret;
}

/* The last of those that are waited for. */
static void remove_run(struct qcow2_alloc *alloc)
{
	alloc->dead[--alloc->awaited] = alloc->dead[--alloc->dead_count];
}

void qcow2_alloc_await(struct qcow2 *qcow2)
{
	struct qcow2_alloc *alloc = qcow2->alloc;
	struct gate *gate = qcow2->image.gate;

	if (alloc->awaited)
		return;
	alloc->awaited = alloc->dead_count;
	alloc->awaited_compressed = alloc->had_compressed;
	alloc->had_compressed = false;
	alloc->ticket = gate ? gate_ticket(gate) : 0;
}

static bool is_outwaited(struct qcow2 *qcow2)
{
	struct gate *gate = qcow2->image.gate;

	return !gate || gate_has_passed(gate, qcow2->alloc->ticket) ||
	       MUTANT(REUSED_WHILE_IN_USE);
}

int qcow2_alloc_settle(struct qcow2 *qcow2)
{
	struct qcow2_alloc *alloc = qcow2->alloc;
	struct qcow2_run *run;
	int ret;

	for (; alloc->awaited && is_outwaited(qcow2);
	     qcow2_alloc_await(qcow2)) {
		while (alloc->awaited) {
			run = &alloc->dead[alloc->awaited - 1];
			ret = settle_front(qcow2, run);
			if (ret)
				return ret;
			if (!run->count)
				remove_run(alloc);
		}
	}
	return 0;
}

/*
 * block/qcow2_dead.c - host clusters that were let go.
 *
 * A cluster that loses its last pointer in memory is not free yet. On the disk
 * the pointer is still there, and would lead to somebody else's data after a
 * power loss; and a request that saw it in memory may still be reading or
 * writing there. So it is dead until the tables on the disk have changed, and
 * the gate has let out whoever was inside when it was let go. Then its refcount
 * goes down, and it is free to be taken or given back to the host. That its
 * lower refcount is not on the disk yet does no harm: a refcount that is too
 * high is a leak, and taking the cluster again makes it right.
 */
#include "block/qcow2.h"

#include <assert.h>
#include <errno.h>

#include "block/gate.h"
#include "block/inflated.h"
#include "block/mutant.h"

/* False: there are still requests that are waited for. */
static bool is_outwaited(struct qcow2 *qcow2)
{
	struct qcow2_alloc *alloc = qcow2->alloc;
	struct gate *gate = qcow2->image.gate;

	if (gate && !gate_has_passed(gate, alloc->ticket) &&
	    !MUTANT(REUSED_WHILE_IN_USE))
		return false;
	alloc->outwaited = alloc->awaited;
	return true;
}

void qcow2_dead_await(struct qcow2 *qcow2)
{
	struct qcow2_alloc *alloc = qcow2->alloc;
	struct gate *gate = qcow2->image.gate;

	if (!is_outwaited(qcow2))
		return;
	alloc->awaited = qcow2_order_end_time(qcow2);
	alloc->ticket = gate ? gate_ticket(gate) : 0;
}

/* Does the new one go on where the last one ends? */
static bool is_continued(const struct qcow2_dead *last,
			 const struct qcow2_dead *new)
{
	return last->time == new->time && last->compressed == new->compressed &&
	       last->run.first + last->run.count == new->run.first;
}

void qcow2_dead_add(struct qcow2 *qcow2, struct qcow2_run run, bool compressed)
{
	struct qcow2_alloc *alloc = qcow2->alloc;
	uint64_t time = qcow2->order.now;
	struct qcow2_dead dead = {run, time, compressed}, *last = NULL;

	if (alloc->dead_count)
		last = &alloc->dead[alloc->dead_count - 1];
	if (last && is_continued(last, &dead)) {
		last->run.count += run.count;
	} else {
		assert(alloc->dead_count < QCOW2_RUNS_MAX);
		alloc->dead[alloc->dead_count++] = dead;
	}
	if (MUTANT(FREED_BEFORE_DURABLE)) {
		qcow2_dead_await(qcow2);
		qcow2_dead_settle(qcow2, time);
	}
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
static void forget(struct qcow2 *qcow2, uint64_t cluster, bool compressed)
{
	if (!MUTANT(FREED_TABLE_REMEMBERED))
		qcow2_metadata_remove(qcow2, cluster);
	if (!MUTANT(FREED_TAIL_REMEMBERED))
		qcow2_compressed_forget(qcow2, cluster);
	if (compressed && !MUTANT(FREED_INFLATED_REMEMBERED))
		inflated_forget(qcow2->inflated);
	qcow2_alloc_add_free(qcow2, cluster);
}

/* Settles the front of a run: as many as become free together. */
static int settle_front(struct qcow2 *qcow2, struct qcow2_dead *dead)
{
	struct qcow2_run *run = &dead->run;
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
		forget(qcow2, first + count, dead->compressed);
		count++;
	}
	if (count)
		file_discard(qcow2->image.file, first << qcow2->cluster_bits,
			     count << qcow2->cluster_bits);
	return ret;
}

static int settle_until(struct qcow2 *qcow2, uint64_t time)
{
	struct qcow2_alloc *alloc = qcow2->alloc;
	struct qcow2_dead *dead;
	size_t kept = 0;
	int ret = 0;

	for (size_t i = 0; i < alloc->dead_count; i++) {
		dead = &alloc->dead[i];
		while (!ret && dead->time <= time && dead->run.count)
			ret = settle_front(qcow2, dead);
		if (dead->run.count)
			alloc->dead[kept++] = *dead;
	}
	alloc->dead_count = kept;
	return ret;
}

/* What is durable and was not waited for yet is, from then on. */
int qcow2_dead_settle(struct qcow2 *qcow2, uint64_t time)
{
	struct qcow2_alloc *alloc = qcow2->alloc;

	alloc->durable = max_u64(alloc->durable, time);
	if (is_outwaited(qcow2) && alloc->outwaited < alloc->durable) {
		qcow2_dead_await(qcow2);
		is_outwaited(qcow2);
	}
	return settle_until(qcow2, min_u64(alloc->outwaited, alloc->durable));
}

static bool has_room(const struct qcow2_alloc *alloc)
{
	return alloc->dead_count <= QCOW2_RUNS_MAX - QCOW2_RELEASES_MAX;
}

/* Requests inside the gate end without our help, so they can be waited for. */
int qcow2_dead_make_room(struct qcow2 *qcow2)
{
	struct qcow2_alloc *alloc = qcow2->alloc;
	struct gate *gate = qcow2->image.gate;
	int ret;

	if (has_room(alloc))
		return 0;
	ret = qcow2_flush(&qcow2->image);
	while (!ret && !has_room(alloc) && gate) {
		gate_wait(gate, alloc->ticket);
		ret = qcow2_dead_settle(qcow2, alloc->durable);
	}
	return ret || has_room(alloc) ? ret : -EIO;
}

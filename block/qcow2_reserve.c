/*
 * block/qcow2_reserve.c - host clusters that are counted before they are taken.
 *
 * Refcounts are durable before anything points to a cluster. To count each
 * cluster when it is taken would cost a flush of its own, every time. So some
 * MiB of them are counted at once, and handed out from memory; and when half of
 * them are gone, the next ones are counted together with what a flush writes
 * anyway. What is left is given back when the image is closed, or idle; after a
 * crash it is leaked, which does no harm.
 *
 * Where the file ends, it is made longer by what is reserved. Nothing was ever
 * written there, so a cluster of it is blank: if it takes the place of zeroes,
 * it does not matter whether the data or the pointer reaches the disk first,
 * and nothing around the data has to be written.
 */
#include "block/qcow2.h"

#define RESERVE_BYTES	     (16 * MIB)
#define RESERVE_CLUSTERS_MAX 1024 /* which it takes time to count */

static uint64_t most(const struct qcow2 *qcow2)
{
	return max_u64(1, min_u64(RESERVE_BYTES >> qcow2->cluster_bits,
				  RESERVE_CLUSTERS_MAX));
}

static uint64_t run_end(const struct qcow2 *qcow2, struct qcow2_run run)
{
	return (run.first + run.count) << qcow2->cluster_bits;
}

/* Makes the file end with the run; false if it cannot, or had ended later. */
static bool extend(struct qcow2 *qcow2, struct qcow2_run run)
{
	struct file *file = qcow2->image.file;

	if (run.first << qcow2->cluster_bits < file_size(file) ||
	    file_truncate(file, run_end(qcow2, run)))
		return false;
	qcow2_order_wrote(qcow2, QCOW2_STAGE_REFCOUNTS);
	return true;
}

int qcow2_reserve_fill(struct qcow2 *qcow2, uint64_t want)
{
	struct qcow2_taken *reserve = &qcow2->alloc->reserve;
	struct qcow2_run run;
	int ret;

	ret = qcow2_alloc_find(qcow2, max_u64(want, most(qcow2)), &run);
	if (ret)
		return ret;
	*reserve = (struct qcow2_taken){run, extend(qcow2, run)};
	return 0;
}

/*
 * Only where it goes on behind the end of the file, and only if nothing else is
 * known to be free: the file must not grow where it need not.
 */
void qcow2_reserve_ahead(struct qcow2 *qcow2)
{
	struct qcow2_taken *reserve = &qcow2->alloc->reserve;
	struct qcow2_run next = {
		.first = reserve->run.first + reserve->run.count,
	};
	uint64_t wanted = most(qcow2) - reserve->run.count;

	if (!reserve->blank || qcow2->alloc->free_count ||
	    reserve->run.count > most(qcow2) / 2 ||
	    run_end(qcow2, reserve->run) != file_size(qcow2->image.file))
		return;
	qcow2_alloc_claim(qcow2, next.first, wanted, &next.count);
	if (next.count && extend(qcow2, next))
		reserve->run.count += next.count;
	else
		qcow2_alloc_undo(qcow2, next);
}

/* Does the reserve end the file? Then it is cut off. */
static bool cut(struct qcow2 *qcow2, struct qcow2_taken *reserve)
{
	struct file *file = qcow2->image.file;

	if (!reserve->blank || run_end(qcow2, reserve->run) != file_size(file))
		return false;
	reserve->blank = false;
	return !file_truncate(file, reserve->run.first << qcow2->cluster_bits);
}

/*
 * What was cut off will be found by the scan, and be blank again. Clusters
 * whose refcount cannot be lowered now stay in the reserve.
 */
void qcow2_reserve_drop(struct qcow2 *qcow2)
{
	struct qcow2_taken *reserve = &qcow2->alloc->reserve;
	struct qcow2_run *run = &reserve->run;
	bool is_cut = cut(qcow2, reserve);
	uint64_t last;

	for (; run->count; run->count--) {
		last = run->first + run->count - 1;
		if (qcow2_refcount_set(qcow2, last, 0))
			return;
		if (!is_cut)
			qcow2_alloc_add_free(qcow2, last);
	}
	if (is_cut)
		qcow2->alloc->cursor = min_u64(qcow2->alloc->cursor,
					       run->first);
}

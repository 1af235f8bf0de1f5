/*
 * block/qcow2_order.c - the order in which changes reach the disk.
 *
 * An image survives power loss if at any time, whatever subset of the writes
 * since the last fdatasync is on the disk, no pointer leads to a cluster whose
 * refcount does not count it, or whose contents are not there. So changes wait
 * in memory in four sets, one per stage (enum qcow2_stage):
 *
 *	refcounts, guest data  =>  refcount table  =>  L2 tables  =>  L1 table
 *
 * and nothing of a stage is written while something of an earlier stage is
 * dirty or written but not durable. That is checked here, where the writes are
 * made, so no caller can get it wrong by the order of its calls: all a caller
 * must do is to put each change into its set, and to report writes that it
 * makes by itself (guest data, new tables) with qcow2_order_wrote().
 *
 * Refcounts in the first set only ever go up, or down for clusters that no
 * durable pointer leads to: what is freed waits in qcow2_dead.c until a
 * settle has removed the pointers from the disk. So the worst that power loss
 * leaves is a leaked cluster.
 *
 * Not everything needs a stage. Writes in place change no table. Nor does it
 * matter if data comes before the pointer to it where either alone reads as
 * what was there before: zeroes in the place of zeroes (qcow2_reserve.c). So in
 * the steady state, where such data is written to clusters that were counted
 * before, a flush is: L2, fdatasync. Else it is: data and refcounts, fdatasync,
 * L2, fdatasync; and with nothing but writes in place, one fdatasync.
 *
 * Time (struct qcow2_order) is a number that goes up with each barrier. What
 * was written at some time is durable when a barrier that began after it has
 * ended; so writes may go on during a barrier, and are not mistaken for what it
 * makes durable.
 */
#include "block/qcow2.h"

#include <errno.h>

#include "block/mutant.h"

void qcow2_table_mark_dirty(struct qcow2_table *table, uint64_t first,
			    uint64_t count)
{
	if (table->dirty_first == table->dirty_end) {
		table->dirty_first = first;
		table->dirty_end = first + count;
		return;
	}
	table->dirty_first = min_u64(table->dirty_first, first);
	table->dirty_end = max_u64(table->dirty_end, first + count);
}

static bool table_is_dirty(const struct qcow2_table *table)
{
	return table->moved || table->dirty_first != table->dirty_end;
}

/* Entries in between that are clean are written with what they are anyway. */
static int table_write_back(struct qcow2 *qcow2, struct qcow2_table *table)
{
	uint64_t first = table->dirty_first;
	int ret;

	if (first == table->dirty_end)
		return 0;
	ret = file_write(qcow2->image.file, &table->entries[first],
			 (table->dirty_end - first) * sizeof(be64),
			 table->offset + first * sizeof(be64));
	if (!ret)
		table->dirty_first = table->dirty_end = 0;
	return ret;
}

/* The header's fields lie in one sector and change in one write. */
static int reftable_write_back(struct qcow2 *qcow2)
{
	struct qcow2_table *table = &qcow2->reftable;
	struct {
		be64 offset;
		be32 clusters;
	} field = {
		be64_make(table->offset),
		be32_make((uint32_t)(table->count * sizeof(be64) >>
				     qcow2->cluster_bits)),
	};
	int ret;

	_Static_assert(sizeof(field) == 12, "as in struct qcow2_header");
	if (table->moved) {
		ret = file_write(qcow2->image.file, &field, sizeof(field),
				 offsetof(struct qcow2_header,
					  refcount_table_offset));
		if (ret)
			return ret;
		table->moved = false;
	}
	return table_write_back(qcow2, table);
}

static bool stage_is_dirty(const struct qcow2 *qcow2, enum qcow2_stage stage)
{
	switch (stage) {
	case QCOW2_STAGE_REFCOUNTS:
		return qcow2_cache_is_dirty(&qcow2->refcount_cache);
	case QCOW2_STAGE_REFTABLE:
		return table_is_dirty(&qcow2->reftable);
	case QCOW2_STAGE_L2:
		return qcow2_cache_is_dirty(&qcow2->l2_cache);
	default:
		return table_is_dirty(&qcow2->l1);
	}
}

/* Refcounts that only went down can wait for a better time. */
static bool must_precede(const struct qcow2 *qcow2, enum qcow2_stage stage)
{
	return stage == QCOW2_STAGE_REFCOUNTS ? qcow2->order.raised
					      : stage_is_dirty(qcow2, stage);
}

static int refcounts_write_back(struct qcow2 *qcow2)
{
	int ret = qcow2_cache_write_back(&qcow2->refcount_cache);

	if (!ret)
		qcow2->order.raised = false;
	return ret;
}

/* Also where it fails half way, some of it may be written. */
static int stage_write_back(struct qcow2 *qcow2, enum qcow2_stage stage)
{
	qcow2_order_wrote(qcow2, stage);
	switch (stage) {
	case QCOW2_STAGE_REFCOUNTS:
		return refcounts_write_back(qcow2);
	case QCOW2_STAGE_REFTABLE:
		return reftable_write_back(qcow2);
	case QCOW2_STAGE_L2:
		return qcow2_cache_write_back(&qcow2->l2_cache);
	default:
		return table_write_back(qcow2, &qcow2->l1);
	}
}

void qcow2_order_init(struct qcow2_order *order)
{
	*order = (struct qcow2_order){.now = 1};
}

void qcow2_order_wrote(struct qcow2 *qcow2, enum qcow2_stage stage)
{
	qcow2->order.wrote[stage] = qcow2->order.now;
}

static bool is_synced_before(const struct qcow2 *qcow2, enum qcow2_stage stage)
{
	if ((stage == QCOW2_STAGE_REFTABLE &&
	     MUTANT(NO_BARRIER_BEFORE_REFTABLE)) ||
	    (stage == QCOW2_STAGE_L2 && MUTANT(NO_BARRIER_BEFORE_L2)) ||
	    (stage == QCOW2_STAGE_L1 && MUTANT(NO_BARRIER_BEFORE_L1)))
		return true;
	for (unsigned int i = 0; i < stage; i++)
		if (qcow2->order.wrote[i] > qcow2->order.synced)
			return false;
	return true;
}

uint64_t qcow2_order_end_time(struct qcow2 *qcow2)
{
	return qcow2->order.now++;
}

void qcow2_order_synced(struct qcow2 *qcow2, uint64_t time)
{
	qcow2->order.synced = max_u64(qcow2->order.synced, time);
}

/* The barrier: what was written so far is on the disk before what follows. */
static int order_sync(struct qcow2 *qcow2)
{
	uint64_t time = qcow2_order_end_time(qcow2);
	int ret = image_sync(&qcow2->image);

	if (!ret)
		qcow2_order_synced(qcow2, time);
	return ret;
}

int qcow2_order_write(struct qcow2 *qcow2, enum qcow2_stage stage)
{
	int ret;

	if (qcow2->corrupt)
		return -EUCLEAN;
	for (unsigned int i = 0; i <= stage; i++) {
		if (i == stage ? !stage_is_dirty(qcow2, i)
			       : !must_precede(qcow2, i))
			continue;
		if (!is_synced_before(qcow2, i)) {
			ret = order_sync(qcow2);
			if (ret)
				return ret;
		}
		ret = stage_write_back(qcow2, i);
		if (ret)
			return ret;
	}
	return 0;
}

bool qcow2_order_is_settled(const struct qcow2 *qcow2)
{
	for (unsigned int i = 0; i < QCOW2_STAGES; i++)
		if (stage_is_dirty(qcow2, i))
			return false;
	return is_synced_before(qcow2, QCOW2_STAGES);
}

/* Refcounts need nothing before them. */
int qcow2_order_write_all(struct qcow2 *qcow2, uint64_t *ret_time)
{
	int ret = qcow2_order_write(qcow2, QCOW2_STAGES - 1);

	if (ret)
		return ret;
	qcow2_reserve_ahead(qcow2);
	if (stage_is_dirty(qcow2, QCOW2_STAGE_REFCOUNTS))
		ret = stage_write_back(qcow2, QCOW2_STAGE_REFCOUNTS);
	*ret_time = qcow2_order_end_time(qcow2);
	return ret;
}

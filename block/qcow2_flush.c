/*
 * block/qcow2_flush.c - all that is in memory goes to the disk.
 *
 * In two halves, for the files can be flushed without the disk's lock: first
 * all tables are written, in their order (qcow2_order.c); then the caller
 * flushes the files; then what was let go before is free.
 */
#include "block/qcow2.h"

#include "block/mutant.h"

int qcow2_write_back(struct image *image, uint64_t *ret_time)
{
	struct qcow2 *qcow2 = qcow2_of(image);

	qcow2_dead_await(qcow2);
	return qcow2_order_write_all(qcow2, ret_time);
}

/*
 * Now nothing on the disk points to what was let go. That its refcounts cannot
 * be lowered yet - a request may still be there, or the host fails - costs the
 * guest nothing, so it is no error of the flush.
 */
void qcow2_written_back(struct image *image, uint64_t time)
{
	struct qcow2 *qcow2 = qcow2_of(image);

	qcow2_order_synced(qcow2, time);
	qcow2_dead_settle(qcow2, time);
}

bool qcow2_is_settled(const struct image *image)
{
	const struct qcow2 *qcow2 = qcow2_of_const(image);

	return image->read_only ||
	       (!qcow2->alloc->dead_count && qcow2_order_is_settled(qcow2));
}

int qcow2_flush(struct image *image)
{
	uint64_t time;
	int ret;

	if (qcow2_is_settled(image))
		return file_flush(image->data);
	ret = qcow2_write_back(image, &time);
	if (!ret && !MUTANT(NO_BARRIER_AT_SETTLE))
		ret = image_sync(image);
	if (!ret)
		qcow2_written_back(image, time);
	return ret;
}

/* The second flush writes the refcounts of what the first one made free. */
int qcow2_quiesce(struct qcow2 *qcow2)
{
	int ret = qcow2_flush(&qcow2->image);

	if (ret || qcow2->corrupt)
		return ret;
	qcow2_reserve_drop(qcow2);
	return qcow2_flush(&qcow2->image);
}

void qcow2_trim(struct image *image)
{
	struct qcow2 *qcow2 = qcow2_of(image);

	qcow2_cache_trim(&qcow2->l2_cache);
	if (!qcow2->alloc || qcow2->corrupt)
		return;
	qcow2_cache_trim(&qcow2->refcount_cache);
	if (qcow2->alloc->is_idle)
		qcow2_reserve_drop(qcow2);
	qcow2->alloc->is_idle = true;
}

/*
 * block/qcow2_preallocate.c - see preallocate.h.
 *
 * A slice of an L2 table at a time: take clusters, make the file long enough
 * to hold them, let the entries point there. What an entry points to has to be
 * in the file before, and reads as zeroes, since the clusters of a new image
 * lie past what was written.
 */
#include "block/preallocate.h"

#include "block/qcow2.h"

/* Clusters from @offset on, as many as one slice and one run have room for. */
static int preallocate_run(struct qcow2 *qcow2, uint64_t offset,
			   enum preallocation how, uint64_t *ret_count)
{
	uint64_t wanted = div_round_up(qcow2->image.size - offset,
				       qcow2->cluster_size);
	struct qcow2_l2_slice slice;
	uint64_t first, host;
	int ret = qcow2_l2_own(qcow2, offset, &slice);

	if (!ret)
		ret = qcow2_alloc_take(qcow2, min_u64(wanted, slice.left),
				       &first, ret_count);
	if (ret)
		return ret;
	host = first << qcow2->cluster_bits;
	ret = file_preallocate(qcow2->image.file, host,
			       *ret_count << qcow2->cluster_bits, how);
	if (ret) {
		qcow2_alloc_undo(qcow2, first, *ret_count);
		return ret;
	}
	qcow2_order_wrote(qcow2, QCOW2_STAGE_REFCOUNTS);
	for (uint64_t i = 0; i < *ret_count; i++)
		qcow2_l2_set(qcow2, &slice, i,
			     (host + (i << qcow2->cluster_bits)) |
				     QCOW2_COPIED);
	return 0;
}

int qcow2_preallocate(struct image *image, enum preallocation how)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	uint64_t count;
	int ret;

	for (uint64_t offset = 0; offset < image->size;
	     offset += count << qcow2->cluster_bits) {
		ret = preallocate_run(qcow2, offset, how, &count);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * block/qcow2_preallocate.c - see preallocate.h.
 *
 * A slice of an L2 table at a time: take clusters, make the file long enough
 * to hold them, let the entries point there. What an entry points to has to be
 * in the file before, and reads as zeroes, since the clusters of a new image
 * lie past what was written.
 */
#include "block/preallocate.h"

#include "block/mutant.h"
#include "block/qcow2.h"

/* Host clusters for guest clusters from @offset on; some of those wanted. */
static int take(struct qcow2 *qcow2, uint64_t offset, uint64_t wanted,
		uint64_t *ret_host, uint64_t *ret_count)
{
	struct qcow2_taken taken;
	int ret;

	if (qcow2_has_data_file(qcow2)) {
		*ret_host = offset;
		*ret_count = wanted;
		return 0;
	}
	ret = qcow2_alloc_take(qcow2, wanted, &taken);
	if (ret)
		return ret;
	*ret_host = taken.run.first << qcow2->cluster_bits;
	*ret_count = taken.run.count;
	return 0;
}

/* With subclusters, none of them is data yet: what lies beneath still shows. */
static void point(struct qcow2 *qcow2, struct qcow2_l2_slice *slice,
		  uint64_t host, uint64_t count)
{
	struct qcow2_cluster cluster = {
		.kind = QCOW2_NORMAL,
		.copied = true,
		.host_offset = host,
	};

	for (uint64_t i = 0; i < count; i++) {
		qcow2_l2_set(qcow2, slice, i, qcow2_encode(qcow2, &cluster));
		cluster.host_offset += qcow2->cluster_size;
	}
}

/* Clusters from @offset on, as many as one slice and one run have room for. */
static int preallocate_run(struct qcow2 *qcow2, uint64_t offset,
			   enum preallocation how, const atomic_bool *stop,
			   uint64_t *ret_count)
{
	uint64_t wanted = div_round_up(qcow2->image.size - offset,
				       qcow2->cluster_size),
		 host;
	struct qcow2_l2_slice slice;
	int ret = qcow2_l2_own(qcow2, offset, &slice);

	if (!ret)
		ret = take(qcow2, offset, min_u64(wanted, slice.left), &host,
			   ret_count);
	if (ret)
		return ret;
	ret = file_preallocate(qcow2->image.data, host,
			       *ret_count << qcow2->cluster_bits, how, stop);
	if (ret) {
		if (!qcow2_has_data_file(qcow2) &&
		    !MUTANT(NO_UNDO_OF_PREALLOCATION))
			qcow2_alloc_undo(qcow2,
					 (struct qcow2_run){
						 qcow2_cluster_of(qcow2, host),
						 *ret_count});
		return ret;
	}
	qcow2_order_wrote(qcow2, QCOW2_STAGE_REFCOUNTS);
	point(qcow2, &slice, host, *ret_count);
	return 0;
}

int qcow2_preallocate(struct image *image, enum preallocation how,
		      const atomic_bool *stop)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	uint64_t count;
	int ret;

	for (uint64_t offset = 0; offset < image->size;
	     offset += count << qcow2->cluster_bits) {
		ret = preallocate_run(qcow2, offset, how, stop, &count);
		if (ret)
			return ret;
	}
	return 0;
}

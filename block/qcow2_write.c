/*
 * block/qcow2_write.c - the slow path of a write: into clusters of our own.
 *
 * What is written in place lies in a cluster that is COPIED (its refcount is
 * 1, nobody else sees it), in subclusters that hold data. Elsewhere the guest's
 * bytes are written together with what lies around them in the subclusters that
 * they touch, and when all of that is written the L2 entries change in memory.
 * It goes into the cluster that is there if it is COPIED, else into a new one;
 * then the data of the old one, whose other subclusters the entry would lose,
 * is copied as well. A failure before the entries change gives new clusters
 * back and leaves the disk as it was; after that nothing can fail. Clusters
 * that were replaced are let go last.
 *
 * A step handles what one slice of an L2 table covers, as far as the clusters
 * are of one kind and next to each other on the host. In an external data file
 * each cluster has its place, and none is taken or let go.
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>

#include "block/mutant.h"

/* A step's bytes, and the host clusters they go to. */
struct step {
	uint64_t offset;	/* in the disk, of the guest's bytes */
	uint64_t length;	/* of the guest's bytes */
	uint64_t start, end;	/* of what is written, with what lies around */
	uint64_t cluster_count; /* clusters that these touch */
	uint64_t host_offset;	/* of the first of them */
	bool taken;		/* from the allocator, for this step */
	bool blank;		/* and as it says there */
	bool any_order; /* with the L2 entries, on the way to the disk */
};

/* What lies around the guest's bytes. */
struct around {
	uint64_t head_length, tail_length;
	uint8_t *head, *tail; /* NULL: not to be written */
};

/* A host cluster that may be written to. */
static bool is_own(const struct qcow2_cluster *cluster)
{
	return cluster->kind == QCOW2_NORMAL &&
	       (cluster->copied || MUTANT(SHARED_CLUSTER_OVERWRITTEN));
}

static bool is_data(const struct qcow2 *qcow2,
		    const struct qcow2_cluster *cluster, uint64_t offset)
{
	return cluster->data >> qcow2_subcluster_of(qcow2, offset) & 1;
}

/*
 * Reads one side, if it has to be written: zeroes past the end of the file do
 * not, they are there already.
 */
static int read_side(struct qcow2 *qcow2, uint64_t offset, uint64_t length,
		     bool fresh, uint8_t **ret_data)
{
	uint8_t *data;
	int ret;

	*ret_data = NULL;
	if (!length || (fresh && image_is_zero(&qcow2->image, offset, length)))
		return 0;
	data = malloc(length);
	if (!data)
		return -ENOMEM;
	ret = image_read_padded(&qcow2->image, offset, length, data);
	if (ret)
		free(data);
	else
		*ret_data = data;
	return ret;
}

static int read_around(struct qcow2 *qcow2, const struct step *step,
		       struct around *around)
{
	uint64_t end = step->offset + step->length;
	bool fresh = step->blank ||
		     step->host_offset >= file_size(qcow2->image.data);
	int ret;

	*around = (struct around){
		.head_length = step->offset - step->start,
		.tail_length = step->end - end,
	};
	ret = read_side(qcow2, step->start, around->head_length, fresh,
			&around->head);
	if (!ret)
		ret = read_side(qcow2, end, around->tail_length, fresh,
				&around->tail);
	return ret;
}

/* Head, guest's bytes and tail, in one write. */
static int write_pieces(struct qcow2 *qcow2, const struct step *step,
			const struct around *around, struct cursor *from)
{
	uint64_t offset = step->host_offset + step->start % qcow2->cluster_size;
	struct iovec *pieces;
	uint64_t bytes;
	size_t count = 0;
	int ret;

	pieces = calloc(from->count + 2, sizeof(*pieces));
	if (!pieces)
		return -ENOMEM;
	if (around->head)
		pieces[count++] = (struct iovec){around->head,
						 around->head_length};
	else
		offset += around->head_length;
	count += cursor_take(from, step->length, &pieces[count], from->count,
			     &bytes);
	if (around->tail)
		pieces[count++] = (struct iovec){around->tail,
						 around->tail_length};
	ret = file_writev(qcow2->image.data, pieces, count, offset);
	free(pieces);
	return ret;
}

/* If only the entries reach the disk, does the disk still read the same? */
static bool needs_no_order(struct qcow2 *qcow2, const struct step *step,
			   const struct around *around)
{
	if (!step->blank && !MUTANT(ANY_ORDER_OF_ANY_CLUSTER))
		return false;
	return !around->head && !around->tail &&
	       (image_is_zero(&qcow2->image, step->offset, step->length) ||
		MUTANT(ANY_ORDER_OVER_DATA));
}

static int write_clusters(struct qcow2 *qcow2, struct step *step,
			  struct cursor *from)
{
	struct around around;
	int ret;

	ret = read_around(qcow2, step, &around);
	if (!ret)
		step->any_order = needs_no_order(qcow2, step, &around);
	if (!ret)
		ret = write_pieces(qcow2, step, &around, from);
	free(around.head);
	free(around.tail);
	return ret;
}

/* The subclusters of a step's cluster that are written, as bits. */
static uint32_t written_mask(const struct qcow2 *qcow2, const struct step *step,
			     uint64_t index)
{
	uint64_t cluster = align_down(step->start, qcow2->cluster_size) +
			   (index << qcow2->cluster_bits);
	uint64_t start = max_u64(step->start, cluster) - cluster;
	uint64_t end = min_u64(step->end - cluster, qcow2->cluster_size);

	return qcow2_subcluster_mask(
		(unsigned int)(start >> qcow2->subcluster_bits),
		(unsigned int)(end >> qcow2->subcluster_bits));
}

/* The entry that follows on one that says @old. */
static struct qcow2_entry written_entry(const struct qcow2 *qcow2,
					const struct step *step, uint64_t index,
					const struct qcow2_cluster *old)
{
	uint32_t written = written_mask(qcow2, step, index);
	uint32_t kept = is_own(old) ? old->data : 0;
	struct qcow2_cluster new = {
		.kind = QCOW2_NORMAL,
		.copied = true,
		.data = kept | written,
		.zero = old->zero & ~written,
		.host_offset = step->host_offset +
			       (index << qcow2->cluster_bits),
	};

	return qcow2_encode(qcow2, &new);
}

/* The point of no return: the guest's data is where the entries say. */
static int publish(struct qcow2 *qcow2, const struct step *step)
{
	struct qcow2_l2_slice slice;
	struct qcow2_cluster old;
	int ret;

	/* Reading what lies around may have used the cache. */
	ret = qcow2_l2_own(qcow2, step->offset, &slice);
	if (ret)
		return ret;
	if (!step->any_order && !MUTANT(UNREPORTED_DATA))
		qcow2_order_wrote(qcow2, QCOW2_STAGE_REFCOUNTS);
	for (uint64_t i = 0; i < step->cluster_count; i++) {
		qcow2_decode(qcow2, step->offset + (i << qcow2->cluster_bits),
			     qcow2_l2_get(qcow2, &slice, i), &old);
		qcow2_l2_set(qcow2, &slice, i,
			     written_entry(qcow2, step, i, &old));
		if (step->taken)
			qcow2_l2_release(qcow2, &old);
	}
	return 0;
}

/*
 * How many of the clusters from here on need new ones, and what the last of
 * them is.
 */
static uint64_t count_replaced(const struct qcow2 *qcow2,
			       const struct qcow2_l2_slice *slice,
			       uint64_t offset, uint64_t max,
			       struct qcow2_cluster *ret_last)
{
	struct qcow2_cluster cluster;
	uint64_t count = 0;

	for (; count < max; count++) {
		if (!qcow2_decode(qcow2,
				  offset + (count << qcow2->cluster_bits),
				  qcow2_l2_get(qcow2, slice, count),
				  &cluster) ||
		    is_own(&cluster))
			break;
		*ret_last = cluster;
	}
	return count;
}

/* Finds new host clusters for a step. */
static int take_clusters(struct qcow2 *qcow2, uint64_t count, struct step *step)
{
	struct qcow2_taken taken;
	int ret;

	step->cluster_count = count;
	if (qcow2_has_data_file(qcow2)) {
		step->host_offset = align_down(step->offset,
					       qcow2->cluster_size);
		return 0;
	}
	ret = qcow2_alloc_take(qcow2, count, &taken);
	if (ret)
		return ret;
	step->host_offset = taken.run.first << qcow2->cluster_bits;
	step->cluster_count = taken.run.count;
	step->taken = true;
	step->blank = taken.blank;
	return 0;
}

/*
 * Where the write has to begin and to end: with the subclusters that the guest
 * touches and that are not all there; and if a cluster is replaced, with all
 * that the old one holds.
 */
static uint64_t find_start(const struct qcow2 *qcow2,
			   const struct qcow2_cluster *first, uint64_t offset)
{
	uint64_t cluster = align_down(offset, qcow2->cluster_size);
	uint64_t start = align_down(offset, 1ULL << qcow2->subcluster_bits);

	if (first->kind == QCOW2_COMPRESSED)
		return cluster;
	if (is_own(first))
		return is_data(qcow2, first, offset) ? offset : start;
	if (!first->data || MUTANT(OLD_DATA_NOT_COPIED))
		return start;
	cluster += (uint64_t)__builtin_ctz(first->data)
		   << qcow2->subcluster_bits;
	return min_u64(start, cluster);
}

static uint64_t find_end(const struct qcow2 *qcow2,
			 const struct qcow2_cluster *last, uint64_t end)
{
	uint64_t cluster = align_down(end - 1, qcow2->cluster_size);
	uint64_t stop = align_up(end, 1ULL << qcow2->subcluster_bits);

	if (last->kind == QCOW2_COMPRESSED)
		return cluster + qcow2->cluster_size;
	if (is_own(last))
		return is_data(qcow2, last, end - 1) ? end : stop;
	if (!last->data)
		return stop;
	cluster += (uint64_t)(32 - __builtin_clz(last->data))
		   << qcow2->subcluster_bits;
	return max_u64(stop, cluster);
}

/* Finds the host clusters for a step, and cuts the step to them. */
static int place_step(struct qcow2 *qcow2, const struct qcow2_l2_slice *slice,
		      const struct qcow2_cluster *first, struct step *step)
{
	uint64_t in_first = step->offset % qcow2->cluster_size, most;
	struct qcow2_cluster last = *first;
	int ret;

	step->cluster_count = 1;
	step->host_offset = first->host_offset;
	if (!is_own(first)) {
		most = min_u64(slice->left,
			       div_round_up(in_first + step->length,
					    qcow2->cluster_size));
		most = count_replaced(qcow2, slice, step->offset, most, &last);
		ret = take_clusters(qcow2, most, step);
		if (ret)
			return ret;
		count_replaced(qcow2, slice, step->offset, step->cluster_count,
			       &last);
	}
	step->length = min_u64(step->length,
			       (step->cluster_count << qcow2->cluster_bits) -
				       in_first);
	step->start = find_start(qcow2, first, step->offset);
	step->end = find_end(qcow2, &last, step->offset + step->length);
	return 0;
}

static void undo(struct qcow2 *qcow2, const struct step *step)
{
	struct qcow2_run run = {
		.first = qcow2_cluster_of(qcow2, step->host_offset),
		.count = step->cluster_count,
	};

	if (step->taken && !MUTANT(NO_UNDO_OF_WRITE))
		qcow2_alloc_undo(qcow2, run);
}

static int replace(struct qcow2 *qcow2, const struct qcow2_l2_slice *slice,
		   const struct qcow2_cluster *first, struct step *step,
		   struct cursor *from)
{
	int ret = place_step(qcow2, slice, first, step);

	if (ret)
		return ret;
	ret = MUTANT(PUBLISHED_BEFORE_WRITTEN) ? publish(qcow2, step) : 0;
	if (!ret)
		ret = write_clusters(qcow2, step, from);
	if (!ret)
		ret = publish(qcow2, step);
	if (ret)
		undo(qcow2, step);
	return ret;
}

/* Writes the front of the range; step->length says how much that was. */
static int write_step(struct qcow2 *qcow2, struct step *step,
		      struct cursor *from)
{
	struct qcow2_l2_slice slice;
	struct qcow2_cluster first;
	int ret;

	ret = qcow2_dead_make_room(qcow2);
	if (!ret)
		ret = qcow2_l2_own(qcow2, step->offset, &slice);
	if (ret)
		return ret;
	if (!qcow2_decode(qcow2, step->offset, qcow2_l2_get(qcow2, &slice, 0),
			  &first))
		return qcow2_bad_l2(qcow2, step->offset,
				    qcow2_l2_get(qcow2, &slice, 0));
	if (!is_own(&first) || !is_data(qcow2, &first, step->offset))
		return replace(qcow2, &slice, &first, step, from);
	/* Its slice is cached now. */
	ret = image_write_fast(&qcow2->image, step->offset, step->length, from,
			       &step->length);
	return !ret && !step->length ? -EIO : ret;
}

int qcow2_write(struct image *image, uint64_t offset, uint64_t length,
		struct cursor *from)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	struct step step;
	int ret;

	for (; length; offset += step.length, length -= step.length) {
		if (qcow2->corrupt)
			return -EUCLEAN;
		step = (struct step){.offset = offset, .length = length};
		ret = write_step(qcow2, &step, from);
		if (ret)
			return ret;
	}
	return 0;
}

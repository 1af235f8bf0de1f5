/*
 * block/qcow2_write.c - the slow path of a write: into clusters of our own.
 *
 * A cluster that is written in place is COPIED (its refcount is 1, nobody else
 * sees it) and neither compressed nor zero. Any other is replaced: clusters
 * are taken, what the guest writes goes there together with what lies around
 * it, and when all of that is written the L2 entries change in memory. A
 * failure before that point gives the clusters back and leaves the disk as it
 * was; after it nothing can fail. The clusters' old ones are let go last.
 *
 * A step handles what one slice of an L2 table covers, as far as the clusters
 * are of one kind and next to each other on the host.
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>

/* A step's bytes, and the host clusters they go to. */
struct step {
	uint64_t offset;	/* in the disk, of the guest's bytes */
	uint64_t length;	/* of the guest's bytes */
	uint64_t cluster_count; /* clusters that these touch */
	uint64_t host_offset;	/* of the first of them */
	bool taken;		/* from the allocator, for this step */
};

/* What lies around the guest's bytes in the first and the last cluster. */
struct around {
	uint64_t head_length, tail_length;
	uint8_t *head, *tail; /* NULL: not to be written */
};

static bool is_in_place(const struct qcow2_cluster *cluster)
{
	return cluster->kind == QCOW2_NORMAL && cluster->copied;
}

static bool is_reusable(const struct qcow2_cluster *cluster)
{
	return cluster->kind == QCOW2_ZERO_ALLOCATED && cluster->copied;
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
	uint64_t size = qcow2->cluster_size, end = step->offset + step->length;
	bool fresh = step->host_offset >= file_size(qcow2->image.file);
	int ret;

	*around = (struct around){
		.head_length = step->offset % size,
		.tail_length = align_up(end, size) - end,
	};
	ret = read_side(qcow2, align_down(step->offset, size),
			around->head_length, fresh, &around->head);
	if (!ret)
		ret = read_side(qcow2, end, around->tail_length, fresh,
				&around->tail);
	return ret;
}

/* Head, guest's bytes and tail, in one write. */
static int write_pieces(struct qcow2 *qcow2, const struct step *step,
			const struct around *around, struct cursor *from)
{
	uint64_t offset = step->host_offset, bytes;
	struct iovec *pieces;
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
	ret = file_writev(qcow2->image.file, pieces, count, offset);
	free(pieces);
	return ret;
}

static int write_clusters(struct qcow2 *qcow2, const struct step *step,
			  struct cursor *from)
{
	struct around around;
	int ret;

	ret = read_around(qcow2, step, &around);
	if (!ret)
		ret = write_pieces(qcow2, step, &around, from);
	free(around.head);
	free(around.tail);
	return ret;
}

/* The point of no return: the guest's data is where the entries say. */
static int publish(struct qcow2 *qcow2, const struct step *step)
{
	struct qcow2_l2_slice slice;
	struct qcow2_cluster old;
	uint64_t host = step->host_offset;
	int ret;

	/* Reading what lies around may have used the cache. */
	ret = qcow2_l2_own(qcow2, step->offset, &slice);
	if (ret)
		return ret;
	qcow2_order_wrote(qcow2, QCOW2_STAGE_REFCOUNTS);
	for (uint64_t i = 0; i < step->cluster_count; i++) {
		qcow2_decode(qcow2, qcow2_entry(slice.data, slice.index + i),
			     &old);
		qcow2_l2_set(qcow2, &slice, i, host | QCOW2_COPIED);
		if (step->taken)
			qcow2_l2_release(qcow2, &old);
		host += qcow2->cluster_size;
	}
	return 0;
}

/* How many of the clusters from here on need new ones. */
static uint64_t count_replaced(const struct qcow2 *qcow2,
			       const struct qcow2_l2_slice *slice, uint64_t max)
{
	struct qcow2_cluster cluster;
	uint64_t count = 0;

	for (; count < max; count++)
		if (!qcow2_decode(qcow2,
				  qcow2_entry(slice->data,
					      slice->index + count),
				  &cluster) ||
		    is_in_place(&cluster) || is_reusable(&cluster))
			break;
	return count;
}

/* Finds the host clusters for a step, and cuts the step to them. */
static int place_step(struct qcow2 *qcow2, const struct qcow2_l2_slice *slice,
		      const struct qcow2_cluster *first, struct step *step)
{
	uint64_t count = 1, in_first = step->offset % qcow2->cluster_size;
	uint64_t host, most;
	int ret;

	step->taken = !is_reusable(first);
	step->host_offset = first->host_offset;
	if (step->taken) {
		most = div_round_up(in_first + step->length,
				    qcow2->cluster_size);
		count = count_replaced(qcow2, slice,
				       min_u64(most, slice->left));
		ret = qcow2_alloc_take(qcow2, count, &host, &count);
		if (ret)
			return ret;
		step->host_offset = host << qcow2->cluster_bits;
	}
	step->cluster_count = count;
	step->length = min_u64(step->length,
			       (count << qcow2->cluster_bits) - in_first);
	return 0;
}

static int replace(struct qcow2 *qcow2, const struct qcow2_l2_slice *slice,
		   const struct qcow2_cluster *first, struct step *step,
		   struct cursor *from)
{
	int ret = place_step(qcow2, slice, first, step);

	if (ret)
		return ret;
	ret = write_clusters(qcow2, step, from);
	if (!ret)
		ret = publish(qcow2, step);
	if (ret && step->taken)
		qcow2_alloc_undo(qcow2,
				 qcow2_cluster_of(qcow2, step->host_offset),
				 step->cluster_count);
	return ret;
}

/* Writes the front of the range; step->length says how much that was. */
static int write_step(struct qcow2 *qcow2, struct step *step,
		      struct cursor *from)
{
	struct qcow2_l2_slice slice;
	struct qcow2_cluster first;
	uint64_t entry;
	int ret;

	ret = qcow2_alloc_make_room(qcow2);
	if (!ret)
		ret = qcow2_l2_own(qcow2, step->offset, &slice);
	if (ret)
		return ret;
	entry = qcow2_entry(slice.data, slice.index);
	if (!qcow2_decode(qcow2, entry, &first))
		return qcow2_bad_l2(qcow2, step->offset, entry);
	if (!is_in_place(&first))
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

/*
 * After the settle nothing on the disk points to what was released. That its
 * refcounts cannot be lowered now costs the guest nothing, so it is no error
 * of the flush.
 */
int qcow2_flush(struct image *image)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	int ret;

	if (qcow2_order_is_settled(qcow2))
		ret = file_flush(image->file);
	else
		ret = qcow2_order_settle(qcow2);
	if (!ret)
		qcow2_alloc_settle(qcow2);
	return ret;
}

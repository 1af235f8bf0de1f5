/*
 * block/qcow2_refcount.c - refcounts and the blocks they are in.
 *
 * The refcount table is in memory as a whole, and was checked when the image
 * was opened; the blocks are read in slices, as they are needed.
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>

#include "block/mutant.h"

uint64_t qcow2_refcount_read(const uint8_t *data, uint64_t index,
			     unsigned int order)
{
	unsigned int bits = 1U << order;

	switch (order) {
	case 3:
		return data[index];
	case 4:
		return be16_get(((const be16 *)data)[index]);
	case 5:
		return be32_get(((const be32 *)data)[index]);
	case 6:
		return be64_get(((const be64 *)data)[index]);
	default: /* several in a byte, the first in the lowest bits */
		return data[index * bits / 8] >> (index * bits % 8) &
		       ((1U << bits) - 1);
	}
}

void qcow2_refcount_write(uint8_t *data, uint64_t index, unsigned int order,
			  uint64_t refcount)
{
	unsigned int bits = 1U << order;
	unsigned int shift = index * bits % 8;
	uint8_t *byte;

	switch (order) {
	case 3:
		data[index] = (uint8_t)refcount;
		break;
	case 4:
		((be16 *)data)[index] = be16_make((uint16_t)refcount);
		break;
	case 5:
		((be32 *)data)[index] = be32_make((uint32_t)refcount);
		break;
	case 6:
		((be64 *)data)[index] = be64_make(refcount);
		break;
	default:
		byte = &data[index * bits / 8];
		*byte &= (uint8_t) ~(((1U << bits) - 1) << shift);
		*byte |= (uint8_t)(refcount << shift);
	}
}

/* Where a cluster's refcount is: a slice of a block, and an entry in it. */
struct refcount_place {
	uint64_t number; /* of the slice */
	uint8_t *slice;	 /* NULL: no block covers the cluster */
	uint64_t index;
	uint64_t count; /* entries of a slice */
};

static uint64_t block_offset(const struct qcow2 *qcow2, uint64_t cluster)
{
	uint64_t index = cluster >> qcow2->refblock_bits;

	if (index >= qcow2->reftable.count)
		return 0;
	return be64_get(qcow2->reftable.entries[index]) & QCOW2_REFTABLE_MASK;
}

static uint64_t entries_of_slice(const struct qcow2 *qcow2)
{
	return qcow2->refcount_cache.slice_size * 8 >>
	       qcow2->info.refcount_order;
}

static uint64_t locate(const struct qcow2 *qcow2, uint64_t number)
{
	uint64_t entries = entries_of_slice(qcow2);
	uint64_t in_block = number * entries &
			    ((1ULL << qcow2->refblock_bits) - 1);

	return block_offset(qcow2, number * entries) +
	       in_block / entries * qcow2->refcount_cache.slice_size;
}

const struct qcow2_cache_kind qcow2_refcount_kind = {
	.stage = QCOW2_STAGE_REFCOUNTS,
	.locate = locate,
};

uint64_t qcow2_refcount_slices(const struct qcow2 *qcow2, uint64_t entries)
{
	return entries * (qcow2->cluster_size / qcow2_slice_size(qcow2));
}

static int find_place(struct qcow2 *qcow2, uint64_t cluster,
		      struct refcount_place *ret_place)
{
	uint64_t count = entries_of_slice(qcow2);

	*ret_place = (struct refcount_place){
		.number = cluster / count,
		.index = cluster % count,
		.count = count,
	};
	if (!block_offset(qcow2, cluster))
		return 0;
	return qcow2_cache_get(&qcow2->refcount_cache, ret_place->number,
			       &ret_place->slice);
}

int qcow2_refcount_get(struct qcow2 *qcow2, uint64_t cluster,
		       uint64_t *ret_refcount)
{
	struct refcount_place place;
	int ret = find_place(qcow2, cluster, &place);

	if (ret)
		return ret;
	*ret_refcount = 0;
	if (place.slice)
		*ret_refcount = qcow2_refcount_read(place.slice, place.index,
						    qcow2->info.refcount_order);
	return 0;
}

int qcow2_refcount_set(struct qcow2 *qcow2, uint64_t cluster, uint64_t refcount)
{
	struct refcount_place place;
	int ret = find_place(qcow2, cluster, &place);

	if (ret)
		return ret;
	if (!place.slice)
		return -EIO;
	if (refcount > qcow2_refcount_read(place.slice, place.index,
					   qcow2->info.refcount_order))
		qcow2->order.raised = true;
	qcow2_refcount_write(place.slice, place.index,
			     qcow2->info.refcount_order, refcount);
	qcow2_cache_mark_dirty(&qcow2->refcount_cache, place.number);
	return 0;
}

int qcow2_refcount_find_free(struct qcow2 *qcow2, uint64_t from,
			     uint64_t *ret_cluster)
{
	struct refcount_place place;
	int ret;

	for (;;) {
		ret = find_place(qcow2, from, &place);
		if (ret)
			return ret;
		if (!place.slice)
			break;
		while (place.index < place.count &&
		       qcow2_refcount_read(place.slice, place.index,
					   qcow2->info.refcount_order)) {
			place.index++;
			from++;
		}
		if (place.index < place.count)
			break;
	}
	*ret_cluster = from;
	return 0;
}

bool qcow2_refcount_is_covered(const struct qcow2 *qcow2, uint64_t cluster)
{
	return block_offset(qcow2, cluster) != 0;
}

/*
 * The new block is @cluster itself, so it begins by counting itself. The table
 * points at it only after its contents are durable: see qcow2_order.c.
 */
static int add_block(struct qcow2 *qcow2, uint64_t cluster)
{
	uint64_t offset = cluster << qcow2->cluster_bits;
	uint64_t table_index = cluster >> qcow2->refblock_bits;
	uint64_t in_block = cluster & ((1ULL << qcow2->refblock_bits) - 1);
	uint8_t *block;
	int ret;

	block = calloc(1, qcow2->cluster_size);
	if (!block)
		return -ENOMEM;
	qcow2_refcount_write(block, in_block, qcow2->info.refcount_order, 1);
	ret = qcow2_metadata_claim(qcow2, cluster, 1);
	if (!ret) {
		ret = file_write(qcow2->image.file, block, qcow2->cluster_size,
				 offset);
		if (ret && !MUTANT(NO_UNDO_OF_BLOCK_CLAIM))
			qcow2_metadata_remove(qcow2, cluster);
	}
	free(block);
	if (ret)
		return ret;
	if (!MUTANT(UNREPORTED_REFCOUNT_BLOCK))
		qcow2_order_wrote(qcow2, QCOW2_STAGE_REFCOUNTS);
	qcow2->reftable.entries[table_index] = be64_make(offset);
	qcow2_table_mark_dirty(&qcow2->reftable, table_index, 1);
	return 0;
}

int qcow2_refcount_cover(struct qcow2 *qcow2, uint64_t cluster)
{
	if (cluster >> qcow2->refblock_bits >= qcow2->reftable.count)
		return qcow2_reftable_grow(qcow2);
	return add_block(qcow2, cluster);
}

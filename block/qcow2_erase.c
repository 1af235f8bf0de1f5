/*
 * block/qcow2_erase.c - discard and write-zeroes.
 *
 * Both change L2 entries only, for whole clusters; write-zeroes writes what is
 * left at the ends. Version 2 has no zero clusters: there a cluster can only
 * be dropped, which makes it read as zeroes where nothing lies beneath, and
 * would bring the backing file's old data back where something does. So on
 * top of a backing file, version 2 writes zeroes, and ignores discards.
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>

enum erase {
	ERASE_DISCARD, /* as zeroes or as before; space back */
	ERASE_UNMAP,   /* as zeroes; space back */
	ERASE_KEEP,    /* as zeroes; space stays */
};

/* Whole clusters, of the disk. */
struct area {
	uint64_t offset;
	uint64_t count;
};

/* Does something lie beneath that an unallocated cluster would show? */
static bool has_backing(const struct qcow2 *qcow2, uint64_t offset)
{
	const struct image *backing = qcow2->image.backing;

	return backing && offset < backing->size;
}

/* The entry that takes the place of one that says @cluster. */
static uint64_t erased_entry(const struct qcow2 *qcow2, uint64_t offset,
			     uint64_t entry,
			     const struct qcow2_cluster *cluster,
			     enum erase how)
{
	bool backed = has_backing(qcow2, offset);

	switch (cluster->kind) {
	case QCOW2_ZERO_PLAIN:
		return entry;
	case QCOW2_UNALLOCATED:
		return backed && how != ERASE_DISCARD ? QCOW2_ZERO_FLAG : entry;
	case QCOW2_ZERO_ALLOCATED:
		if (how == ERASE_KEEP)
			return entry;
		break;
	case QCOW2_NORMAL:
		if (how == ERASE_KEEP && cluster->copied &&
		    qcow2->info.version >= 3)
			return entry | QCOW2_ZERO_FLAG;
		break;
	case QCOW2_COMPRESSED:
		break;
	}
	return backed ? QCOW2_ZERO_FLAG : 0;
}

/* Judges the entries of an area in one slice. */
static int erase_count_changes(struct qcow2 *qcow2, const uint8_t *slice,
			       uint64_t index, const struct area *area,
			       enum erase how, uint64_t *ret_changes)
{
	struct qcow2_cluster cluster;
	uint64_t entry, offset = area->offset;

	*ret_changes = 0;
	for (uint64_t i = 0; i < area->count; i++) {
		entry = qcow2_entry(slice, index + i);
		if (!qcow2_decode(qcow2, entry, &cluster))
			return qcow2_bad_l2(qcow2, offset, entry);
		if (erased_entry(qcow2, offset, entry, &cluster, how) != entry)
			++*ret_changes;
		offset += qcow2->cluster_size;
	}
	return 0;
}

/* An entry that keeps its host cluster releases nothing. */
static void erase_entry(struct qcow2 *qcow2, struct qcow2_l2_slice *slice,
			uint64_t at, uint64_t offset, enum erase how)
{
	uint64_t old = qcow2_entry(slice->data, slice->index + at), new;
	struct qcow2_cluster cluster;

	qcow2_decode(qcow2, old, &cluster);
	new = erased_entry(qcow2, offset, old, &cluster, how);
	if (new == old)
		return;
	qcow2_l2_set(qcow2, slice, at, new);
	if (!(new &QCOW2_OFFSET_MASK))
		qcow2_l2_release(qcow2, &cluster);
}

/*
 * Would anything change in this part of a table? Finding out first spares a
 * table that is shared with a snapshot, or is not there, from being made.
 */
static int is_needed(struct qcow2 *qcow2, const struct area *area,
		     enum erase how, bool *ret_needed)
{
	struct qcow2_place place = qcow2_find(qcow2, area->offset);
	uint64_t table, changes;
	uint8_t *slice;
	int ret;

	if (!qcow2_l2_offset(qcow2, qcow2_l1_entry(qcow2, place.l1_index),
			     &table))
		return qcow2_bad_l1(qcow2, place.l1_index);
	if (!table) {
		*ret_needed = how != ERASE_DISCARD &&
			      has_backing(qcow2, area->offset);
		return 0;
	}
	ret = qcow2_cache_get(&qcow2->l2_cache, table + place.slice_offset,
			      &slice);
	if (!ret)
		ret = erase_count_changes(qcow2, slice, place.index, area, how,
					  &changes);
	*ret_needed = !ret && changes;
	return ret;
}

/* An area within one slice. */
static int erase_in_slice(struct qcow2 *qcow2, const struct area *area,
			  enum erase how)
{
	struct qcow2_l2_slice slice;
	bool needed = false;
	int ret;

	ret = is_needed(qcow2, area, how, &needed);
	if (ret || !needed)
		return ret;
	ret = qcow2_alloc_make_room(qcow2);
	if (!ret)
		ret = qcow2_l2_own(qcow2, area->offset, &slice);
	if (ret)
		return ret;
	for (uint64_t i = 0; i < area->count; i++)
		erase_entry(qcow2, &slice, i,
			    area->offset + (i << qcow2->cluster_bits), how);
	return 0;
}

/*
 * The part of an area that the next step takes: to the end of a slice, or of
 * all that the L2 table would cover if there is none.
 */
static uint64_t next_count(const struct qcow2 *qcow2, const struct area *area)
{
	struct qcow2_place place = qcow2_find(qcow2, area->offset);
	uint64_t entry = qcow2_l1_entry(qcow2, place.l1_index);
	uint64_t table_entries = 1ULL << qcow2->l2_bits;
	uint64_t guest = qcow2_cluster_of(qcow2, area->offset);

	if (!(entry & QCOW2_OFFSET_MASK) && !has_backing(qcow2, area->offset))
		return min_u64(area->count,
			       table_entries - guest % table_entries);
	return min_u64(area->count, place.left);
}

static int erase(struct qcow2 *qcow2, struct area area, enum erase how)
{
	struct area part;
	int ret;

	while (area.count) {
		if (qcow2->corrupt)
			return -EUCLEAN;
		part.offset = area.offset;
		part.count = next_count(qcow2, &area);
		ret = erase_in_slice(qcow2, &part, how);
		if (ret)
			return ret;
		area.offset += part.count << qcow2->cluster_bits;
		area.count -= part.count;
	}
	return 0;
}

/* The clusters that lie in the range as a whole; the last may be cut off. */
static struct area whole_clusters(const struct qcow2 *qcow2, uint64_t offset,
				  uint64_t length)
{
	uint64_t start = align_up(offset, qcow2->cluster_size);
	uint64_t end = offset + length;

	if (end == qcow2->image.size)
		end = align_up(end, qcow2->cluster_size);
	end = align_down(end, qcow2->cluster_size);
	return (struct area){
		.offset = start,
		.count = end > start ? (end - start) >> qcow2->cluster_bits : 0,
	};
}

/* Can clusters from here on not be dropped, for what would show then? */
static bool must_stay(const struct qcow2 *qcow2, uint64_t offset)
{
	return qcow2->info.version < 3 && has_backing(qcow2, offset);
}

int qcow2_discard(struct image *image, uint64_t offset, uint64_t length)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	struct area area;

	/* The backing file ends before what lies behind its first part. */
	if (qcow2->info.version < 3 && image->backing &&
	    offset < image->backing->size) {
		if (offset + length <= image->backing->size)
			return 0;
		length -= image->backing->size - offset;
		offset = image->backing->size;
	}
	area = whole_clusters(qcow2, offset, length);
	return erase(qcow2, area, ERASE_DISCARD);
}

/* Where the tables cannot say it, in pieces of at most this. */
#define ZERO_BUFFER_SIZE (64 * KIB)

static int write_zero_data(struct image *image, uint64_t offset,
			   uint64_t length)
{
	uint64_t part;
	struct iovec iov;
	struct cursor from;
	uint8_t *zeroes;
	int ret = 0;

	if (!length || image_is_zero(image, offset, length))
		return 0;
	zeroes = calloc(1, ZERO_BUFFER_SIZE);
	if (!zeroes)
		return -ENOMEM;
	for (; length && !ret; offset += part, length -= part) {
		part = min_u64(length, ZERO_BUFFER_SIZE);
		iov = (struct iovec){zeroes, part};
		from = cursor_make(&iov, 1);
		ret = qcow2_write(image, offset, part, &from);
	}
	free(zeroes);
	return ret;
}

int qcow2_write_zeroes(struct image *image, uint64_t offset, uint64_t length,
		       bool may_unmap)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	struct area area = whole_clusters(qcow2, offset, length);
	uint64_t end = offset + length, area_end;
	int ret;

	if (must_stay(qcow2, offset))
		area.count = 0;
	if (!area.count)
		return write_zero_data(image, offset, length);
	ret = write_zero_data(image, offset, area.offset - offset);
	if (!ret)
		ret = erase(qcow2, area, may_unmap ? ERASE_UNMAP : ERASE_KEEP);
	area_end = area.offset + (area.count << qcow2->cluster_bits);
	if (!ret && area_end < end)
		ret = write_zero_data(image, area_end, end - area_end);
	return ret;
}

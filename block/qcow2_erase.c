/*
 * block/qcow2_erase.c - discard and write-zeroes.
 *
 * Both change L2 entries only, for whole subclusters; write-zeroes writes what
 * is left at the ends, unless the rest of its subcluster is zeroes, too. Space
 * is given back by the cluster, when nothing in it is data any more. A part of
 * a compressed cluster cannot be taken away: there write-zeroes writes zeroes,
 * and a discard does nothing.
 *
 * Where nothing lies beneath, a hole reads as zeroes, and tables that would say
 * no more need not be made. (Tools can ask for them: explicit_zeroes.)
 *
 * Version 2 has no zero clusters: there a cluster can only be dropped, which
 * makes it read as zeroes where nothing lies beneath, and would bring the
 * backing file's old data back where something does. So on top of a backing
 * file, version 2 writes zeroes, and ignores discards.
 *
 * A raw external data file has to hold the zeroes itself; then the tables can
 * stay as they are.
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>

enum erase {
	ERASE_DISCARD, /* as zeroes or as before; space back */
	ERASE_UNMAP,   /* as zeroes; space back */
	ERASE_KEEP,    /* as zeroes; space stays */
};

/* Whole subclusters, of the disk, in whole clusters or in one. */
struct area {
	uint64_t offset; /* of the first cluster */
	uint64_t count;	 /* clusters */
	uint32_t mask;	 /* subclusters of each */
};

/* Does something lie beneath that a hole in the cluster would show? */
static bool has_backing(const struct qcow2 *qcow2, uint64_t offset)
{
	const struct image *backing = qcow2->image.backing;

	return backing && offset < backing->size;
}

/* Has it to be said of a hole that it reads as zeroes? */
static bool must_be_said(const struct qcow2 *qcow2, uint64_t offset)
{
	return has_backing(qcow2, offset) ||
	       (qcow2->image.explicit_zeroes && qcow2->info.version >= 3);
}

/* And of one that was there before? */
static bool must_be_said_of_holes(const struct qcow2 *qcow2, uint64_t offset,
				  enum erase how)
{
	if (how == ERASE_DISCARD)
		return has_backing(qcow2, offset) &&
		       qcow2->image.explicit_zeroes;
	return must_be_said(qcow2, offset);
}

static uint32_t all_subclusters(const struct qcow2 *qcow2)
{
	return qcow2_subcluster_mask(0, qcow2->subcluster_count);
}

/* Has the cluster data in the host cluster that may stay reserved for it? */
static bool may_keep(const struct qcow2 *qcow2,
		     const struct qcow2_cluster *cluster)
{
	return cluster->data && cluster->copied && qcow2->info.version >= 3;
}

/* As if nothing had ever been written there. */
static void drop_host_cluster(struct qcow2_cluster *cluster)
{
	cluster->kind = QCOW2_NONE;
	cluster->host_offset = 0;
	cluster->copied = false;
}

/* Changes what is said of the cluster at @offset; false if nothing changes. */
static bool erase_cluster(const struct qcow2 *qcow2, uint64_t offset,
			  uint32_t mask, enum erase how,
			  struct qcow2_cluster *cluster)
{
	const struct qcow2_cluster old = *cluster;
	bool said = must_be_said(qcow2, offset);
	bool keep = how == ERASE_KEEP && may_keep(qcow2, &old);
	uint32_t gone = mask & old.data, holes = mask & ~(old.data | old.zero);

	if (old.kind == QCOW2_COMPRESSED) {
		if (mask != all_subclusters(qcow2))
			return false;
		gone = mask;
		holes = 0;
	}
	cluster->data &= ~mask;
	if (said || keep)
		cluster->zero |= gone;
	if (must_be_said_of_holes(qcow2, offset, how))
		cluster->zero |= holes;
	if (!cluster->data && (how != ERASE_KEEP || (gone && !keep)))
		drop_host_cluster(cluster);
	return cluster->kind != old.kind || cluster->data != old.data ||
	       cluster->zero != old.zero;
}

/* Would the entries of an area in one slice change? */
static int find_changes(struct qcow2 *qcow2, const uint8_t *slice,
			uint64_t index, const struct area *area, enum erase how,
			bool *ret_changes)
{
	struct qcow2_cluster cluster;
	uint64_t offset = area->offset;
	struct qcow2_entry entry;

	*ret_changes = false;
	for (uint64_t i = 0; i < area->count; i++) {
		entry = qcow2_entry(qcow2, slice, index + i);
		if (!qcow2_decode(qcow2, offset, entry, &cluster))
			return qcow2_bad_l2(qcow2, offset, entry);
		if (erase_cluster(qcow2, offset, area->mask, how, &cluster))
			*ret_changes = true;
		offset += qcow2->cluster_size;
	}
	return 0;
}

/* An entry that keeps its host cluster releases nothing. */
static void erase_entry(struct qcow2 *qcow2, struct qcow2_l2_slice *slice,
			uint64_t at, const struct area *area, enum erase how)
{
	uint64_t offset = area->offset + (at << qcow2->cluster_bits);
	struct qcow2_cluster old, new;

	qcow2_decode(qcow2, offset, qcow2_l2_get(qcow2, slice, at), &old);
	new = old;
	if (!erase_cluster(qcow2, offset, area->mask, how, &new))
		return;
	qcow2_l2_set(qcow2, slice, at, qcow2_encode(qcow2, &new));
	if (new.kind == QCOW2_NONE)
		qcow2_l2_release(qcow2, &old);
}

/*
 * Would anything change in this part of a table? Finding out first spares a
 * table that is shared with a snapshot, or is not there, from being made.
 */
static int is_needed(struct qcow2 *qcow2, const struct area *area,
		     enum erase how, bool *ret_needed)
{
	struct qcow2_place place = qcow2_find(qcow2, area->offset);
	uint64_t table;
	uint8_t *slice;
	int ret;

	if (!qcow2_l2_offset(qcow2, qcow2_l1_entry(qcow2, place.l1_index),
			     &table))
		return qcow2_bad_l1(qcow2, place.l1_index);
	if (!table) {
		*ret_needed = must_be_said_of_holes(qcow2, area->offset, how);
		return 0;
	}
	ret = qcow2_cache_get(&qcow2->l2_cache, place.slice, &slice);
	if (!ret)
		ret = find_changes(qcow2, slice, place.index, area, how,
				   ret_needed);
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
	ret = qcow2_dead_make_room(qcow2);
	if (!ret)
		ret = qcow2_l2_own(qcow2, area->offset, &slice);
	if (ret)
		return ret;
	for (uint64_t i = 0; i < area->count; i++)
		erase_entry(qcow2, &slice, i, area, how);
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

	if (!(entry & QCOW2_OFFSET_MASK) && !must_be_said(qcow2, area->offset))
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
		part = area;
		part.count = next_count(qcow2, &area);
		ret = erase_in_slice(qcow2, &part, how);
		if (ret)
			return ret;
		area.offset += part.count << qcow2->cluster_bits;
		area.count -= part.count;
	}
	return 0;
}

/* The front of [start, end): as many whole clusters, or the part of one. */
static struct area front_of(const struct qcow2 *qcow2, uint64_t start,
			    uint64_t end)
{
	uint64_t size = qcow2->cluster_size;
	struct area area = {
		.offset = align_down(start, size),
		.count = 1,
		.mask = all_subclusters(qcow2),
	};

	if (start == area.offset && end - start >= size) {
		area.count = (end - start) >> qcow2->cluster_bits;
		return area;
	}
	end = min_u64(end - area.offset, size);
	area.mask =
		qcow2_subcluster_mask(qcow2_subcluster_of(qcow2, start),
				      (unsigned int)(end >>
						     qcow2->subcluster_bits));
	return area;
}

/* Whole subclusters [start, end) of the disk. */
static int erase_range(struct qcow2 *qcow2, uint64_t start, uint64_t end,
		       enum erase how)
{
	struct area area;
	int ret = 0;

	while (start < end && !ret) {
		area = front_of(qcow2, start, end);
		ret = erase(qcow2, area, how);
		start = area.offset + (area.count << qcow2->cluster_bits);
	}
	return ret;
}

/*
 * Cuts a range down to whole subclusters; if there are none, *start >= *end.
 * What lies past the end of the disk may go with the last ones.
 */
static void cut_to_subclusters(const struct qcow2 *qcow2, uint64_t *start,
			       uint64_t *end)
{
	uint64_t size = 1ULL << qcow2->subcluster_bits;

	if (*end == qcow2->image.size)
		*end = align_up(*end, qcow2->cluster_size);
	*start = align_up(*start, size);
	*end = align_down(*end, size);
}

/* For a raw data file, all there is to do; the tables lead to the zeroes. */
static int zero_raw_data(struct qcow2 *qcow2, uint64_t offset, uint64_t length,
			 bool may_unmap)
{
	return file_zero(qcow2->image.data, offset, length, may_unmap);
}

int qcow2_discard(struct image *image, uint64_t offset, uint64_t length)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	uint64_t end = offset + length;

	if (qcow2_data_is_raw(qcow2))
		return zero_raw_data(qcow2, offset, length, true);
	/* The backing file ends before what lies behind its first part. */
	if (qcow2->info.version < 3 && image->backing)
		offset = max_u64(offset, min_u64(end, image->backing->size));
	cut_to_subclusters(qcow2, &offset, &end);
	return erase_range(qcow2, offset, end, ERASE_DISCARD);
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

	if (!length ||
	    (!image->explicit_zeroes && image_is_zero(image, offset, length)))
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

/*
 * Takes the parts of compressed clusters off both ends of a range of whole
 * subclusters.
 */
static int cut_off_compressed(struct qcow2 *qcow2, uint64_t *start,
			      uint64_t *end)
{
	uint64_t size = qcow2->cluster_size;
	struct qcow2_cluster cluster;
	struct qcow2_entry entry;
	int ret = 0;

	if (*start < *end && !is_aligned(*start, size)) {
		ret = qcow2_lookup(qcow2, *start, &entry, &cluster);
		if (!ret && cluster.kind == QCOW2_COMPRESSED)
			*start = align_up(*start, size);
	}
	if (!ret && *start < *end && !is_aligned(*end, size)) {
		ret = qcow2_lookup(qcow2, *end, &entry, &cluster);
		if (!ret && cluster.kind == QCOW2_COMPRESSED)
			*end = align_down(*end, size);
	}
	return ret;
}

/* Can the tables not say it, for what would show then? */
static bool must_stay(const struct qcow2 *qcow2, uint64_t offset)
{
	return qcow2->info.version < 3 && has_backing(qcow2, offset);
}

/*
 * Could the tables say it of the whole subcluster? Not where it holds data, or
 * where the rest of it would show something else.
 */
static int is_zero_around(struct qcow2 *qcow2, uint64_t offset, uint64_t length,
			  bool *ret_zero)
{
	struct image *image = &qcow2->image;
	uint64_t size = 1ULL << qcow2->subcluster_bits, end = offset + length;
	uint64_t start = align_down(offset, size);
	uint64_t stop = min_u64(start + size, image->size);
	struct qcow2_cluster cluster;
	struct qcow2_entry entry;
	int ret = qcow2_lookup(qcow2, offset, &entry, &cluster);

	*ret_zero = !ret && cluster.kind != QCOW2_COMPRESSED &&
		    !(cluster.data >> qcow2_subcluster_of(qcow2, offset) & 1) &&
		    image_is_zero(image, start, offset - start) &&
		    image_is_zero(image, end, stop - end);
	return ret;
}

/* A part of one subcluster, or parts of a compressed cluster. */
static int zero_part(struct qcow2 *qcow2, uint64_t offset, uint64_t length)
{
	uint64_t start = align_down(offset, 1ULL << qcow2->subcluster_bits);
	struct image *image = &qcow2->image;
	bool all;
	int ret;

	if (!length ||
	    (!image->explicit_zeroes && image_is_zero(image, offset, length)))
		return 0;
	ret = is_zero_around(qcow2, offset, length, &all);
	if (ret)
		return ret;
	if (all)
		return erase_range(qcow2, start,
				   start + (1ULL << qcow2->subcluster_bits),
				   ERASE_KEEP);
	return write_zero_data(image, offset, length);
}

int qcow2_write_zeroes(struct image *image, uint64_t offset, uint64_t length,
		       bool may_unmap)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	uint64_t start = offset, end = offset + length, stop = end;
	int ret;

	if (qcow2_data_is_raw(qcow2))
		return zero_raw_data(qcow2, offset, length, may_unmap);
	if (must_stay(qcow2, offset))
		return write_zero_data(image, offset, length);
	cut_to_subclusters(qcow2, &start, &stop);
	ret = cut_off_compressed(qcow2, &start, &stop);
	if (ret)
		return ret;
	if (start > stop)
		return zero_part(qcow2, offset, length);
	ret = zero_part(qcow2, offset, start - offset);
	if (!ret)
		ret = erase_range(qcow2, start, stop,
				  may_unmap ? ERASE_UNMAP : ERASE_KEEP);
	if (!ret && stop < end)
		ret = zero_part(qcow2, stop, end - stop);
	return ret;
}

/*
 * block/qcow2_map.c - from a guest offset to an extent, through L1 and L2.
 *
 * qcow2_map() is the fast path's question: it reads the L1 table, which is in
 * memory, and the cached slices of L2 tables, and changes nothing. Whatever it
 * cannot answer, or would rather not believe, is "not cached"; the slow path
 * then calls qcow2_load(), which reads the slice or finds out what is wrong.
 * Both judge entries with the same functions, so what loads without an error
 * is answered by the next qcow2_map().
 *
 * An entry is believed if it is aligned, below 2^56, inside the file and clear
 * of the image's own tables. Reserved bits are ignored, as QEMU does.
 */
#include "block/qcow2.h"

#include <errno.h>
#include <inttypes.h>

static bool is_host_cluster(const struct qcow2 *qcow2, uint64_t offset)
{
	return is_aligned(offset, qcow2->cluster_size) && offset &&
	       offset < file_size(qcow2->image.file);
}

/* "Compressed Clusters Descriptor" of the specification. */
static bool decode_compressed(const struct qcow2 *qcow2, uint64_t entry,
			      struct qcow2_cluster *cluster)
{
	unsigned int x = 62 - (qcow2->cluster_bits - 8);
	uint64_t sectors = (entry & (QCOW2_COMPRESSED_FLAG - 1)) >> x;

	cluster->kind = QCOW2_COMPRESSED;
	cluster->host_offset = entry & ((1ULL << x) - 1);
	cluster->host_length = (sectors + 1) * BLOCK_SECTOR -
			       cluster->host_offset % BLOCK_SECTOR;
	return cluster->host_offset < QCOW2_OFFSET_LIMIT &&
	       cluster->host_offset < file_size(qcow2->image.file);
}

static bool decode(const struct qcow2 *qcow2, uint64_t entry,
		   struct qcow2_cluster *ret_cluster)
{
	uint64_t offset = entry & QCOW2_OFFSET_MASK;
	bool zero = entry & QCOW2_ZERO_FLAG;

	*ret_cluster = (struct qcow2_cluster){
		.copied = entry & QCOW2_COPIED,
		.host_offset = offset,
	};
	if (entry & QCOW2_COMPRESSED_FLAG)
		return decode_compressed(qcow2, entry, ret_cluster);
	if (zero && qcow2->info.version < 3)
		return false;
	if (!offset) {
		ret_cluster->kind = zero ? QCOW2_ZERO_PLAIN : QCOW2_UNALLOCATED;
		return !ret_cluster->copied;
	}
	ret_cluster->kind = zero ? QCOW2_ZERO_ALLOCATED : QCOW2_NORMAL;
	/* A zero cluster need not have been written, so not be in the file. */
	return zero ? is_aligned(offset, qcow2->cluster_size)
		    : is_host_cluster(qcow2, offset);
}

/* Reading or writing where it leads touches none of the image's tables. */
static bool is_clear(const struct qcow2 *qcow2,
		     const struct qcow2_cluster *cluster)
{
	uint64_t length = qcow2->cluster_size;

	if (cluster->kind == QCOW2_UNALLOCATED ||
	    cluster->kind == QCOW2_ZERO_PLAIN)
		return true;
	if (cluster->kind == QCOW2_COMPRESSED)
		length = cluster->host_length;
	return !qcow2_metadata_overlaps(qcow2, cluster->host_offset, length);
}

bool qcow2_decode(const struct qcow2 *qcow2, uint64_t entry,
		  struct qcow2_cluster *ret_cluster)
{
	return decode(qcow2, entry, ret_cluster) &&
	       is_clear(qcow2, ret_cluster);
}

struct qcow2_place qcow2_find(const struct qcow2 *qcow2, uint64_t offset)
{
	uint64_t guest = qcow2_cluster_of(qcow2, offset);
	uint64_t in_table = guest & ((1ULL << qcow2->l2_bits) - 1);
	uint64_t slice = in_table >> qcow2->slice_bits;
	uint64_t index = in_table & ((1ULL << qcow2->slice_bits) - 1);

	return (struct qcow2_place){
		.l1_index = guest >> qcow2->l2_bits,
		.slice_offset = slice * qcow2->l2_cache.slice_size,
		.index = index,
		.left = (1ULL << qcow2->slice_bits) - index,
	};
}

bool qcow2_l2_offset(const struct qcow2 *qcow2, uint64_t l1_entry,
		     uint64_t *ret_offset)
{
	*ret_offset = l1_entry & QCOW2_OFFSET_MASK;
	return !*ret_offset || is_host_cluster(qcow2, *ret_offset);
}

int qcow2_bad_l1(struct qcow2 *qcow2, uint64_t l1_index)
{
	return qcow2_corrupt(qcow2,
			     "entry %" PRIu64 " of the L1 table is %#" PRIx64,
			     l1_index, qcow2_l1_entry(qcow2, l1_index));
}

int qcow2_bad_l2(struct qcow2 *qcow2, uint64_t offset, uint64_t entry)
{
	return qcow2_corrupt(qcow2,
			     "the L2 entry for guest offset %#" PRIx64
			     " is %#" PRIx64,
			     align_down(offset, qcow2->cluster_size), entry);
}

/* What an unallocated range is made of: a part of the backing file, or zero. */
static void map_through(struct image *image, uint64_t offset, uint64_t length,
			struct extent *ret_extent)
{
	struct image *backing = image->backing;

	if (!backing || offset >= backing->size) {
		*ret_extent = (struct extent){
			.kind = BLOCK_EXTENT_ZERO,
			.length = length,
		};
		return;
	}
	length = min_u64(length, backing->size - offset);
	backing->ops->map(backing, offset, length, ret_extent);
	ret_extent->writable_in_place = false;
}

/* Does an extent that has @first at its front go on with @next? */
static bool continues(const struct qcow2 *qcow2,
		      const struct qcow2_cluster *first,
		      const struct qcow2_cluster *next, uint64_t clusters)
{
	bool zero = next->kind == QCOW2_ZERO_PLAIN ||
		    next->kind == QCOW2_ZERO_ALLOCATED;

	switch (first->kind) {
	case QCOW2_NORMAL:
		return next->kind == QCOW2_NORMAL &&
		       next->copied == first->copied &&
		       next->host_offset ==
			       first->host_offset +
				       (clusters << qcow2->cluster_bits);
	case QCOW2_UNALLOCATED:
		return next->kind == QCOW2_UNALLOCATED;
	case QCOW2_ZERO_PLAIN:
	case QCOW2_ZERO_ALLOCATED:
		return zero;
	default:
		return false;
	}
}

/*
 * How many of the clusters at the front of [index, index + count) make one
 * extent; 0 if the first is not to be believed.
 */
static uint64_t map_run(const struct qcow2 *qcow2, const uint8_t *slice,
			uint64_t index, uint64_t count,
			struct qcow2_cluster *ret_first)
{
	struct qcow2_cluster cluster;
	uint64_t run = 0;

	for (; run < count; run++) {
		if (!qcow2_decode(qcow2, qcow2_entry(slice, index + run),
				  &cluster))
			break;
		if (!run)
			*ret_first = cluster;
		else if (!continues(qcow2, ret_first, &cluster, run))
			break;
	}
	return run;
}

/* @extent->length is that of the run already. */
static void map_cluster(struct qcow2 *qcow2, uint64_t offset,
			const struct qcow2_cluster *cluster,
			struct extent *extent)
{
	extent->image = &qcow2->image;
	switch (cluster->kind) {
	case QCOW2_NORMAL:
		extent->kind = BLOCK_EXTENT_DATA;
		extent->writable_in_place = cluster->copied &&
					    !qcow2->image.read_only &&
					    !qcow2->corrupt;
		extent->host_offset = cluster->host_offset +
				      offset % qcow2->cluster_size;
		break;
	case QCOW2_ZERO_PLAIN:
	case QCOW2_ZERO_ALLOCATED:
		extent->kind = BLOCK_EXTENT_ZERO;
		break;
	case QCOW2_COMPRESSED:
		extent->kind = BLOCK_EXTENT_COMPRESSED;
		break;
	case QCOW2_UNALLOCATED:
		map_through(&qcow2->image, offset, extent->length, extent);
	}
}

/* From @offset to the end of that many clusters; it lies in the first. */
static uint64_t bytes_in(const struct qcow2 *qcow2, uint64_t offset,
			 uint64_t clusters)
{
	return (clusters << qcow2->cluster_bits) - offset % qcow2->cluster_size;
}

void qcow2_map(struct image *image, uint64_t offset, uint64_t length,
	       struct extent *ret_extent)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	struct qcow2_place place = qcow2_find(qcow2, offset);
	uint64_t wanted = div_round_up(offset % qcow2->cluster_size + length,
				       qcow2->cluster_size);
	struct qcow2_cluster first;
	uint64_t l2_offset, run;
	const uint8_t *slice;

	*ret_extent = (struct extent){
		.kind = BLOCK_EXTENT_UNCACHED,
		.length = min_u64(length, bytes_in(qcow2, offset, place.left)),
	};
	if (!qcow2_l2_offset(qcow2, qcow2_l1_entry(qcow2, place.l1_index),
			     &l2_offset))
		return;
	if (!l2_offset) {
		map_through(image, offset, ret_extent->length, ret_extent);
		return;
	}
	slice = qcow2_cache_peek(&qcow2->l2_cache,
				 l2_offset + place.slice_offset);
	if (!slice)
		return;
	run = map_run(qcow2, slice, place.index, min_u64(wanted, place.left),
		      &first);
	if (!run)
		return;
	ret_extent->length = min_u64(length, bytes_in(qcow2, offset, run));
	map_cluster(qcow2, offset, &first, ret_extent);
}

int qcow2_lookup(struct qcow2 *qcow2, uint64_t offset, uint64_t *ret_entry,
		 struct qcow2_cluster *ret_cluster)
{
	struct qcow2_place place = qcow2_find(qcow2, offset);
	uint64_t l2_offset;
	uint8_t *slice;
	int ret;

	*ret_entry = 0;
	*ret_cluster = (struct qcow2_cluster){.kind = QCOW2_UNALLOCATED};
	if (!qcow2_l2_offset(qcow2, qcow2_l1_entry(qcow2, place.l1_index),
			     &l2_offset))
		return qcow2_bad_l1(qcow2, place.l1_index);
	if (!l2_offset)
		return 0;
	ret = qcow2_cache_get(&qcow2->l2_cache, l2_offset + place.slice_offset,
			      &slice);
	if (ret)
		return ret;
	*ret_entry = qcow2_entry(slice, place.index);
	if (!qcow2_decode(qcow2, *ret_entry, ret_cluster))
		return qcow2_bad_l2(qcow2, offset, *ret_entry);
	return 0;
}

int qcow2_load(struct image *image, uint64_t offset)
{
	struct image *backing = image->backing;
	struct qcow2_cluster cluster;
	uint64_t entry;
	int ret;

	ret = qcow2_lookup(qcow2_of(image), offset, &entry, &cluster);
	if (ret)
		return ret;
	if (cluster.kind != QCOW2_UNALLOCATED || !backing ||
	    offset >= backing->size || !backing->ops->load)
		return 0;
	return backing->ops->load(backing, offset);
}

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
 * of the image's own tables, and if no subcluster is both data and zeroes. With
 * an external data file it must be the place that the guest offset says, and
 * the cluster is always the image's own. Reserved bits are ignored, as QEMU
 * does.
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

/* What an entry that is not extended says of its one subcluster. */
static void decode_zero_flag(struct qcow2_entry entry,
			     struct qcow2_cluster *cluster)
{
	cluster->zero = entry.word & QCOW2_ZERO_FLAG ? 1 : 0;
	cluster->data = cluster->kind == QCOW2_NORMAL && !cluster->zero;
}

static void decode_bitmap(struct qcow2_entry entry,
			  struct qcow2_cluster *cluster)
{
	cluster->data = (uint32_t)entry.bitmap;
	cluster->zero = (uint32_t)(entry.bitmap >> 32);
}

/* In the image itself. */
static bool is_good(const struct qcow2 *qcow2,
		    const struct qcow2_cluster *cluster)
{
	if (cluster->kind == QCOW2_NONE)
		return !cluster->data && !cluster->copied;
	/* One without data need not have been written, so not be in the file */
	return cluster->data
		       ? is_host_cluster(qcow2, cluster->host_offset)
		       : is_aligned(cluster->host_offset, qcow2->cluster_size);
}

/* In an external data file, which may well be shorter. */
static bool is_good_outside(const struct qcow2 *qcow2, uint64_t offset,
			    const struct qcow2_cluster *cluster)
{
	if (cluster->kind == QCOW2_NONE)
		return !cluster->data;
	return cluster->host_offset == align_down(offset, qcow2->cluster_size);
}

/* Guest offset 0 has the host offset 0 there; then COPIED tells. */
static bool has_host_cluster(const struct qcow2 *qcow2,
			     const struct qcow2_cluster *cluster)
{
	return cluster->host_offset ||
	       (qcow2_has_data_file(qcow2) && cluster->copied);
}

static bool decode(const struct qcow2 *qcow2, uint64_t offset,
		   struct qcow2_entry entry, struct qcow2_cluster *cluster)
{
	*cluster = (struct qcow2_cluster){
		.copied = entry.word & QCOW2_COPIED,
		.host_offset = entry.word & QCOW2_OFFSET_MASK,
	};
	if (entry.word & QCOW2_COMPRESSED_FLAG)
		return !qcow2_has_data_file(qcow2) &&
		       decode_compressed(qcow2, entry.word, cluster);
	if (has_host_cluster(qcow2, cluster))
		cluster->kind = QCOW2_NORMAL;
	if (qcow2->subcluster_count > 1)
		decode_bitmap(entry, cluster);
	else
		decode_zero_flag(entry, cluster);
	if (cluster->data & cluster->zero ||
	    (cluster->zero && qcow2->info.version < 3))
		return false;
	if (!qcow2_has_data_file(qcow2))
		return is_good(qcow2, cluster);
	cluster->copied = cluster->kind == QCOW2_NORMAL;
	return is_good_outside(qcow2, offset, cluster);
}

/* Reading or writing where it leads touches none of the image's tables. */
static bool is_clear(const struct qcow2 *qcow2,
		     const struct qcow2_cluster *cluster)
{
	uint64_t length = qcow2->cluster_size;

	if (cluster->kind == QCOW2_NONE || qcow2_has_data_file(qcow2))
		return true;
	if (cluster->kind == QCOW2_COMPRESSED)
		length = cluster->host_length;
	return !qcow2_metadata_overlaps(qcow2, cluster->host_offset, length);
}

bool qcow2_decode(const struct qcow2 *qcow2, uint64_t offset,
		  struct qcow2_entry entry, struct qcow2_cluster *ret_cluster)
{
	return decode(qcow2, offset, entry, ret_cluster) &&
	       is_clear(qcow2, ret_cluster);
}

struct qcow2_entry qcow2_encode(const struct qcow2 *qcow2,
				const struct qcow2_cluster *cluster)
{
	struct qcow2_entry entry = {0};

	if (cluster->kind == QCOW2_NORMAL)
		entry.word = cluster->host_offset;
	if (cluster->kind == QCOW2_NORMAL && cluster->copied)
		entry.word |= QCOW2_COPIED;
	if (qcow2->subcluster_count > 1)
		entry.bitmap = (uint64_t)cluster->zero << 32 | cluster->data;
	else if (cluster->zero)
		entry.word |= QCOW2_ZERO_FLAG;
	return entry;
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

int qcow2_bad_l2(struct qcow2 *qcow2, uint64_t offset, struct qcow2_entry entry)
{
	offset = align_down(offset, qcow2->cluster_size);
	if (qcow2->subcluster_count > 1)
		return qcow2_corrupt(qcow2,
				     "the L2 entry for guest offset %#" PRIx64
				     " is %#" PRIx64
				     " with the subclusters %#" PRIx64,
				     offset, entry.word, entry.bitmap);
	return qcow2_corrupt(qcow2,
			     "the L2 entry for guest offset %#" PRIx64
			     " is %#" PRIx64,
			     offset, entry.word);
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

/* What a subcluster is made of. */
enum matter { BENEATH, DATA, ZERO, COMPRESSED };

static enum matter matter_of(const struct qcow2_cluster *cluster,
			     unsigned int subcluster)
{
	if (cluster->kind == QCOW2_COMPRESSED)
		return COMPRESSED;
	if (cluster->data >> subcluster & 1)
		return DATA;
	return cluster->zero >> subcluster & 1 ? ZERO : BENEATH;
}

/* How many subclusters of the cluster are like this one, from it on. */
static unsigned int count_like(const struct qcow2 *qcow2,
			       const struct qcow2_cluster *cluster,
			       unsigned int subcluster)
{
	uint32_t all = qcow2_subcluster_mask(0, qcow2->subcluster_count), like;

	switch (matter_of(cluster, subcluster)) {
	case DATA:
		like = cluster->data;
		break;
	case ZERO:
		like = cluster->zero;
		break;
	case BENEATH:
		like = all & ~(cluster->data | cluster->zero);
		break;
	default:
		return qcow2->subcluster_count - subcluster;
	}
	return (unsigned int)__builtin_ctzll(~(uint64_t)(like >> subcluster));
}

/*
 * Does an extent that began in @first go on in @next, so many clusters on?
 * Zeroes too are told apart by the host clusters that are reserved for them.
 */
static bool continues(const struct qcow2 *qcow2,
		      const struct qcow2_cluster *first, enum matter matter,
		      const struct qcow2_cluster *next, uint64_t clusters)
{
	if (matter == COMPRESSED || matter_of(next, 0) != matter)
		return false;
	if (matter == BENEATH)
		return true;
	return next->kind == first->kind && next->copied == first->copied &&
	       (next->kind == QCOW2_NONE ||
		next->host_offset ==
			first->host_offset + (clusters << qcow2->cluster_bits));
}

/*
 * How many subclusters from @offset on make one extent, in the entries [index,
 * index + count); 0 if the first is not to be believed.
 */
static uint64_t map_run(const struct qcow2 *qcow2, const uint8_t *slice,
			uint64_t index, uint64_t count, uint64_t offset,
			struct qcow2_cluster *ret_first)
{
	unsigned int at = qcow2_subcluster_of(qcow2, offset), like;
	struct qcow2_cluster cluster;
	enum matter matter = BENEATH;
	uint64_t run = 0;

	for (uint64_t i = 0; i < count; i++, at = 0) {
		if (!qcow2_decode(qcow2, offset + (i << qcow2->cluster_bits),
				  qcow2_entry(qcow2, slice, index + i),
				  &cluster))
			break;
		if (!i) {
			*ret_first = cluster;
			matter = matter_of(&cluster, at);
		} else if (!continues(qcow2, ret_first, matter, &cluster, i)) {
			break;
		}
		like = count_like(qcow2, &cluster, at);
		run += like;
		if (at + like < qcow2->subcluster_count)
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
	switch (matter_of(cluster, qcow2_subcluster_of(qcow2, offset))) {
	case DATA:
		extent->kind = BLOCK_EXTENT_DATA;
		extent->writable_in_place = cluster->copied &&
					    !qcow2->image.read_only &&
					    !qcow2->corrupt;
		extent->host_offset = cluster->host_offset +
				      offset % qcow2->cluster_size;
		break;
	case ZERO:
		extent->kind = BLOCK_EXTENT_ZERO;
		if (cluster->kind == QCOW2_NORMAL)
			extent->host_offset = cluster->host_offset +
					      offset % qcow2->cluster_size;
		break;
	case COMPRESSED:
		extent->kind = BLOCK_EXTENT_COMPRESSED;
		break;
	case BENEATH:
		map_through(&qcow2->image, offset, extent->length, extent);
	}
}

/* From @offset to the end of so many (sub)clusters; it lies in the first. */
static uint64_t bytes_in(uint64_t offset, uint64_t count, unsigned int bits)
{
	return (count << bits) - (offset & ((1ULL << bits) - 1));
}

void qcow2_map(struct image *image, uint64_t offset, uint64_t length,
	       struct extent *ret_extent)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	struct qcow2_place place = qcow2_find(qcow2, offset);
	uint64_t wanted = div_round_up(offset % qcow2->cluster_size + length,
				       qcow2->cluster_size);
	struct qcow2_cluster first = {.kind = QCOW2_NONE};
	uint64_t l2_offset, run;
	const uint8_t *slice;

	*ret_extent = (struct extent){
		.kind = BLOCK_EXTENT_UNCACHED,
		.length = min_u64(length, bytes_in(offset, place.left,
						   qcow2->cluster_bits)),
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
		      offset, &first);
	if (!run)
		return;
	ret_extent->length =
		min_u64(length, bytes_in(offset, run, qcow2->subcluster_bits));
	map_cluster(qcow2, offset, &first, ret_extent);
}

int qcow2_lookup(struct qcow2 *qcow2, uint64_t offset,
		 struct qcow2_entry *ret_entry,
		 struct qcow2_cluster *ret_cluster)
{
	struct qcow2_place place = qcow2_find(qcow2, offset);
	uint64_t l2_offset;
	uint8_t *slice;
	int ret;

	*ret_entry = (struct qcow2_entry){0};
	*ret_cluster = (struct qcow2_cluster){.kind = QCOW2_NONE};
	if (!qcow2_l2_offset(qcow2, qcow2_l1_entry(qcow2, place.l1_index),
			     &l2_offset))
		return qcow2_bad_l1(qcow2, place.l1_index);
	if (!l2_offset)
		return 0;
	ret = qcow2_cache_get(&qcow2->l2_cache, l2_offset + place.slice_offset,
			      &slice);
	if (ret)
		return ret;
	*ret_entry = qcow2_entry(qcow2, slice, place.index);
	if (!qcow2_decode(qcow2, offset, *ret_entry, ret_cluster))
		return qcow2_bad_l2(qcow2, offset, *ret_entry);
	return 0;
}

int qcow2_load(struct image *image, uint64_t offset)
{
	struct image *backing = image->backing;
	struct qcow2 *qcow2 = qcow2_of(image);
	struct qcow2_cluster cluster;
	struct qcow2_entry entry;
	int ret;

	ret = qcow2_lookup(qcow2, offset, &entry, &cluster);
	if (ret)
		return ret;
	if (matter_of(&cluster, qcow2_subcluster_of(qcow2, offset)) !=
		    BENEATH ||
	    !backing || offset >= backing->size || !backing->ops->load)
		return 0;
	return backing->ops->load(backing, offset);
}

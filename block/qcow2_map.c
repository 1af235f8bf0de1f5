/*
 * block/qcow2_map.c - from a guest offset to an extent, through L1 and L2.
 *
 * qcow2_map() is the fast path's question. It peeks at the slices of L2 tables
 * that are in memory, and at the L1 table for what has no L2 table; it waits
 * for nobody, though the slow path may be changing these at the same time. Each
 * entry is read once and says what was true at that moment. What it led to may
 * be replaced a moment later, but is not used for anything else as long as the
 * request is inside the disk's gate (fast.h).
 *
 * Why that is safe, beside each thing that the slow path does:
 *
 * Allocation, copy-on-write: the bytes are in the new cluster before the entry
 * leads there. What is copied cannot be changed by a write in place at the same
 * time, because it is not COPIED, or not data of this image. COPIED is never
 * taken from a cluster as long as it is pointed to; only tools do that, alone.
 *
 * Discard, write-zeroes: a write in place that was mapped before lands in a
 * dead cluster, or in one that is reserved for zeroes; who makes data of that
 * writes all of the subcluster first. Either way the write is lost, as if it
 * had come before the discard, which it overlaps. A read finds what was there.
 *
 * Compressed writes: as an allocation; the old bytes stay where they are.
 *
 * Loading, eviction: the slice is found to have changed (qcow2_cache.h).
 *
 * A table that is copied, because a snapshot has it too, says the same as
 * before; slices go by guest clusters, and do not notice. A new one is empty.
 *
 * Flush: writes out what is there, and lets dead clusters go that the gate has
 * outwaited. Refcounts are of no concern here.
 *
 * Whatever it cannot answer, or would rather not believe, is "not cached"; the
 * slow path then calls qcow2_load(), which reads the slice or finds out what is
 * wrong. Both judge entries with the same functions, so what loads without an
 * error is answered by the next qcow2_map().
 */
#include "block/qcow2.h"

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

/* Entries that follow each other and make one extent. */
struct run {
	uint64_t offset; /* in the disk, where it begins */
	struct qcow2_cluster first;
	enum matter matter;
	uint64_t clusters;    /* that were looked at */
	uint64_t subclusters; /* that are alike; in sum */
	bool ended;
};

/* Adds what the next cluster has of the same kind. */
static void run_add(const struct qcow2 *qcow2, struct run *run,
		    struct qcow2_entry entry)
{
	uint64_t offset = run->offset + (run->clusters << qcow2->cluster_bits);
	unsigned int at = 0, like;
	struct qcow2_cluster cluster;

	run->ended = true;
	if (!qcow2_decode(qcow2, offset, entry, &cluster))
		return;
	if (!run->clusters) {
		at = qcow2_subcluster_of(qcow2, offset);
		run->first = cluster;
		run->matter = matter_of(&cluster, at);
	} else if (!continues(qcow2, &run->first, run->matter, &cluster,
			      run->clusters)) {
		return;
	}
	like = count_like(qcow2, &cluster, at);
	run->subclusters += like;
	run->clusters++;
	run->ended = at + like < qcow2->subcluster_count;
}

/* Adds what one slice has; false if it is not there, or not at rest. */
static bool run_add_slice(const struct qcow2 *qcow2, struct run *run,
			  uint64_t wanted)
{
	uint64_t clusters = run->clusters, subclusters = run->subclusters;
	struct qcow2_place place =
		qcow2_find(qcow2,
			   run->offset + (clusters << qcow2->cluster_bits));
	uint64_t count = min_u64(place.left, wanted - clusters);
	struct qcow2_peek peek;

	if (!qcow2_cache_peek(&qcow2->l2_cache, place.slice, &peek))
		return false;
	for (uint64_t i = 0; i < count && !run->ended; i++)
		run_add(qcow2, run,
			qcow2_entry(qcow2, peek.slice, place.index + i));
	if (qcow2_cache_is_same(&qcow2->l2_cache, &peek))
		return true;
	run->clusters = clusters;
	run->subclusters = subclusters;
	return false;
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
				      qcow2_in_cluster(qcow2, offset);
		break;
	case ZERO:
		extent->kind = BLOCK_EXTENT_ZERO;
		if (cluster->kind == QCOW2_NORMAL)
			extent->host_offset = cluster->host_offset +
					      qcow2_in_cluster(qcow2, offset);
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

/* To the end of what one L2 table covers. */
static uint64_t bytes_in_table(const struct qcow2 *qcow2, uint64_t offset)
{
	return bytes_in(offset, 1, qcow2->cluster_bits + qcow2->l2_bits);
}

/* The same of all tables that follow and are not there, as far as @length. */
static uint64_t bytes_without_table(const struct qcow2 *qcow2, uint64_t offset,
				    uint64_t length)
{
	uint64_t bytes = bytes_in_table(qcow2, offset);

	while (bytes < length && !qcow2_has_table(qcow2, offset + bytes))
		bytes += bytes_in_table(qcow2, offset + bytes);
	return min_u64(bytes, length);
}

/* As qcow2_decode() finds it for each of the clusters. */
static bool may_be_data(const struct qcow2 *qcow2, uint64_t host,
			uint64_t length)
{
	return host && is_aligned(host, qcow2->cluster_size) &&
	       host + length - qcow2->cluster_size <
		       file_size(qcow2->image.file) &&
	       !qcow2_metadata_overlaps(qcow2, host, length);
}

/*
 * The same for what nearly all requests find, in a fifth of the time: data, in
 * a slice, without subclusters. False: it takes a closer look.
 */
static bool map_plain(struct qcow2 *qcow2, uint64_t offset, uint64_t length,
		      struct extent *extent)
{
	uint64_t in_cluster = qcow2_in_cluster(qcow2, offset);
	uint64_t last = (in_cluster + length - 1) >> qcow2->cluster_bits;
	struct qcow2_place place = qcow2_find(qcow2, offset);
	uint64_t word, host, count = 0;
	struct qcow2_peek peek;

	if (last >= place.left ||
	    !qcow2_cache_peek(&qcow2->l2_cache, place.slice, &peek))
		return false;
	word = qcow2_word_get(peek.slice, place.index);
	host = word & QCOW2_OFFSET_MASK;
	if (word & ~(QCOW2_COPIED | QCOW2_OFFSET_MASK))
		return false;
	while (count++ < last)
		if (qcow2_word_get(peek.slice, place.index + count) !=
		    word + (count << qcow2->cluster_bits))
			break;
	if (!may_be_data(qcow2, host, count << qcow2->cluster_bits) ||
	    !qcow2_cache_is_same(&qcow2->l2_cache, &peek))
		return false;
	*extent = (struct extent){
		.kind = BLOCK_EXTENT_DATA,
		.writable_in_place = word & QCOW2_COPIED &&
				     !qcow2->image.read_only && !qcow2->corrupt,
		.image = &qcow2->image,
		.host_offset = host + in_cluster,
		.length = min_u64(length,
				  (count << qcow2->cluster_bits) - in_cluster),
	};
	return true;
}

__attribute__((noinline)) static void map_any(struct image *image,
					      uint64_t offset, uint64_t length,
					      struct extent *ret_extent)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	uint64_t wanted = ((qcow2_in_cluster(qcow2, offset) + length - 1) >>
			   qcow2->cluster_bits) +
			  1;
	struct run run = {.offset = offset};

	*ret_extent = (struct extent){
		.kind = BLOCK_EXTENT_UNCACHED,
		.length = min_u64(length, bytes_in_table(qcow2, offset)),
	};
	while (run_add_slice(qcow2, &run, wanted))
		if (run.ended || run.clusters == wanted)
			break;
	if (run.subclusters) {
		ret_extent->length = min_u64(length,
					     bytes_in(offset, run.subclusters,
						      qcow2->subcluster_bits));
		map_cluster(qcow2, offset, &run.first, ret_extent);
	} else if (!run.ended && !qcow2_has_table(qcow2, offset)) {
		map_through(image, offset,
			    bytes_without_table(qcow2, offset, length),
			    ret_extent);
	}
}

void qcow2_map(struct image *image, uint64_t offset, uint64_t length,
	       struct extent *ret_extent)
{
	struct qcow2 *qcow2 = qcow2_of(image);

	if (!qcow2->is_plain || !map_plain(qcow2, offset, length, ret_extent))
		map_any(image, offset, length, ret_extent);
}

/*
 * Tables of some size are in no cache of the CPU: a look into them takes longer
 * than all the rest of qcow2_map().
 */
void qcow2_expect(const struct image *image, uint64_t offset)
{
	const struct qcow2 *qcow2 = qcow2_of_const(image);
	struct qcow2_place place;

	if (offset >= image->size)
		return;
	place = qcow2_find(qcow2, offset);
	qcow2_cache_expect(&qcow2->l2_cache, place.slice,
			   place.index * qcow2->entry_size);
}

bool qcow2_peek(const struct qcow2 *qcow2, uint64_t offset,
		struct qcow2_entry *ret_entry,
		struct qcow2_cluster *ret_cluster)
{
	struct qcow2_place place = qcow2_find(qcow2, offset);
	struct qcow2_peek peek;

	if (!qcow2_cache_peek(&qcow2->l2_cache, place.slice, &peek))
		return false;
	*ret_entry = qcow2_entry(qcow2, peek.slice, place.index);
	return qcow2_cache_is_same(&qcow2->l2_cache, &peek) &&
	       qcow2_decode(qcow2, offset, *ret_entry, ret_cluster);
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
	ret = qcow2_cache_get(&qcow2->l2_cache, place.slice, &slice);
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

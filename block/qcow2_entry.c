/*
 * block/qcow2_entry.c - what the entries of L1 and L2 tables say.
 *
 * An L2 entry is believed if it is aligned, below 2^56, inside the file and
 * clear of the image's own tables, and if no subcluster is both data and
 * zeroes. With an external data file it must be the place that the guest offset
 * says, and the cluster is always the image's own. Reserved bits are ignored,
 * as QEMU does.
 *
 * Everything here but the complaints is pure, and for any thread.
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

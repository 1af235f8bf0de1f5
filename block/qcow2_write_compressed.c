/*
 * block/qcow2_write_compressed.c - writing compressed clusters.
 *
 * They are packed one behind the other, byte by byte, so several share a host
 * cluster; its refcount counts each of them once, in every host cluster that
 * it touches. The tail is where the last one ended: the next one goes there if
 * its host cluster can be counted once more, and may run on into a new cluster
 * only where that happens to be the next on the host. The tail is not
 * remembered on disk; after opening, packing begins with a new cluster.
 *
 * The order is that of every write: refcounts and bytes first, then the L2
 * entry. What is already behind the tail's cluster is durable or not as it was;
 * its bytes are not written again.
 */
#include "block/qcow2.h"

#include <errno.h>

#include "block/mutant.h"

void qcow2_compressed_forget(struct qcow2 *qcow2, uint64_t cluster)
{
	if (qcow2_cluster_of(qcow2, qcow2->compressed_tail) == cluster)
		qcow2->compressed_tail = 0;
}

static uint64_t refcount_max(const struct qcow2 *qcow2)
{
	unsigned int bits = 1U << qcow2->info.refcount_order;

	return bits == 64 ? UINT64_MAX : (1ULL << bits) - 1;
}

/* Counts a cluster in use once more. -ENOSPC: its refcount has no room. */
static int share(struct qcow2 *qcow2, uint64_t cluster)
{
	uint64_t refcount;
	int ret = qcow2_refcount_get(qcow2, cluster, &refcount);

	if (ret)
		return ret;
	if (!refcount || refcount == refcount_max(qcow2))
		return -ENOSPC;
	return qcow2_refcount_set(qcow2, cluster, refcount + 1);
}

/* If that fails the refcount stays too high: a leak, no harm. */
static void unshare_cluster(struct qcow2 *qcow2, uint64_t cluster)
{
	uint64_t refcount;

	if (!qcow2_refcount_get(qcow2, cluster, &refcount) && refcount > 1)
		qcow2_refcount_set(qcow2, cluster, refcount - 1);
}

/* Where a compressed cluster goes, and what was counted for it. */
struct packing {
	uint64_t offset;
	uint64_t shared; /* the tail's host cluster; 0: none */
	uint64_t fresh;	 /* a new host cluster; 0: none */
};

/* Behind the tail, if all of it fits there. */
static int pack_in_tail(struct qcow2 *qcow2, size_t length,
			struct packing *packing)
{
	uint64_t tail = qcow2->compressed_tail;
	uint64_t cluster = qcow2_cluster_of(qcow2, tail);
	int ret;

	if (!tail || qcow2_cluster_of(qcow2, tail + length - 1) != cluster)
		return -ENOSPC;
	ret = share(qcow2, cluster);
	if (ret)
		return ret;
	*packing = (struct packing){.offset = tail, .shared = cluster};
	return 0;
}

/* Into a new cluster, from the tail on if that lies right before it. */
static int pack_in_fresh(struct qcow2 *qcow2, struct packing *packing)
{
	uint64_t tail = qcow2->compressed_tail;
	uint64_t cluster = qcow2_cluster_of(qcow2, tail);
	struct qcow2_taken taken;
	int ret;

	*packing = (struct packing){0};
	ret = qcow2_alloc_take(qcow2, 1, &taken);
	if (ret)
		return ret;
	packing->fresh = taken.run.first;
	packing->offset = packing->fresh << qcow2->cluster_bits;
	if (tail && packing->fresh == cluster + 1 && !share(qcow2, cluster)) {
		packing->offset = tail;
		packing->shared = cluster;
	}
	return 0;
}

static void undo(struct qcow2 *qcow2, const struct packing *packing)
{
	if (packing->shared)
		unshare_cluster(qcow2, packing->shared);
	if (packing->fresh)
		qcow2_alloc_undo(qcow2, (struct qcow2_run){packing->fresh, 1});
}

/* "Compressed Clusters Descriptor" of the specification. */
static uint64_t make_entry(const struct qcow2 *qcow2, uint64_t offset,
			   size_t length)
{
	unsigned int x = 62 - (qcow2->cluster_bits - 8);
	uint64_t sectors = (offset + length - 1) / BLOCK_SECTOR -
			   offset / BLOCK_SECTOR;

	return QCOW2_COMPRESSED_FLAG | sectors << x | offset;
}

/* The table for the entry, and what it says so far. */
static int find_old(struct qcow2 *qcow2, uint64_t offset,
		    struct qcow2_l2_slice *slice, struct qcow2_cluster *ret_old)
{
	struct qcow2_entry entry;
	int ret = qcow2_l2_own(qcow2, offset, slice);

	if (ret)
		return ret;
	entry = qcow2_l2_get(qcow2, slice, 0);
	if (!qcow2_decode(qcow2, offset, entry, ret_old))
		return qcow2_bad_l2(qcow2, offset, entry);
	return 0;
}

/* The point of no return: the bytes are where the entry will say. */
static int publish(struct qcow2 *qcow2, uint64_t offset, uint64_t entry)
{
	struct qcow2_l2_slice slice;
	struct qcow2_cluster old;
	int ret = find_old(qcow2, offset, &slice, &old);

	if (ret)
		return ret;
	qcow2_order_wrote(qcow2, QCOW2_STAGE_REFCOUNTS);
	qcow2_l2_set(qcow2, &slice, 0, (struct qcow2_entry){.word = entry});
	qcow2_l2_release(qcow2, &old);
	return 0;
}

/* The format has no room for offsets as large as those of other clusters. */
static bool is_describable(const struct qcow2 *qcow2, uint64_t end)
{
	return end <= 1ULL << (62 - (qcow2->cluster_bits - 8));
}

static int write_packed(struct qcow2 *qcow2, uint64_t offset,
			const void *packed, size_t length,
			const struct packing *packing)
{
	uint64_t end = packing->offset + length;
	int ret;

	if (!is_describable(qcow2, end))
		return -EFBIG;
	ret = file_write(qcow2->image.file, packed, length, packing->offset);
	if (!ret)
		ret = publish(qcow2, offset,
			      make_entry(qcow2, packing->offset, length));
	if (!ret)
		qcow2->compressed_tail = is_aligned(end, qcow2->cluster_size)
						 ? 0
						 : end;
	return ret;
}

int qcow2_write_compressed(struct image *image, uint64_t offset,
			   const void *packed, size_t length)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	struct qcow2_l2_slice slice;
	struct qcow2_cluster old;
	struct packing packing;
	int ret;

	if (qcow2->corrupt)
		return -EUCLEAN;
	if (qcow2_has_data_file(qcow2))
		return -ENOTSUP;
	if (!is_aligned(offset, qcow2->cluster_size) || !length ||
	    length >= qcow2->cluster_size)
		return -EINVAL;
	ret = qcow2_dead_make_room(qcow2);
	/* A table that has to be made comes before its data, here as always. */
	if (!ret)
		ret = find_old(qcow2, offset, &slice, &old);
	if (ret)
		return ret;
	ret = pack_in_tail(qcow2, length, &packing);
	if (ret == -ENOSPC)
		ret = pack_in_fresh(qcow2, &packing);
	if (ret)
		return ret;
	ret = write_packed(qcow2, offset, packed, length, &packing);
	if (ret && !MUTANT(NO_UNDO_OF_COMPRESSED_WRITE))
		undo(qcow2, &packing);
	return ret;
}

/*
 * block/qcow2_metadata.c - which clusters hold the image's own tables.
 *
 * In a sound image the refcounts keep guest data and tables apart. In a wrong
 * or hostile one they may not, and a guest's write would then change a table:
 * so every data extent, and every cluster that is about to be allocated, is
 * looked up here first. The set holds the header, the active L1 table and its
 * L2 tables and, for a writer, the refcount table and blocks, the snapshot
 * table and the snapshots' L1 tables. Snapshots' L2 tables are not in it, as
 * in QEMU's default; copy-on-write protects those.
 *
 * An open hash with linear probing, at most half full.
 */
#include "block/qcow2.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* A bound on the memory: 64 MiB, for images of many small clusters. */
#define METADATA_CLUSTERS_MAX (4 * MIB)

#define HASH_FACTOR 0x9e3779b97f4a7c15ULL

static uint64_t home_slot(const struct qcow2_metadata *metadata,
			  uint64_t cluster)
{
	return (cluster * HASH_FACTOR >> 32) & metadata->mask;
}

/* The slot that holds the cluster, or the empty one where it would be. */
static uint64_t find_slot(const struct qcow2_metadata *metadata,
			  uint64_t cluster)
{
	uint64_t slot = home_slot(metadata, cluster);

	while (metadata->slots[slot] && metadata->slots[slot] != cluster + 1)
		slot = (slot + 1) & metadata->mask;
	return slot;
}

static int metadata_resize(struct qcow2_metadata *metadata, uint64_t slots)
{
	struct qcow2_metadata larger = {
		.slots = calloc(slots, sizeof(*larger.slots)),
		.mask = slots - 1,
		.count = metadata->count,
	};

	if (!larger.slots)
		return -ENOMEM;
	for (uint64_t i = 0; metadata->slots && i <= metadata->mask; i++)
		if (metadata->slots[i])
			larger.slots[find_slot(&larger,
					       metadata->slots[i] - 1)] =
				metadata->slots[i];
	free(metadata->slots);
	*metadata = larger;
	return 0;
}

static int metadata_add(struct qcow2 *qcow2, uint64_t cluster)
{
	struct qcow2_metadata *metadata = &qcow2->metadata;
	uint64_t slot;
	int ret;

	if (metadata->count >= METADATA_CLUSTERS_MAX)
		return -EFBIG;
	if (2 * (metadata->count + 1) > metadata->mask) {
		ret = metadata_resize(metadata, 2 * (metadata->mask + 1));
		if (ret)
			return ret;
	}
	slot = find_slot(metadata, cluster);
	if (metadata->slots[slot])
		return -EEXIST;
	metadata->slots[slot] = cluster + 1;
	metadata->count++;
	return 0;
}

int qcow2_metadata_claim(struct qcow2 *qcow2, uint64_t first, uint64_t count)
{
	int ret = 0;

	for (uint64_t i = 0; i < count && !ret; i++) {
		ret = metadata_add(qcow2, first + i);
		if (!ret)
			continue;
		while (i--)
			qcow2_metadata_remove(qcow2, first + i);
		break;
	}
	if (ret == -EEXIST)
		return qcow2_corrupt(qcow2, "a table has no refcount");
	return ret;
}

/* May what is in @slot move to @hole without a search missing it? */
static bool may_move(const struct qcow2_metadata *metadata, uint64_t slot,
		     uint64_t hole)
{
	uint64_t home = home_slot(metadata, metadata->slots[slot] - 1);

	return ((slot - home) & metadata->mask) >=
	       ((slot - hole) & metadata->mask);
}

void qcow2_metadata_remove(struct qcow2 *qcow2, uint64_t cluster)
{
	struct qcow2_metadata *metadata = &qcow2->metadata;
	uint64_t hole = find_slot(metadata, cluster), slot = hole;

	if (!metadata->slots[hole])
		return;
	metadata->count--;
	for (;;) {
		metadata->slots[hole] = 0;
		do {
			slot = (slot + 1) & metadata->mask;
			if (!metadata->slots[slot])
				return;
		} while (!may_move(metadata, slot, hole));
		metadata->slots[hole] = metadata->slots[slot];
		hole = slot;
	}
}

bool qcow2_metadata_overlaps(const struct qcow2 *qcow2, uint64_t offset,
			     uint64_t length)
{
	const struct qcow2_metadata *metadata = &qcow2->metadata;
	uint64_t last = qcow2_cluster_of(qcow2, offset + length - 1);

	for (uint64_t i = qcow2_cluster_of(qcow2, offset); i <= last; i++)
		if (metadata->slots[find_slot(metadata, i)])
			return true;
	return false;
}

/*
 * For a reader it does not matter if tables overlap, as long as they read; and
 * an image that is to be repaired is read only until then.
 */
static bool is_lenient(const struct qcow2 *qcow2)
{
	return qcow2->image.read_only || qcow2->corrupt;
}

static int add_range(struct qcow2 *qcow2, uint64_t offset, uint64_t length)
{
	uint64_t first = qcow2_cluster_of(qcow2, offset);
	uint64_t end = first + div_round_up(length, qcow2->cluster_size);
	int ret;

	for (uint64_t i = first; i < end; i++) {
		ret = metadata_add(qcow2, i);
		if (ret && !(ret == -EEXIST && is_lenient(qcow2)))
			return ret;
	}
	return 0;
}

/* The clusters that a table's entries point at. */
static int add_entries(struct qcow2 *qcow2, const struct qcow2_table *table,
		       uint64_t mask)
{
	uint64_t offset;
	int ret;

	for (uint64_t i = 0; i < table->count; i++) {
		offset = be64_get(table->entries[i]) & mask;
		if (!offset)
			continue;
		if (!is_aligned(offset, qcow2->cluster_size) ||
		    offset >= file_size(qcow2->image.file)) {
			if (is_lenient(qcow2))
				continue;
			return -EUCLEAN;
		}
		ret = add_range(qcow2, offset, 1);
		if (ret)
			return ret;
	}
	return 0;
}

static int add_snapshot(void *context, uint64_t l1_offset, uint64_t l1_size)
{
	return add_range(context, l1_offset, l1_size * sizeof(be64));
}

static int add_writers(struct qcow2 *qcow2)
{
	uint64_t snapshot_bytes = 0;
	int ret;

	ret = add_range(qcow2, qcow2->reftable.offset,
			qcow2->reftable.count * sizeof(be64));
	if (!ret)
		ret = add_entries(qcow2, &qcow2->reftable, QCOW2_REFTABLE_MASK);
	if (!ret && qcow2->info.snapshot_count)
		ret = qcow2_snapshot_walk(qcow2, add_snapshot, qcow2,
					  &snapshot_bytes);
	if (!ret)
		ret = add_range(qcow2, qcow2->info.snapshots_offset,
				snapshot_bytes);
	return ret;
}

int qcow2_metadata_init(struct qcow2 *qcow2, struct err *err)
{
	const char *name = qcow2->image.name;
	int ret;

	ret = metadata_resize(&qcow2->metadata, 64);
	if (!ret)
		ret = add_range(qcow2, 0, 1);
	if (!ret)
		ret = add_range(qcow2, qcow2->l1.offset,
				qcow2->l1.count * sizeof(be64));
	if (!ret)
		ret = add_entries(qcow2, &qcow2->l1, QCOW2_OFFSET_MASK);
	if (!ret && !is_lenient(qcow2))
		ret = add_writers(qcow2);
	if (ret == -EEXIST || ret == -EUCLEAN)
		return err_set(err, EUCLEAN,
			       "the tables of %s overlap or are not where they "
			       "can be; \"alcor img check -r all\" may repair "
			       "it, \"ro\" reads what is left",
			       name);
	if (ret == -EFBIG)
		return err_set(err, EFBIG, "%s has too many tables", name);
	if (ret)
		return err_errno(err, -ret, "cannot read the tables of %s",
				 name);
	return 0;
}

void qcow2_metadata_fini(struct qcow2 *qcow2)
{
	free(qcow2->metadata.slots);
	qcow2->metadata = (struct qcow2_metadata){0};
}

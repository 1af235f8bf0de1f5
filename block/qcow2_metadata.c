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
 * The set is an open hash with linear probing, at most half full, that can be
 * read while it changes. A cluster is never moved within a set; where one was
 * removed, a mark keeps searches going that have to pass. When a set is half
 * full, marks included, it is replaced by one of twice the size. It stays, for
 * those who are still reading it: all the older ones together are smaller than
 * the one in use. Who reads an old one may miss a cluster that becomes a table
 * just now; nothing of a sound image leads there then.
 *
 * Where a cluster is looked for depends on a random number, or an image could
 * be made for which each search passes all others.
 */
#include "block/qcow2.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>

/* A bound on the memory: 16 MiB, for images of very many small clusters. */
#define METADATA_CLUSTERS_MAX (1 * MIB - 2)
#define METADATA_SLOTS_MIN    64

enum { SLOT_EMPTY = 0, SLOT_REMOVED = 1, SLOT_CLUSTER = 2 /* + cluster */ };

struct qcow2_metadata_set {
	struct qcow2_metadata_set *older;
	uint64_t factor; /* [c] random and odd */
	uint64_t mask;	 /* [c] slots - 1 */
	uint64_t used;	 /* slots that are not empty */
	_Atomic uint64_t slots[];
};

static struct qcow2_metadata_set *set_of(const struct qcow2_metadata *metadata)
{
	return atomic_load_explicit(&metadata->set, memory_order_acquire);
}

static uint64_t first_slot(const struct qcow2_metadata_set *set,
			   uint64_t cluster)
{
	return cluster * set->factor >> 32 & set->mask;
}

/* Where the cluster is, or the empty slot where the search for it ends. */
static uint64_t find_slot(const struct qcow2_metadata_set *set,
			  uint64_t cluster, uint64_t *ret_content)
{
	uint64_t slot = first_slot(set, cluster);

	for (;; slot = (slot + 1) & set->mask) {
		*ret_content = atomic_load_explicit(&set->slots[slot],
						    memory_order_acquire);
		if (*ret_content == SLOT_EMPTY ||
		    *ret_content == cluster + SLOT_CLUSTER)
			return slot;
	}
}

static void set_slot(struct qcow2_metadata_set *set, uint64_t slot,
		     uint64_t content)
{
	atomic_store_explicit(&set->slots[slot], content, memory_order_release);
}

/* Into the first slot that was removed on the way, if there is one. */
static bool set_add(struct qcow2_metadata_set *set, uint64_t cluster)
{
	uint64_t content, end = find_slot(set, cluster, &content);
	uint64_t slot = first_slot(set, cluster);

	if (content != SLOT_EMPTY)
		return false;
	while (slot != end && atomic_load(&set->slots[slot]) != SLOT_REMOVED)
		slot = (slot + 1) & set->mask;
	set_slot(set, slot, cluster + SLOT_CLUSTER);
	set->used += slot == end;
	return true;
}

/* Later, in a sandbox, the kernel might not be asked any more. */
static uint64_t choose_factor(const struct qcow2_metadata_set *old)
{
	uint64_t factor = 0x9e3779b97f4a7c15ULL;

	if (old)
		return old->factor;
	if (getrandom(&factor, sizeof(factor), GRND_NONBLOCK) < 0)
		factor ^= (uintptr_t)&factor;
	return factor | 1;
}

static int replace_set(struct qcow2_metadata *metadata, uint64_t slots)
{
	struct qcow2_metadata_set *old = set_of(metadata), *new;
	uint64_t content;

	new = calloc(1, sizeof(*new) + slots * sizeof(new->slots[0]));
	if (!new)
		return -ENOMEM;
	new->factor = choose_factor(old);
	new->mask = slots - 1;
	new->older = old;
	for (uint64_t i = 0; old && i <= old->mask; i++) {
		content = atomic_load(&old->slots[i]);
		if (content >= SLOT_CLUSTER)
			set_add(new, content - SLOT_CLUSTER);
	}
	atomic_store_explicit(&metadata->set, new, memory_order_release);
	return 0;
}

/* Nobody else reads them. */
static void free_older(struct qcow2_metadata_set *set)
{
	struct qcow2_metadata_set *older = set->older;

	set->older = NULL;
	for (set = older; set; set = older) {
		older = set->older;
		free(set);
	}
}

static int metadata_add(struct qcow2 *qcow2, uint64_t cluster)
{
	struct qcow2_metadata *metadata = &qcow2->metadata;
	struct qcow2_metadata_set *set = set_of(metadata);
	int ret;

	if (metadata->count >= METADATA_CLUSTERS_MAX)
		return -EFBIG;
	if (2 * (set->used + 1) > set->mask) {
		ret = replace_set(metadata, 2 * (set->mask + 1));
		if (ret)
			return ret;
	}
	if (!set_add(set_of(metadata), cluster))
		return -EEXIST;
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

/* No search has to pass the last slot of a row: so it becomes empty again. */
void qcow2_metadata_remove(struct qcow2 *qcow2, uint64_t cluster)
{
	struct qcow2_metadata_set *set = set_of(&qcow2->metadata);
	uint64_t content, slot = find_slot(set, cluster, &content);

	if (content == SLOT_EMPTY)
		return;
	qcow2->metadata.count--;
	set_slot(set, slot, SLOT_REMOVED);
	if (atomic_load(&set->slots[(slot + 1) & set->mask]) != SLOT_EMPTY)
		return;
	for (; atomic_load(&set->slots[slot]) == SLOT_REMOVED; set->used--) {
		set_slot(set, slot, SLOT_EMPTY);
		slot = (slot - 1) & set->mask;
	}
}

bool qcow2_metadata_overlaps(const struct qcow2 *qcow2, uint64_t offset,
			     uint64_t length)
{
	const struct qcow2_metadata_set *set = set_of(&qcow2->metadata);
	uint64_t last = qcow2_cluster_of(qcow2, offset + length - 1), content;

	for (uint64_t i = qcow2_cluster_of(qcow2, offset); i <= last; i++) {
		find_slot(set, i, &content);
		if (content != SLOT_EMPTY)
			return true;
	}
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

/* While the image is being opened, and nobody reads an older set. */
static int add_range(struct qcow2 *qcow2, uint64_t offset, uint64_t length)
{
	uint64_t first = qcow2_cluster_of(qcow2, offset);
	uint64_t end = first + div_round_up(length, qcow2->cluster_size);
	int ret;

	for (uint64_t i = first; i < end; i++) {
		ret = metadata_add(qcow2, i);
		free_older(set_of(&qcow2->metadata));
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
		/* A reader is told of most lies, which is good enough. */
		if (ret)
			return ret == -EFBIG && is_lenient(qcow2) ? 0 : ret;
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

	ret = replace_set(&qcow2->metadata, METADATA_SLOTS_MIN);
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
		return err_set(err, EFBIG,
			       "%s has too many tables to be written; \"ro\" "
			       "reads it",
			       name);
	if (ret)
		return err_errno(err, -ret, "cannot read the tables of %s",
				 name);
	return 0;
}

void qcow2_metadata_fini(struct qcow2 *qcow2)
{
	struct qcow2_metadata_set *set = set_of(&qcow2->metadata);

	if (set)
		free_older(set);
	free(set);
	qcow2->metadata = (struct qcow2_metadata){.count = 0};
}

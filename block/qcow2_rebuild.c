/*
 * block/qcow2_rebuild.c - new tables aside, and the switch to them; see
 * qcow2_tables.h.
 *
 * Order of writes: all that is new, into clusters that neither the old state
 * nor the new one refers to; a flush; the header, in one sector; a flush. The
 * header leads to the L1 table, the snapshot table and the refcount table at
 * once, so no moment has refcounts or COPIED flags that do not fit each other,
 * and there is nothing to undo if a step fails: the file has grown, no more.
 */
#include "block/qcow2_tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/mutant.h"

/* --- Tables --------------------------------------------------------------- */

/* Whole clusters, so that nothing old is left behind the table. */
int qcow2_rebuild_write(struct qcow2_rebuild *rebuild, const void *data,
			uint64_t length, uint64_t *ret_offset)
{
	struct qcow2_tables *tables = rebuild->tables;
	uint64_t clusters = max_u64(div_round_up(length, tables->cluster_size),
				    1);
	uint64_t end = clusters << tables->info.cluster_bits;
	int ret;

	ret = qcow2_tables_spend(tables, end);
	if (!ret)
		ret = qcow2_rebuild_take(rebuild, clusters, ret_offset);
	tables->hole_end = 0;
	if (!ret && length)
		ret = file_write(tables->file, data, length, *ret_offset);
	if (!ret && length < end)
		ret = file_fill_zeroes(tables->file, *ret_offset + length,
				       end - length);
	return ret;
}

/* For an entry that nobody can follow. */
static struct qcow2_entry zero_entry(const struct qcow2_tables *tables)
{
	if (tables->entry_words > 1)
		return (struct qcow2_entry){.bitmap = UINT64_MAX << 32};
	return (struct qcow2_entry){
		.word = tables->info.version > 2 ? QCOW2_ZERO_FLAG : 0,
	};
}

static bool is_copied(const struct qcow2_tables *tables, uint64_t offset)
{
	uint64_t cluster = offset >> tables->info.cluster_bits;

	return tables->has_data_file ||
	       qcow2_counts_get(&tables->counts, cluster) == 1;
}

/* COPIED only counts in tables that guests write. */
static struct qcow2_entry mend_entry(const struct qcow2_tables *tables,
				     struct qcow2_entry entry, bool active)
{
	uint64_t offset = entry.word & QCOW2_OFFSET_MASK;
	uint64_t flags = entry.word & (QCOW2_COPIED | QCOW2_ZERO_FLAG);

	if (qcow2_tables_is_lost(tables, entry))
		return zero_entry(tables);
	if (entry.word & QCOW2_COMPRESSED_FLAG)
		return (struct qcow2_entry){entry.word & ~QCOW2_COPIED, 0};
	if (!qcow2_tables_has_cluster(tables, entry)) {
		flags &= ~QCOW2_COPIED;
		entry.bitmap &= UINT64_MAX << 32;
	} else if (active) {
		flags &= ~QCOW2_COPIED;
		flags |= is_copied(tables, offset) ? QCOW2_COPIED : 0;
	}
	return (struct qcow2_entry){offset | flags, entry.bitmap};
}

/* A walk over an L1 table and those below. */
struct tree {
	struct qcow2_rebuild *rebuild;
	bool active;
	unsigned int times;
	uint64_t guest;		  /* cluster of the disk that comes next */
	be64 *l2;		  /* room for a table */
	struct qcow2_counts kept; /* 1: the L2 table is right as it is */
};

static bool is_cut_off(const struct tree *tree, uint64_t guest)
{
	return tree->active && guest >= tree->rebuild->tables->end;
}

/* Makes a table what it must be; true if that is not what it was. */
static bool mend_l2(const struct tree *tree)
{
	const struct qcow2_tables *tables = tree->rebuild->tables;
	struct qcow2_entry old, new;
	bool changed = false;

	for (uint64_t i = 0; i < tables->l2_entries; i++) {
		old = qcow2_tables_entry(tables, tree->l2, i);
		new = mend_entry(tables, old, tree->active);
		if (is_cut_off(tree, tree->guest + i))
			new = (struct qcow2_entry){0};
		if (new.word == old.word &&new.bitmap == old.bitmap)
			continue;
		changed = true;
		tree->l2[i * tables->entry_words] = be64_make(new.word);
		if (tables->entry_words > 1)
			tree->l2[i * tables->entry_words + 1] =
				be64_make(new.bitmap);
	}
	return changed;
}

/* Many may lead to it. One that is cut through is not the same for all. */
static int keep_l2(struct tree *tree, uint64_t cluster)
{
	if (is_cut_off(tree, tree->guest + tree->rebuild->tables->l2_entries))
		return 0;
	return qcow2_counts_set(&tree->kept, cluster, 1);
}

/* *offset becomes that of the table's replacement, if there has to be one. */
static int rebuild_l2(struct tree *tree, uint64_t *offset)
{
	struct qcow2_tables *tables = tree->rebuild->tables;
	struct qcow2_counts *counts = &tables->counts;
	unsigned int bits = tables->info.cluster_bits;
	uint64_t old = *offset >> bits, count;
	int ret;

	if (qcow2_counts_get(&tree->kept, old) ||
	    qcow2_tables_is_hole(tables, *offset, tables->cluster_size))
		return 0;
	ret = file_read(tables->file, tree->l2, tables->cluster_size, *offset);
	if (ret)
		return ret;
	if (!mend_l2(tree))
		return keep_l2(tree, old);
	ret = qcow2_rebuild_write(tree->rebuild, tree->l2, tables->cluster_size,
				  offset);
	if (ret)
		return ret;
	count = qcow2_counts_get(counts, old);
	if (tree->times > count || tree->times > qcow2_counts_max(counts))
		return -ERANGE;
	ret = qcow2_counts_set(counts, old, count - tree->times);
	return ret ? ret
		   : qcow2_counts_set(counts, *offset >> bits, tree->times);
}

static int rebuild_l1_entry(struct tree *tree, be64 *entry)
{
	struct qcow2_tables *tables = tree->rebuild->tables;
	uint64_t old = be64_get(*entry), offset = old & QCOW2_OFFSET_MASK;
	unsigned int bits = tables->info.cluster_bits;
	uint64_t before = offset;
	int ret;

	if (qcow2_tables_is_lost_l1(tables, old) ||
	    is_cut_off(tree, tree->guest)) {
		*entry = be64_make(0);
		return 0;
	}
	ret = rebuild_l2(tree, &offset);
	if (ret || (!tree->active && offset == before))
		return ret;
	if (tree->active &&
	    qcow2_counts_get(&tables->counts, offset >> bits) == 1)
		offset |= QCOW2_COPIED;
	*entry = be64_make(offset);
	return 0;
}

int qcow2_rebuild_l1(struct qcow2_rebuild *rebuild, be64 *l1, uint64_t l1_size,
		     bool active, unsigned int times)
{
	struct tree tree = {
		.rebuild = rebuild,
		.active = active,
		.times = times,
		.l2 = malloc(rebuild->tables->cluster_size),
	};
	int ret;

	ret = qcow2_tables_count(rebuild->tables, 0, &tree.kept);
	if (!tree.l2)
		ret = -ENOMEM;
	for (uint64_t i = 0; i < l1_size && !ret; i++) {
		tree.guest = i * rebuild->tables->l2_entries;
		if (be64_get(l1[i]))
			ret = rebuild_l1_entry(&tree, &l1[i]);
	}
	qcow2_counts_fini(&tree.kept);
	free(tree.l2);
	return ret;
}

/* --- Refcounts ------------------------------------------------------------ */

static uint64_t per_block(const struct qcow2_rebuild *rebuild)
{
	const struct qcow2_tables *tables = rebuild->tables;

	return tables->cluster_size * 8 >> tables->info.refcount_order;
}

static uint64_t blocks_needed(const struct qcow2_rebuild *rebuild)
{
	return div_round_up(qcow2_counts_end(&rebuild->tables->counts),
			    per_block(rebuild));
}

static int grow_blocks(struct qcow2_rebuild *rebuild, uint64_t count)
{
	uint64_t *blocks;

	if (count <= rebuild->block_count)
		return 0;
	if (count * sizeof(be64) > QCOW2_REFTABLE_BYTES_MAX)
		return -EFBIG;
	blocks = realloc(rebuild->blocks, count * sizeof(*blocks));
	if (!blocks)
		return -ENOMEM;
	memset(blocks + rebuild->block_count, 0,
	       (count - rebuild->block_count) * sizeof(*blocks));
	rebuild->blocks = blocks;
	rebuild->block_count = count;
	return 0;
}

/* Blocks for what has none yet. Taking one may change what needs one. */
static int take_blocks(struct qcow2_rebuild *rebuild, bool *ret_changed)
{
	const struct qcow2_counts *counts = &rebuild->tables->counts;
	uint64_t step = per_block(rebuild), at = 0, i;
	int ret = grow_blocks(rebuild, blocks_needed(rebuild));

	while (!ret) {
		at = qcow2_counts_next(counts, at, counts->clusters);
		i = at / step;
		if (at == counts->clusters || i >= rebuild->block_count)
			break;
		at = (i + 1) * step;
		if (rebuild->blocks[i])
			continue;
		*ret_changed = true;
		ret = qcow2_rebuild_take(rebuild, 1, &rebuild->blocks[i]);
	}
	return ret;
}

/* With room for half as many again, or a growing image would grow it soon. */
static int take_reftable(struct qcow2_rebuild *rebuild, bool *ret_changed)
{
	struct qcow2_tables *tables = rebuild->tables;
	uint64_t count = blocks_needed(rebuild), clusters;
	uint64_t entries = tables->cluster_size / sizeof(be64);

	if (count <= rebuild->reftable_clusters * entries)
		return 0;
	*ret_changed = true;
	for (uint64_t i = 0; i < rebuild->reftable_clusters; i++)
		qcow2_counts_set(&tables->counts,
				 (rebuild->reftable_offset >>
				  tables->info.cluster_bits) +
					 i,
				 0);
	clusters = div_round_up(count + count / 2, entries);
	if (clusters << tables->info.cluster_bits > QCOW2_REFTABLE_BYTES_MAX)
		return -EFBIG;
	rebuild->reftable_clusters = clusters;
	return qcow2_rebuild_take(rebuild, clusters, &rebuild->reftable_offset);
}

static int take_refcounts(struct qcow2_rebuild *rebuild)
{
	bool changed;
	int ret;

	do {
		changed = false;
		ret = take_blocks(rebuild, &changed);
		if (!ret)
			ret = take_reftable(rebuild, &changed);
	} while (changed && !ret);
	return ret;
}

static int write_reftable(struct qcow2_rebuild *rebuild)
{
	struct qcow2_tables *tables = rebuild->tables;
	uint64_t bytes = rebuild->reftable_clusters
			 << tables->info.cluster_bits;
	be64 *table = calloc(1, bytes);
	int ret;

	if (!table)
		return -ENOMEM;
	for (uint64_t i = 0; i < rebuild->block_count; i++)
		table[i] = be64_make(rebuild->blocks[i]);
	ret = file_write(tables->file, table, bytes, rebuild->reftable_offset);
	free(table);
	return ret;
}

static int write_block(struct qcow2_rebuild *rebuild, uint64_t index,
		       uint8_t *block)
{
	struct qcow2_tables *tables = rebuild->tables;

	qcow2_counts_copy(&tables->counts, index * per_block(rebuild),
			  tables->cluster_size, block);
	return file_write(tables->file, block, tables->cluster_size,
			  rebuild->blocks[index]);
}

static int write_refcounts(struct qcow2_rebuild *rebuild)
{
	uint8_t *block = malloc(rebuild->tables->cluster_size);
	int ret = block ? take_refcounts(rebuild) : -ENOMEM;

	for (uint64_t i = 0; i < rebuild->block_count && !ret; i++)
		if (rebuild->blocks[i])
			ret = write_block(rebuild, i, block);
	free(block);
	return ret ? ret : write_reftable(rebuild);
}

/* --- The switch ----------------------------------------------------------- */

static int write_l1(struct qcow2_rebuild *rebuild)
{
	struct qcow2_tables *tables = rebuild->tables;
	uint64_t offset;
	int ret;

	ret = qcow2_rebuild_write(rebuild, tables->l1,
				  tables->info.l1_size * sizeof(be64), &offset);
	tables->header.l1_table_offset = be64_make(offset);
	tables->header.l1_size = be32_make((uint32_t)tables->info.l1_size);
	return ret;
}

static int write_snapshots(struct qcow2_rebuild *rebuild)
{
	struct qcow2_tables *tables = rebuild->tables;
	const struct qcow2_snapshot_table *snapshots = &tables->snapshots;
	uint64_t offset = 0;
	int ret = 0;

	if (snapshots->count)
		ret = qcow2_rebuild_write(rebuild, snapshots->bytes,
					  snapshots->length, &offset);
	tables->header.snapshots_offset = be64_make(offset);
	tables->header.nb_snapshots = be32_make((uint32_t)snapshots->count);
	return ret;
}

int qcow2_rebuild_publish(struct qcow2_rebuild *rebuild)
{
	struct qcow2_tables *tables = rebuild->tables;
	struct qcow2_header *header = &tables->header;
	size_t length = tables->info.version > 2 ? QCOW2_V3_LENGTH
						 : QCOW2_V2_LENGTH;
	int ret;

	ret = write_l1(rebuild);
	if (!ret)
		ret = write_snapshots(rebuild);
	if (!ret)
		ret = write_refcounts(rebuild);
	if (!ret && !MUTANT(NO_BARRIER_BEFORE_SWITCH))
		ret = file_flush(tables->file);
	if (ret)
		return ret;
	header->autoclear_features = be64_make(
		tables->info.autoclear & (QCOW2_BITMAPS | QCOW2_DATA_FILE_RAW));
	header->refcount_table_offset = be64_make(rebuild->reftable_offset);
	header->refcount_table_clusters =
		be32_make((uint32_t)rebuild->reftable_clusters);
	tables->switching = true;
	ret = file_write(tables->file, header, length, 0);
	if (!ret && !MUTANT(NO_BARRIER_AFTER_SWITCH))
		ret = file_flush(tables->file);
	tables->switching = ret;
	return ret;
}

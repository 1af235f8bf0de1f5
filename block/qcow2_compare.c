/*
 * block/qcow2_compare.c - refcounts and COPIED flags against the survey; see
 * qcow2_tables.h. Counts as "qemu-img check" does.
 */
#include "block/qcow2_tables.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The refcounts on disk, a block at a time. */
struct compare {
	struct qcow2_tables *tables;
	uint8_t *block;
	uint64_t index; /* of the block that is loaded; UINT64_MAX: none */
	int error;	/* instead of it */
	be64 *l2;
	uint64_t end;	/* of the clusters in use; the header is in any case */
	bool repairing; /* the second round: what becomes of mismatches */
};

static uint64_t per_block(const struct qcow2_tables *tables)
{
	return tables->cluster_size * 8 >> tables->info.refcount_order;
}

int qcow2_tables_read_block(const struct qcow2_tables *tables, uint64_t index,
			    uint8_t *ret_block)
{
	uint64_t offset = 0;

	if (index < tables->reftable_count)
		offset = be64_get(tables->reftable[index]) &
			 QCOW2_REFTABLE_MASK;
	if (!offset) {
		memset(ret_block, 0, tables->cluster_size);
		return 0;
	}
	if (!is_aligned(offset, tables->cluster_size) || offset > INT64_MAX / 2)
		return -EUCLEAN;
	return file_read(tables->file, ret_block, tables->cluster_size, offset);
}

static int load(struct compare *compare, uint64_t index)
{
	if (compare->index != index) {
		compare->index = index;
		compare->error = qcow2_tables_read_block(compare->tables, index,
							 compare->block);
	}
	return compare->error;
}

static int get_refcount(struct compare *compare, uint64_t cluster,
			uint64_t *ret_refcount)
{
	uint64_t count = per_block(compare->tables);
	int ret = load(compare, cluster / count);

	if (!ret)
		*ret_refcount = qcow2_refcount_read(
			compare->block, cluster % count,
			compare->tables->info.refcount_order);
	return ret;
}

/* --- Refcounts ------------------------------------------------------------ */

static unsigned int fix_of(const struct qcow2_tables *tables)
{
	return tables->options ? tables->options->fix : 0;
}

/* Of refcounts and of what the survey found, but for COPIED flags. */
static bool has_errors(const struct qcow2_tables *tables)
{
	return tables->result.corruptions > tables->copied_faults ||
	       tables->result.check_errors;
}

/* Where there are errors, too, a leak that is none of all is left to them. */
static bool is_repaired(const struct qcow2_tables *tables, uint64_t refcount,
			uint64_t references)
{
	if (fix_of(tables) & QCOW2_FIX_ERRORS)
		return true;
	return fix_of(tables) & QCOW2_FIX_LEAKS && refcount > references &&
	       (!references || !has_errors(tables));
}

static void tell_mismatch(const struct qcow2_tables *tables, const char *verb,
			  uint64_t cluster, uint64_t refcount,
			  uint64_t references)
{
	qcow2_tables_tell(tables,
			  "%s cluster %" PRIu64 " refcount=%" PRIu64
			  " reference=%" PRIu64,
			  verb, cluster, refcount, references);
}

static void compare_cluster(struct compare *compare, uint64_t cluster,
			    uint64_t refcount)
{
	struct qcow2_tables *tables = compare->tables;
	uint64_t references = qcow2_counts_get(&tables->counts, cluster);

	if (refcount || references)
		compare->end = cluster + 1;
	if (refcount == references)
		return;
	if (compare->repairing) {
		if (is_repaired(tables, refcount, references))
			tell_mismatch(tables, "Repairing", cluster, refcount,
				      references);
		return;
	}
	tell_mismatch(tables, refcount > references ? "Leaked" : "ERROR",
		      cluster, refcount, references);
	if (refcount < references) {
		tables->result.corruptions++;
		return;
	}
	tables->result.leaks++;
	tables->has_partial_leaks |= references != 0;
}

static void tell_unreadable(struct compare *compare, uint64_t first,
			    uint64_t end)
{
	if (compare->repairing)
		return;
	compare->tables->result.check_errors += end - first;
	qcow2_tables_tell(compare->tables,
			  "Can't get refcounts for clusters %" PRIu64
			  " to %" PRIu64,
			  first, end - 1);
}

static void compare_block(struct compare *compare, uint64_t index)
{
	struct qcow2_tables *tables = compare->tables;
	const struct qcow2_counts *counts = &tables->counts;
	uint64_t first = index * per_block(tables);
	uint64_t end = min_u64(first + per_block(tables), counts->clusters);
	uint64_t refcount;

	if (load(compare, index)) {
		tell_unreadable(compare, first, end);
		return;
	}
	/* Many blocks of a sparse file are empty on both sides. */
	if (qcow2_counts_block_is_empty(counts, index) && !compare->block[0] &&
	    !memcmp(compare->block, compare->block + 1,
		    tables->cluster_size - 1))
		return;
	for (uint64_t i = first; i < end; i++) {
		refcount = qcow2_refcount_read(compare->block, i - first,
					       counts->order);
		compare_cluster(compare, i, refcount);
	}
}

static void compare_blocks(struct compare *compare)
{
	struct qcow2_tables *tables = compare->tables;
	uint64_t blocks = div_round_up(tables->counts.clusters,
				       per_block(tables));

	for (uint64_t i = 0; i < blocks; i++)
		compare_block(compare, i);
}

/* What was found is told as a whole before what becomes of it. */
static void compare_refcounts(struct compare *compare)
{
	compare_blocks(compare);
	if (!fix_of(compare->tables))
		return;
	compare->repairing = true;
	compare_blocks(compare);
}

/* --- COPIED flags --------------------------------------------------------- */

static bool is_copied_right(struct compare *compare, uint64_t entry,
			    uint64_t refcount)
{
	struct qcow2_tables *tables = compare->tables;

	if ((refcount == 1) == !!(entry & QCOW2_COPIED))
		return true;
	tables->result.corruptions++;
	tables->copied_faults++;
	return false;
}

static const char *copied_verb(const struct qcow2_tables *tables)
{
	bool is_repaired = fix_of(tables) & QCOW2_FIX_ERRORS ||
			   (fix_of(tables) && !has_errors(tables));

	return is_repaired ? "Repairing" : "ERROR";
}

static void compare_l2_entry(struct compare *compare, struct qcow2_entry entry)
{
	struct qcow2_tables *tables = compare->tables;
	uint64_t cluster = (entry.word & QCOW2_OFFSET_MASK) >>
			   tables->info.cluster_bits;
	uint64_t refcount = 1;

	if (entry.word & QCOW2_COMPRESSED_FLAG ||
	    !qcow2_tables_has_cluster(tables, entry))
		return;
	if (!tables->has_data_file && get_refcount(compare, cluster, &refcount))
		return;
	if (!is_copied_right(compare, entry.word, refcount))
		qcow2_tables_tell(tables,
				  "%s OFLAG_COPIED data cluster: "
				  "l2_entry=%" PRIx64 " refcount=%" PRIu64,
				  copied_verb(tables), entry.word, refcount);
}

static void compare_l1_entry(struct compare *compare, uint64_t index)
{
	struct qcow2_tables *tables = compare->tables;
	uint64_t entry = be64_get(tables->l1[index]);
	uint64_t offset = entry & QCOW2_OFFSET_MASK, refcount;

	if (!offset ||
	    get_refcount(compare, offset >> tables->info.cluster_bits,
			 &refcount))
		return;
	if (!is_copied_right(compare, entry, refcount))
		qcow2_tables_tell(tables,
				  "%s OFLAG_COPIED L2 cluster: "
				  "l1_index=%" PRIu64 " l1_entry=%" PRIx64
				  " refcount=%" PRIu64,
				  copied_verb(tables), index, entry, refcount);
	/* The survey has said so if it cannot be read. */
	if (file_read(tables->file, compare->l2, tables->cluster_size, offset))
		return;
	for (uint64_t i = 0; i < tables->l2_entries; i++)
		compare_l2_entry(compare,
				 qcow2_tables_entry(tables, compare->l2, i));
}

static void compare_all(struct compare *compare)
{
	struct qcow2_tables *tables = compare->tables;
	uint64_t followed = 0;

	compare_refcounts(compare);
	for (uint64_t i = 0; i < tables->info.l1_size; i++) {
		if (be64_get(tables->l1[i]) && followed++ <= tables->clusters)
			compare_l1_entry(compare, i);
	}
	tables->result.image_end_offset = compare->end
					  << tables->info.cluster_bits;
}

int qcow2_compare(struct qcow2_tables *tables)
{
	struct compare compare = {
		.tables = tables,
		.block = malloc(tables->cluster_size),
		.index = UINT64_MAX,
		.end = 1,
		.l2 = malloc(tables->cluster_size),
	};
	int ret = compare.block && compare.l2 ? 0 : -ENOMEM;

	if (!ret)
		compare_all(&compare);
	free(compare.block);
	free(compare.l2);
	return ret;
}

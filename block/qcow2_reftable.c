/*
 * block/qcow2_reftable.c - growing the refcount table.
 *
 * The new table lies in the first clusters that the old one has no entries
 * for, behind new refcount blocks that cover both; so blocks, table and what
 * they are counted by come to the disk together, in clusters that nothing
 * refers to yet. Then one write of the header makes them the table
 * (qcow2_order.c sees to it that it is durable before, and the header before
 * anything that depends on it), and the old table's clusters are let go.
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/mutant.h"

/* Where everything goes: blocks first, then the table. In clusters. */
struct plan {
	uint64_t start;
	uint64_t blocks;
	uint64_t table;
};

static uint64_t plan_clusters(const struct plan *plan)
{
	return plan->blocks + plan->table;
}

/* Half as large again, at least, or a growing image would grow it often. */
static int make_plan(const struct qcow2 *qcow2, struct plan *ret_plan)
{
	uint64_t count = qcow2->reftable.count;
	struct plan plan = {.start = count << qcow2->refblock_bits};
	uint64_t blocks = 1, entries;

	do {
		plan.blocks = blocks;
		entries = count + count / 2 + blocks;
		plan.table = div_round_up(entries * sizeof(be64),
					  qcow2->cluster_size);
		blocks = div_round_up(plan_clusters(&plan),
				      1ULL << qcow2->refblock_bits);
	} while (blocks > plan.blocks);
	if (plan.table << qcow2->cluster_bits > QCOW2_REFTABLE_BYTES_MAX ||
	    plan.start + plan_clusters(&plan) > QCOW2_OFFSET_LIMIT >>
		    qcow2->cluster_bits)
		return -EFBIG;
	*ret_plan = plan;
	return 0;
}

/* All blocks in one buffer, which the caller frees. */
static int write_blocks(struct qcow2 *qcow2, const struct plan *plan)
{
	uint64_t bytes = plan->blocks << qcow2->cluster_bits;
	uint8_t *blocks = calloc(1, bytes);
	int ret;

	if (!blocks)
		return -ENOMEM;
	for (uint64_t i = 0; i < plan_clusters(plan); i++)
		qcow2_refcount_write(blocks, i, qcow2->info.refcount_order, 1);
	ret = file_write(qcow2->image.file, blocks, bytes,
			 plan->start << qcow2->cluster_bits);
	free(blocks);
	return ret;
}

static int write_table(struct qcow2 *qcow2, const struct plan *plan,
		       struct qcow2_table *ret_table)
{
	const struct qcow2_table *old = &qcow2->reftable;
	uint64_t bytes = plan->table << qcow2->cluster_bits;
	struct qcow2_table table = {
		.offset = (plan->start + plan->blocks) << qcow2->cluster_bits,
		.count = bytes / sizeof(be64),
		.entries = calloc(1, bytes),
		.moved = true,
	};
	int ret;

	if (!table.entries)
		return -ENOMEM;
	memcpy(table.entries, old->entries, old->count * sizeof(be64));
	for (uint64_t i = 0; i < plan->blocks; i++)
		table.entries[old->count + i] =
			be64_make((plan->start + i) << qcow2->cluster_bits);
	ret = file_write(qcow2->image.file, table.entries, bytes, table.offset);
	if (ret)
		free(table.entries);
	else
		*ret_table = table;
	return ret;
}

static int write_all(struct qcow2 *qcow2, const struct plan *plan,
		     struct qcow2_table *ret_table)
{
	int ret = write_blocks(qcow2, plan);

	return ret ? ret : write_table(qcow2, plan, ret_table);
}

/* The last of what can fail. */
static int grow_cache(struct qcow2 *qcow2, struct qcow2_table *table)
{
	int ret = qcow2_cache_grow(&qcow2->refcount_cache,
				   qcow2_refcount_slices(qcow2, table->count));

	if (ret)
		free(table->entries);
	return ret;
}

int qcow2_reftable_grow(struct qcow2 *qcow2)
{
	struct qcow2_table *old = &qcow2->reftable, table;
	struct plan plan;
	int ret;

	ret = make_plan(qcow2, &plan);
	if (!ret)
		ret = qcow2_metadata_claim(qcow2, plan.start,
					   plan_clusters(&plan));
	if (ret)
		return ret;
	ret = write_all(qcow2, &plan, &table);
	if (!ret)
		ret = grow_cache(qcow2, &table);
	for (uint64_t i = 0; ret && i < plan_clusters(&plan); i++)
		if (!MUTANT(NO_UNDO_OF_REFTABLE_CLAIM))
			qcow2_metadata_remove(qcow2, plan.start + i);
	if (ret)
		return ret;
	if (!MUTANT(UNREPORTED_REFTABLE))
		qcow2_order_wrote(qcow2, QCOW2_STAGE_REFCOUNTS);
	qcow2_dead_add(qcow2,
		       (struct qcow2_run){
			       qcow2_cluster_of(qcow2, old->offset),
			       old->count * sizeof(be64) >> qcow2->cluster_bits,
		       },
		       false);
	free(old->entries);
	*old = table;
	return 0;
}

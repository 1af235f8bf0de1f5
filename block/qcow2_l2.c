/*
 * block/qcow2_l2.c - L2 tables that may be changed.
 *
 * A table is changed in place only if its L1 entry says COPIED; otherwise a
 * snapshot shares it, and the image gets a copy. A new table's contents go
 * straight to the file, in a cluster that nothing points to; the L1 entry
 * waits in memory, and qcow2_order.c writes it when the table is durable.
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>

#include "block/mutant.h"

static unsigned int slice_bits_of_table(const struct qcow2 *qcow2)
{
	return qcow2->l2_bits - qcow2->slice_bits;
}

uint64_t qcow2_l2_slices(const struct qcow2 *qcow2, uint64_t size)
{
	return div_round_up(div_round_up(size, qcow2->cluster_size),
			    1ULL << qcow2->slice_bits);
}

static uint64_t locate(const struct qcow2 *qcow2, uint64_t number)
{
	unsigned int bits = slice_bits_of_table(qcow2);
	uint64_t in_table = number & ((1ULL << bits) - 1);

	return (qcow2_l1_entry(qcow2, number >> bits) & QCOW2_OFFSET_MASK) +
	       in_table * qcow2->l2_cache.slice_size;
}

const struct qcow2_cache_kind qcow2_l2_kind = {
	.stage = QCOW2_STAGE_L2,
	.locate = locate,
};

/* Writes a copy of the table at @old, or an empty one if that is 0. */
static int write_table(struct qcow2 *qcow2, uint64_t old, uint64_t new)
{
	struct file *file = qcow2->image.file;
	uint8_t *table = calloc(1, qcow2->cluster_size);
	int ret = 0;

	if (!table)
		return -ENOMEM;
	if (old)
		ret = file_read(file, table, qcow2->cluster_size, old);
	if (!ret)
		ret = file_write(file, table, qcow2->cluster_size, new);
	free(table);
	if (!ret)
		qcow2_order_wrote(qcow2, QCOW2_STAGE_L2);
	return ret;
}

/* What is blank is an empty table already. */
static int make_table(struct qcow2 *qcow2, uint64_t old, uint64_t *ret_new)
{
	struct qcow2_taken taken;
	int ret;

	ret = qcow2_alloc_take(qcow2, 1, &taken);
	if (ret)
		return ret;
	ret = qcow2_metadata_claim(qcow2, taken.run.first, 1);
	if (!ret) {
		*ret_new = taken.run.first << qcow2->cluster_bits;
		if (old || !taken.blank)
			ret = write_table(qcow2, old, *ret_new);
		if (ret && !MUTANT(NO_UNDO_OF_L2_CLAIM))
			qcow2_metadata_remove(qcow2, taken.run.first);
	}
	if (ret && !MUTANT(NO_UNDO_OF_L2_TABLE))
		qcow2_alloc_undo(qcow2, taken.run);
	return ret;
}

/* Makes the L1 entry point at a table of our own. */
static int own_table(struct qcow2 *qcow2, uint64_t l1_index,
		     uint64_t *ret_offset)
{
	uint64_t entry = qcow2_l1_entry(qcow2, l1_index), old;
	int ret;

	if (!qcow2_l2_offset(qcow2, entry, &old))
		return qcow2_bad_l1(qcow2, l1_index);
	if (old && (entry & QCOW2_COPIED || MUTANT(SHARED_TABLE_CHANGED))) {
		*ret_offset = old;
		return 0;
	}
	ret = make_table(qcow2, old, ret_offset);
	if (ret)
		return ret;
	qcow2_word_set(qcow2->l1.entries, l1_index, *ret_offset | QCOW2_COPIED);
	qcow2_table_mark_dirty(&qcow2->l1, l1_index, 1);
	if (old)
		qcow2_dead_add(qcow2,
			       (struct qcow2_run){qcow2_cluster_of(qcow2, old),
						  1},
			       false);
	return 0;
}

int qcow2_l2_own(struct qcow2 *qcow2, uint64_t offset,
		 struct qcow2_l2_slice *ret_slice)
{
	struct qcow2_place place = qcow2_find(qcow2, offset);
	uint64_t table = 0;
	int ret;

	ret = own_table(qcow2, place.l1_index, &table);
	if (ret)
		return ret;
	ret_slice->number = place.slice;
	ret_slice->index = place.index;
	ret_slice->left = place.left;
	return qcow2_cache_get(&qcow2->l2_cache, place.slice, &ret_slice->data);
}

struct qcow2_entry qcow2_l2_get(const struct qcow2 *qcow2,
				const struct qcow2_l2_slice *slice, uint64_t at)
{
	return qcow2_entry(qcow2, slice->data, slice->index + at);
}

/* Two words must be seen to change as one. */
static void set_extended(struct qcow2 *qcow2, struct qcow2_l2_slice *slice,
			 uint64_t index, struct qcow2_entry entry)
{
	qcow2_cache_change_begin(&qcow2->l2_cache, slice->number);
	qcow2_word_set(slice->data, 2 * index, entry.word);
	qcow2_word_set(slice->data, 2 * index + 1, entry.bitmap);
	qcow2_cache_change_end(&qcow2->l2_cache, slice->number);
}

void qcow2_l2_set(struct qcow2 *qcow2, struct qcow2_l2_slice *slice,
		  uint64_t at, struct qcow2_entry entry)
{
	if (qcow2->subcluster_count > 1)
		set_extended(qcow2, slice, slice->index + at, entry);
	else
		qcow2_word_set(slice->data, slice->index + at, entry.word);
	qcow2_cache_mark_dirty(&qcow2->l2_cache, slice->number);
}

void qcow2_l2_release(struct qcow2 *qcow2, const struct qcow2_cluster *old)
{
	struct qcow2_run run = {qcow2_cluster_of(qcow2, old->host_offset), 1};
	bool compressed = old->kind == QCOW2_COMPRESSED;
	uint64_t end;

	if (old->kind == QCOW2_NONE)
		return;
	/* Its place there is always its own, so there is nothing to wait for */
	if (qcow2_has_data_file(qcow2)) {
		file_discard(qcow2->image.data, old->host_offset,
			     qcow2->cluster_size);
		return;
	}
	/* Each compressed cluster counts once in every cluster it touches. */
	if (compressed) {
		end = old->host_offset + old->host_length - 1;
		run.count = qcow2_cluster_of(qcow2, end) - run.first + 1;
	}
	qcow2_dead_add(qcow2, run, compressed);
}

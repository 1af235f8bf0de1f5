/*
 * block/qcow2_check.c - checks and repairs; see qcow2_check.h.
 *
 * Leaks, if they are all that is wrong, are mended in place: a refcount that
 * nothing needs can go down at any time. Whatever else is wrong is mended by
 * new tables, aside (qcow2_rebuild.c), so that a repair that is cut short has
 * changed nothing. Only when a second look finds nothing any more the dirty
 * and the corrupt bit are cleared.
 */
#include "block/qcow2_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/mutant.h"
#include "block/qcow2_tables.h"

/* --- Leaks ---------------------------------------------------------------- */

/* True if something was lowered. */
static bool lower_block(const struct qcow2_tables *tables, uint64_t index,
			uint8_t *block)
{
	unsigned int order = tables->info.refcount_order;
	uint64_t count = tables->cluster_size * 8 >> order;
	uint64_t first = index * count;
	bool changed = false;

	for (uint64_t i = 0; i < count; i++) {
		if (first + i >= tables->counts.clusters)
			break;
		if (qcow2_counts_get(&tables->counts, first + i) ||
		    !qcow2_refcount_read(block, i, order))
			continue;
		qcow2_refcount_write(block, i, order, 0);
		changed = true;
	}
	return changed;
}

/* Of clusters that nothing refers to. */
static int free_leaks(const struct qcow2_tables *tables)
{
	uint8_t *block = malloc(tables->cluster_size);
	uint64_t per_block = tables->cluster_size * 8 >>
			     tables->info.refcount_order;
	uint64_t blocks =
		min_u64(tables->reftable_count,
			div_round_up(tables->counts.clusters, per_block));
	uint64_t offset;
	int ret = block ? 0 : -ENOMEM;

	for (uint64_t i = 0; i < blocks && !ret; i++) {
		offset = be64_get(tables->reftable[i]) & QCOW2_REFTABLE_MASK;
		/* Nor one that is a block twice, or something else, too. */
		if (qcow2_counts_get(&tables->counts,
				     offset >> tables->info.cluster_bits) != 1)
			continue;
		ret = qcow2_tables_read_block(tables, i, block);
		if (ret == -EUCLEAN) {
			ret = 0;
			continue;
		}
		if (!ret && lower_block(tables, i, block))
			ret = file_write(tables->file, block,
					 tables->cluster_size, offset);
	}
	free(block);
	if (MUTANT(NO_BARRIER_AFTER_LEAKS))
		return ret;
	return ret ? ret : file_flush(tables->file);
}

/* --- Everything else ------------------------------------------------------ */

/* What a snapshot refers to and nobody can follow is given up there, too. */
static int rebuild_snapshot(struct qcow2_rebuild *rebuild, uint64_t index)
{
	struct qcow2_tables *tables = rebuild->tables;
	struct qcow2_snapshot_entry snapshot =
		qcow2_snapshot_table_get(&tables->snapshots, index);
	uint64_t bytes = snapshot.l1_size * sizeof(be64), offset;
	be64 *old, *new = NULL;
	int ret;

	ret = qcow2_tables_read_l1(tables, snapshot.l1_offset, snapshot.l1_size,
				   &old);
	if (!ret)
		ret = qcow2_tables_read_l1(tables, snapshot.l1_offset,
					   snapshot.l1_size, &new);
	if (!ret)
		ret = qcow2_rebuild_l1(rebuild, new, snapshot.l1_size, false,
				       1);
	if (!ret && memcmp(old, new, bytes)) {
		ret = qcow2_survey_add(tables, snapshot.l1_offset, bytes, -1);
		if (!ret)
			ret = qcow2_rebuild_write(rebuild, new, bytes, &offset);
		if (!ret)
			qcow2_snapshot_table_set_l1(&tables->snapshots, index,
						    offset, snapshot.l1_size);
	}
	free(old);
	free(new);
	return ret;
}

static int rebuild_all(struct qcow2_tables *tables)
{
	struct qcow2_rebuild rebuild;
	int ret;

	ret = qcow2_rebuild_init(&rebuild, tables);
	for (uint64_t i = 0; i < tables->snapshots.count && !ret; i++)
		ret = rebuild_snapshot(&rebuild, i);
	if (!ret)
		ret = qcow2_rebuild_l1(&rebuild, tables->l1,
				       tables->info.l1_size, true, 1);
	if (!ret)
		ret = qcow2_rebuild_publish(&rebuild);
	qcow2_rebuild_fini(&rebuild);
	return ret;
}

static bool needs_rebuild(const struct qcow2_tables *tables)
{
	const struct qcow2_check_result *result = &tables->result;
	bool wrong_flags = tables->copied_faults || tables->has_partial_leaks;
	bool errors = result->corruptions > tables->copied_faults ||
		      result->check_errors;

	if (tables->options->fix & QCOW2_FIX_ERRORS)
		return errors || wrong_flags;
	return !errors && wrong_flags;
}

static int repair(struct qcow2_tables *tables)
{
	const struct qcow2_check_result *result = &tables->result;

	/* Or what the host cannot read today would be lost for ever. */
	if (tables->unreadable)
		return -EIO;
	if (needs_rebuild(tables))
		return rebuild_all(tables);
	return result->leaks ? free_leaks(tables) : 0;
}

/* --- Both ----------------------------------------------------------------- */

static int judge(struct qcow2_tables *tables)
{
	int ret = qcow2_survey(tables);

	return ret ? ret : qcow2_compare(tables);
}

/* Nothing is wrong any more, in what a dead writer may not have flushed. */
static int mark_clean(const struct qcow2_tables *tables)
{
	uint64_t old = tables->info.incompatible;
	be64 new = be64_make(old & ~(QCOW2_DIRTY | QCOW2_CORRUPT));
	int ret = 0;

	if (be64_get(new) == old)
		return 0;
	if (!MUTANT(NO_BARRIER_BEFORE_CLEAN))
		ret = file_flush(tables->file);
	if (!ret)
		ret = file_write(tables->file, &new, sizeof(new),
				 offsetof(struct qcow2_header,
					  incompatible_features));
	if (MUTANT(NO_BARRIER_AFTER_CLEAN))
		return ret;
	return ret ? ret : file_flush(tables->file);
}

static bool is_clean(const struct qcow2_check_result *result)
{
	return !result->corruptions && !result->check_errors;
}

static uint64_t fixed(uint64_t before, uint64_t after)
{
	return before > after ? before - after : 0;
}

/* Looks again, from the start and in silence. */
static int judge_again(struct file *file, const char *name,
		       const struct qcow2_check_result *before,
		       struct qcow2_check_result *result, struct err *err)
{
	struct qcow2_tables tables;
	int ret;

	ret = qcow2_tables_init(&tables, file, name, err);
	if (!ret) {
		ret = judge(&tables);
		*result = tables.result;
		result->corruptions_fixed = fixed(before->corruptions,
						  result->corruptions);
		result->leaks_fixed = fixed(before->leaks, result->leaks);
		if (!ret && is_clean(result))
			ret = mark_clean(&tables);
		if (ret)
			err_errno(err, -ret, "cannot repair %s", name);
	}
	qcow2_tables_fini(&tables);
	return ret;
}

static int check(struct qcow2_tables *tables, struct err *err)
{
	const char *name = tables->name;
	int ret = judge(tables);

	if (ret)
		return qcow2_tables_failed(tables, ret, err);
	if (!tables->options->fix)
		return 0;
	ret = repair(tables);
	if (ret == -ERANGE)
		return err_set(err, ERANGE,
			       "cannot repair %s: its refcounts are too narrow "
			       "for what its tables refer to; \"alcor img "
			       "convert\" makes a copy that is clean",
			       name);
	return ret ? err_errno(err, -ret, "cannot repair %s", name) : 0;
}

/* One look, and one repair if it is asked for. */
static int check_once(struct file *file,
		      const struct qcow2_check_options *options,
		      struct qcow2_check_result *ret_result, struct err *err)
{
	struct qcow2_tables tables;
	int ret;

	ret = qcow2_tables_init(&tables, file, options->name, err);
	tables.options = options;
	if (!ret)
		ret = check(&tables, err);
	*ret_result = tables.result;
	qcow2_tables_fini(&tables);
	return ret;
}

/* A table may have been used as data: then moving it changes what is right. */
#define REPAIRS_MAX 3

int qcow2_check(struct file *file, const struct qcow2_check_options *options,
		struct qcow2_check_result *ret_result, struct err *err)
{
	struct qcow2_check_options again = *options;
	struct qcow2_check_result first, later;
	int ret;

	again.tell = NULL;
	ret = check_once(file, options, &first, err);
	*ret_result = first;
	for (unsigned int i = 0; i < REPAIRS_MAX && !ret && options->fix; i++) {
		ret = judge_again(file, options->name, &first, ret_result, err);
		if (is_clean(ret_result))
			break;
		if (!ret)
			ret = check_once(file, &again, &later, err);
	}
	return ret;
}

/*
 * block/qcow2_amend.c - see qcow2_amend.h.
 *
 * Left out: what would rewrite guest data. An image with clusters that version
 * 2 has no words for stays version 3, although zeroes could be written out.
 */
#include "block/qcow2_amend.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2_header_change.h"
#include "block/qcow2_tables.h"

struct amending {
	struct qcow2_tables tables;
	const struct qcow2_amend *to;
	unsigned int version, refcount_order; /* that the image will have */
	bool lazy_refcounts;
};

/* What is said, and otherwise what is. */
static void choose(struct amending *amending)
{
	const struct qcow2_amend *to = amending->to;
	const struct qcow2_info *info = &amending->tables.info;

	amending->version = to->version ? to->version : info->version;
	amending->refcount_order = to->has_refcounts ? to->refcount_order
						     : info->refcount_order;
	amending->lazy_refcounts = info->compatible & QCOW2_LAZY_REFCOUNTS;
	if (to->has_lazy)
		amending->lazy_refcounts = to->lazy_refcounts;
	else if (amending->version < 3)
		amending->lazy_refcounts = false;
}

/* --- What version 2 has no words for -------------------------------------- */

static int find_zero(void *context, uint64_t index, uint64_t entry)
{
	(void)context;
	(void)index;
	if (entry & QCOW2_COMPRESSED_FLAG)
		return 0;
	return entry & QCOW2_ZERO_FLAG ? 1 : 0;
}

/* 1: the table below has a zero cluster. */
static int look_below(void *context, uint64_t index, uint64_t entry)
{
	struct qcow2_tables *tables = context;

	(void)index;
	return qcow2_tables_walk(tables, NULL, entry & QCOW2_OFFSET_MASK,
				 tables->l2_entries, find_zero, NULL);
}

/* 1: there is a zero cluster, in the disk or in a snapshot. */
static int look_everywhere(struct qcow2_tables *tables)
{
	struct qcow2_snapshot_entry snapshot;
	int ret;

	ret = qcow2_tables_walk(tables, tables->l1, 0, tables->info.l1_size,
				look_below, tables);
	for (uint64_t i = 0; i < tables->snapshots.count && !ret; i++) {
		snapshot = qcow2_snapshot_table_get(&tables->snapshots, i);
		ret = qcow2_tables_walk(tables, NULL, snapshot.l1_offset,
					snapshot.l1_size, look_below, tables);
	}
	return ret;
}

static int check_downgrade(struct amending *amending, struct err *err)
{
	struct qcow2_tables *tables = &amending->tables;
	const char *name = tables->name;
	int ret;

	if (amending->refcount_order != 4)
		return err_set(err, EINVAL,
			       "compat=0.10 requires refcount_bits=16");
	if (tables->info.incompatible || tables->info.autoclear)
		return err_set(err, EINVAL,
			       "%s has features that need compat=1.1", name);
	ret = look_everywhere(tables);
	if (ret > 0)
		return err_set(err, EINVAL,
			       "%s has clusters of zeroes, which need "
			       "compat=1.1; \"alcor img convert -o "
			       "compat=0.10\" makes a copy that has none",
			       name);
	return ret ? qcow2_tables_failed(tables, ret, err) : 0;
}

/* Snapshots say more in version 3. */
static int check_upgrade(const struct amending *amending, struct err *err)
{
	const struct qcow2_snapshot_table *snapshots =
		&amending->tables.snapshots;

	for (uint64_t i = 0; i < snapshots->count; i++)
		if (!qcow2_snapshot_table_get(snapshots, i).disk_size)
			return err_set(err, EINVAL,
				       "%s has a snapshot that does not say "
				       "how large the disk was, as "
				       "compat=1.1 asks for",
				       amending->tables.name);
	return 0;
}

static int check(struct amending *amending, struct err *err)
{
	unsigned int before = amending->tables.info.version;
	bool is_old = amending->version < 3;

	if (is_old && amending->to->has_refcounts &&
	    amending->refcount_order != 4)
		return err_set(err, EINVAL,
			       "Refcount widths other than 16 bits require "
			       "compatibility level 1.1 or above (use "
			       "compat=1.1 or greater)");
	if (is_old && amending->lazy_refcounts)
		return err_set(err, EINVAL,
			       "Lazy refcounts only supported with "
			       "compatibility level 1.1 and above (use "
			       "compat=1.1 or greater)");
	if (amending->version < before)
		return check_downgrade(amending, err);
	return amending->version > before ? check_upgrade(amending, err) : 0;
}

/* --- Refcounts ------------------------------------------------------------ */

static int refuse_narrow(const struct qcow2_tables *tables, unsigned int order,
			 uint64_t cluster, struct err *err)
{
	return err_set(err, EINVAL,
		       "Cannot decrease refcount entry width to %d bits: "
		       "Cluster at offset %#" PRIx64
		       " has a refcount of %" PRIu64,
		       1 << order, cluster << tables->info.cluster_bits,
		       qcow2_counts_get(&tables->counts, cluster));
}

/* The same counts in another width. */
static int convert_counts(struct qcow2_tables *tables, unsigned int order,
			  struct err *err)
{
	struct qcow2_counts *old = &tables->counts, new;
	uint64_t at = 0, count;
	int ret = qcow2_tables_count(tables, order, &new);

	if (!ret)
		ret = qcow2_counts_grow(&new, old->clusters);
	while (!ret) {
		at = qcow2_counts_next(old, at, old->clusters);
		if (at == old->clusters)
			break;
		count = qcow2_counts_get(old, at);
		if (count > qcow2_counts_max(&new)) {
			ret = refuse_narrow(tables, order, at, err);
			qcow2_counts_fini(&new);
			return ret;
		}
		ret = qcow2_counts_set(&new, at++, count);
	}
	if (ret) {
		qcow2_counts_fini(&new);
		return qcow2_tables_failed(tables, ret, err);
	}
	qcow2_counts_fini(old);
	*old = new;
	tables->info.refcount_order = order;
	tables->header.refcount_order = be32_make(order);
	return 0;
}

/* What was counted more often than it is used is not any more: its flags. */
static int change_refcounts(struct qcow2_tables *tables, unsigned int order,
			    struct err *err)
{
	struct qcow2_rebuild rebuild;
	int ret = qcow2_rebuild_init(&rebuild, tables);

	if (!ret) {
		ret = convert_counts(tables, order, err);
		if (ret) {
			qcow2_rebuild_fini(&rebuild);
			return ret;
		}
		ret = qcow2_rebuild_l1(&rebuild, tables->l1,
				       tables->info.l1_size, true, 1);
	}
	if (!ret)
		ret = qcow2_rebuild_publish(&rebuild);
	if (!ret)
		qcow2_rebuild_reclaim(&rebuild);
	qcow2_rebuild_fini(&rebuild);
	return ret ? err_errno(err, -ret, "cannot write %s", tables->name) : 0;
}

/* --- The header ----------------------------------------------------------- */

static int change_header(struct amending *amending, struct err *err)
{
	struct qcow2_tables *tables = &amending->tables;
	const struct qcow2_info *info = &tables->info;
	struct qcow2_header_change change = {
		.backing = info->backing.name[0] ? info->backing.name : NULL,
		.format = info->backing.format[0] ? info->backing.format : NULL,
		.version = amending->version,
		.lazy_refcounts = amending->lazy_refcounts,
	};
	bool lazy = info->compatible & QCOW2_LAZY_REFCOUNTS;

	if (change.version == info->version && change.lazy_refcounts == lazy)
		return 0;
	return qcow2_header_change(tables->file, tables->name,
				   info->cluster_bits, &change, err);
}

/* What the header led to before does not fit it now. */
static int read_again(struct qcow2_tables *tables, struct err *err)
{
	struct file *file = tables->file;
	const char *name = tables->name;

	qcow2_tables_fini(tables);
	return qcow2_tables_init_sound(tables, file, name, err);
}

/* Version 2 has refcounts of one width, so that is changed as version 3. */
static int amend_all(struct amending *amending, struct err *err)
{
	struct qcow2_tables *tables = &amending->tables;
	unsigned int order = amending->refcount_order;
	bool refcounts = order != tables->info.refcount_order;
	bool before = tables->info.version > 2;
	int ret = 0;

	if (refcounts && before)
		ret = change_refcounts(tables, order, err);
	if (!ret)
		ret = change_header(amending, err);
	if (ret || !refcounts || before)
		return ret;
	ret = read_again(tables, err);
	return ret ? ret : change_refcounts(tables, order, err);
}

int qcow2_amend(struct file *file, const char *image,
		const struct qcow2_amend *amend, struct err *err)
{
	struct amending amending = {.to = amend};
	int ret;

	ret = qcow2_tables_init_sound(&amending.tables, file, image, err);
	if (!ret) {
		choose(&amending);
		ret = check(&amending, err);
	}
	if (!ret)
		ret = amend_all(&amending, err);
	qcow2_tables_fini(&amending.tables);
	return ret;
}

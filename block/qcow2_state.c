/*
 * block/qcow2_state.c - what an open image has in memory of its file.
 *
 * Set up when the image is opened, and once more when its tables were changed
 * as a whole (qcow2_tables.h). Writes nothing. An image that was not closed
 * counts as corrupt until it is repaired, so that nothing is written before.
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>

#include "block/inflated.h"

/*
 * Enough to map the whole disk, but no more than this; and the largest of L1
 * tables leaves less.
 */
#define L2_CACHE_MAX	    (32 * MIB)
#define L1_AND_L2_CACHE_MAX (48 * MIB)

#define REFCOUNT_CACHE_BYTES (256 * KIB)

static int table_load(struct qcow2 *qcow2, struct qcow2_table *table,
		      uint64_t offset, uint64_t count)
{
	table->offset = offset;
	table->count = count;
	table->entries = calloc(max_u64(count, 1), sizeof(be64));
	if (!table->entries)
		return -ENOMEM;
	return file_read_sparse(qcow2->image.file, table->entries,
				count * sizeof(be64), offset);
}

static void set_geometry(struct qcow2 *qcow2)
{
	unsigned int cluster_bits = qcow2->info.cluster_bits;
	bool extended = qcow2->info.incompatible & QCOW2_EXTENDED_L2;
	unsigned int entry_bits = extended ? 4 : 3;

	qcow2->cluster_bits = cluster_bits;
	qcow2->cluster_size = 1ULL << cluster_bits;
	qcow2->entry_size = 1UL << entry_bits;
	qcow2->subcluster_count = extended ? QCOW2_SUBCLUSTERS : 1;
	qcow2->subcluster_bits = cluster_bits - (extended ? 5 : 0);
	qcow2->is_plain = !extended && !qcow2_has_data_file(qcow2);
	qcow2->l2_bits = cluster_bits - entry_bits;
	qcow2->slice_bits = (unsigned int)min_u64(cluster_bits,
						  QCOW2_SLICE_BITS_MAX) -
			    entry_bits;
	qcow2->refblock_bits = cluster_bits + 3 - qcow2->info.refcount_order;
	qcow2->image.size = qcow2->info.size;
	qcow2->image.discard_granularity = qcow2->cluster_size;
	qcow2->image.backing_ref = qcow2->info.backing;
}

static uint64_t l2_cache_bytes(const struct qcow2_info *info)
{
	return min_u64(L2_CACHE_MAX,
		       L1_AND_L2_CACHE_MAX - info->l1_size * sizeof(be64));
}

static int init_reader(struct qcow2 *qcow2, uint64_t l2_cache_size)
{
	const struct qcow2_info *info = &qcow2->info;
	int ret;

	ret = table_load(qcow2, &qcow2->l1, info->l1_offset, info->l1_size);
	if (!ret)
		ret = qcow2_cache_init(&qcow2->l2_cache, qcow2, &qcow2_l2_kind,
				       qcow2_slice_size(qcow2),
				       qcow2_l2_slices(qcow2, info->size),
				       l2_cache_size ? l2_cache_size
						     : l2_cache_bytes(info));
	if (ret)
		return ret;
	qcow2->inflated = inflated_new(info->compression, qcow2->cluster_size);
	if (!qcow2->inflated)
		return -ENOMEM;
	/* What is read ahead must not push out what is being read. */
	readahead_init(&qcow2->readahead,
		       inflated_capacity(qcow2->inflated) / 4);
	return 0;
}

static int init_writer(struct qcow2 *qcow2)
{
	const struct qcow2_info *info = &qcow2->info;
	int ret;

	ret = table_load(qcow2, &qcow2->reftable, info->reftable_offset,
			 info->reftable_clusters << (info->cluster_bits - 3));
	if (!ret)
		ret = qcow2_cache_init(
			&qcow2->refcount_cache, qcow2, &qcow2_refcount_kind,
			qcow2_slice_size(qcow2),
			qcow2_refcount_slices(qcow2, qcow2->reftable.count),
			REFCOUNT_CACHE_BYTES);
	if (ret)
		return ret;
	qcow2->alloc = calloc(1, sizeof(*qcow2->alloc));
	return qcow2->alloc ? 0 : -ENOMEM;
}

static int select_snapshot(struct qcow2 *qcow2,
			   const struct image_options *options, struct err *err)
{
	if (!options->read_only)
		return err_set(err, EINVAL,
			       "snapshots of %s can only be read (\"ro\")",
			       options->name);
	return qcow2_snapshot_select(qcow2->image.file, options->snapshot_id,
				     options->name, &qcow2->info, err);
}

int qcow2_state_init(struct qcow2 *qcow2, const struct image_options *options,
		     struct err *err)
{
	bool read_only = options->read_only;
	int ret;

	ret = qcow2_header_read(qcow2->image.file, options, &qcow2->info, err);
	if (!ret && options->snapshot_id)
		ret = select_snapshot(qcow2, options, err);
	if (ret)
		return ret;
	set_geometry(qcow2);
	qcow2_order_init(&qcow2->order);
	qcow2->l2_cache_size = options->l2_cache_size;
	qcow2->corrupt = !read_only && qcow2->info.incompatible & QCOW2_DIRTY;
	ret = init_reader(qcow2, options->l2_cache_size);
	if (!ret && !read_only)
		ret = init_writer(qcow2);
	if (ret)
		return err_errno(err, -ret, "cannot read the tables of %s",
				 options->name);
	return qcow2_metadata_init(qcow2, err);
}

void qcow2_state_fini(struct qcow2 *qcow2)
{
	qcow2_metadata_fini(qcow2);
	if (qcow2->inflated)
		readahead_fini(&qcow2->readahead);
	inflated_free(qcow2->inflated);
	qcow2_cache_fini(&qcow2->l2_cache);
	qcow2_cache_fini(&qcow2->refcount_cache);
	free(qcow2->l1.entries);
	free(qcow2->reftable.entries);
	free(qcow2->alloc);
}

/* The new state is complete before the old one goes. */
int qcow2_state_reload(struct qcow2 *qcow2, struct err *err)
{
	struct image_options options = {
		.name = qcow2->image.name,
		.read_only = qcow2->image.read_only,
		.l2_cache_size = qcow2->l2_cache_size,
		.data_file = qcow2_has_data_file(qcow2) ? qcow2->image.data
							: NULL,
	};
	struct qcow2 fresh = {.image = qcow2->image};
	int ret;

	ret = qcow2_state_init(&fresh, &options, err);
	if (ret) {
		qcow2_state_fini(&fresh);
		qcow2->corrupt = true;
		return ret;
	}
	qcow2_state_fini(qcow2);
	*qcow2 = fresh;
	qcow2->l2_cache.qcow2 = qcow2;
	qcow2->refcount_cache.qcow2 = qcow2;
	return 0;
}

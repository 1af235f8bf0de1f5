/*
 * block/qcow2_open.c - opening and closing a qcow2 image.
 *
 * Opening writes nothing. A writer's first act after that is to clear the
 * autoclear bits, durably, because whatever they vouch for (bitmaps, say) will
 * not follow our writes; only that a data file is raw stays true.
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/mutant.h"

/* Enough to map the whole disk, but no more than this. */
#define L2_CACHE_MAX (32 * MIB)

#define REFCOUNT_CACHE_BYTES (256 * KIB)

static int table_load(struct qcow2 *qcow2, struct qcow2_table *table,
		      uint64_t offset, uint64_t count)
{
	table->offset = offset;
	table->count = count;
	table->entries = calloc(max_u64(count, 1), sizeof(be64));
	if (!table->entries)
		return -ENOMEM;
	return file_read(qcow2->image.file, table->entries,
			 count * sizeof(be64), offset);
}

static uint64_t l2_cache_bytes(const struct qcow2 *qcow2, uint64_t wanted)
{
	uint64_t clusters = div_round_up(qcow2->image.size,
					 qcow2->cluster_size);

	return wanted ? wanted
		      : min_u64(clusters * qcow2->entry_size + 4 * KIB,
				L2_CACHE_MAX);
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
	qcow2->l2_bits = cluster_bits - entry_bits;
	qcow2->slice_bits = (unsigned int)min_u64(cluster_bits,
						  QCOW2_SLICE_BITS_MAX) -
			    entry_bits;
	qcow2->refblock_bits = cluster_bits + 3 - qcow2->info.refcount_order;
	qcow2->image.size = qcow2->info.size;
	qcow2->image.discard_granularity = qcow2->cluster_size;
	qcow2->image.backing_ref = qcow2->info.backing;
}

static int init_reader(struct qcow2 *qcow2, uint64_t l2_cache_size)
{
	const struct qcow2_info *info = &qcow2->info;
	int ret;

	ret = table_load(qcow2, &qcow2->l1, info->l1_offset, info->l1_size);
	if (!ret)
		ret = qcow2_cache_init(&qcow2->l2_cache, qcow2, QCOW2_STAGE_L2,
				       l2_cache_bytes(qcow2, l2_cache_size));
	if (!ret)
		ret = qcow2_inflated_init(qcow2);
	return ret;
}

static int init_writer(struct qcow2 *qcow2)
{
	const struct qcow2_info *info = &qcow2->info;
	int ret;

	ret = table_load(qcow2, &qcow2->reftable, info->reftable_offset,
			 info->reftable_clusters << (info->cluster_bits - 3));
	if (!ret)
		ret = qcow2_cache_init(&qcow2->refcount_cache, qcow2,
				       QCOW2_STAGE_REFCOUNTS,
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

static int qcow2_init(struct qcow2 *qcow2, const struct image_options *options,
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
	ret = init_reader(qcow2, options->l2_cache_size);
	if (!ret && !read_only)
		ret = init_writer(qcow2);
	if (ret)
		return err_errno(err, -ret, "cannot read the tables of %s",
				 options->name);
	return qcow2_metadata_init(qcow2, err);
}

static int qcow2_begin(struct image *image)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	uint64_t kept = qcow2_data_is_raw(qcow2) ? QCOW2_DATA_FILE_RAW : 0;
	be64 bits = be64_make(kept);
	int ret;

	if (qcow2->info.autoclear == kept)
		return 0;
	qcow2->info.autoclear = kept;
	ret = file_write(qcow2->image.file, &bits, sizeof(bits),
			 offsetof(struct qcow2_header, autoclear_features));
	if (MUTANT(NO_BARRIER_AFTER_AUTOCLEAR))
		return ret;
	return ret ? ret : file_flush(qcow2->image.file);
}

/* All but the file. */
static void qcow2_free(struct qcow2 *qcow2)
{
	qcow2_metadata_fini(qcow2);
	qcow2_inflated_fini(qcow2);
	qcow2_cache_fini(&qcow2->l2_cache);
	qcow2_cache_fini(&qcow2->refcount_cache);
	free(qcow2->l1.entries);
	free(qcow2->reftable.entries);
	free(qcow2->alloc);
	free(qcow2->image.name);
	free(qcow2);
}

/*
 * The second settle writes the refcounts of what the first one let go, so that
 * a closed image has no leaks.
 */
static int qcow2_close(struct image *image)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	int ret = 0;

	if (!image->read_only) {
		ret = qcow2_flush(image);
		if (!ret)
			ret = qcow2_flush(image);
	}
	if (qcow2_has_data_file(qcow2))
		file_close(image->data);
	file_close(image->file);
	qcow2_free(qcow2);
	return ret;
}

static bool qcow2_is_settled(const struct image *image)
{
	const struct qcow2 *qcow2 = qcow2_of_const(image);

	return qcow2->image.read_only ||
	       (!qcow2->alloc->dead_count && qcow2_order_is_settled(qcow2));
}

static const struct image_ops qcow2_ops = {
	.map = qcow2_map,
	.load = qcow2_load,
	.inflate = qcow2_inflate,
	.begin = qcow2_begin,
	.write = qcow2_write,
	.write_compressed = qcow2_write_compressed,
	.discard = qcow2_discard,
	.write_zeroes = qcow2_write_zeroes,
	.is_settled = qcow2_is_settled,
	.flush = qcow2_flush,
	.close = qcow2_close,
};

int qcow2_open(struct file *file, const struct image_options *options,
	       struct image **ret_image, struct err *err)
{
	struct qcow2 *qcow2 = calloc(1, sizeof(*qcow2));
	int ret;

	if (!qcow2)
		return err_set(err, ENOMEM, "out of memory");
	qcow2->image.ops = &qcow2_ops;
	qcow2->image.file = file;
	qcow2->image.data = options->data_file ? options->data_file : file;
	qcow2->image.read_only = options->read_only;
	qcow2->image.name = strdup(options->name);
	if (!qcow2->image.name)
		ret = err_set(err, ENOMEM, "out of memory");
	else
		ret = qcow2_init(qcow2, options, err);
	if (ret) {
		qcow2_free(qcow2);
		return ret;
	}
	*ret_image = &qcow2->image;
	return 0;
}

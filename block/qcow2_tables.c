/*
 * block/qcow2_tables.c - loading what an image's header leads to, and what
 * single entries say; see qcow2_tables.h.
 *
 * Tables may lie where they cannot: what is past the end of the file reads as
 * zeroes, and the survey says so.
 */
#include "block/qcow2_tables.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So much in any case, and more where the file is larger than that. */
#define COUNTS_MIN (32 * MIB)
#define BUDGET_MIN (64 * MIB)

/* Nobody reads more than that, and it would take its time. */
#define TOLD_MAX 100000

#define WALK_CHUNK (64 * KIB)

static int load_table(struct qcow2_tables *tables, uint64_t offset,
		      uint64_t count, be64 **ret_entries)
{
	*ret_entries = calloc(count + 1, sizeof(be64));
	if (!*ret_entries)
		return -ENOMEM;
	return file_read_sparse(tables->file, *ret_entries,
				count * sizeof(be64), offset);
}

static void set_geometry(struct qcow2_tables *tables)
{
	const struct qcow2_info *info = &tables->info;
	bool extended = info->incompatible & QCOW2_EXTENDED_L2;

	tables->cluster_size = 1ULL << info->cluster_bits;
	tables->clusters = div_round_up(file_size(tables->file),
					tables->cluster_size);
	tables->entry_words = extended ? 2 : 1;
	tables->l2_entries = tables->cluster_size /
			     (tables->entry_words * sizeof(be64));
	tables->reftable_count = info->reftable_clusters
				 << (info->cluster_bits - 3);
	tables->has_data_file = info->incompatible & QCOW2_DATA_FILE;
}

static int load(struct qcow2_tables *tables)
{
	const struct qcow2_info *info = &tables->info;
	int ret;

	ret = file_read(tables->file, &tables->header, sizeof(tables->header),
			0);
	if (!ret && info->version == 2)
		memset(&tables->header.incompatible_features, 0,
		       sizeof(tables->header) - QCOW2_V2_LENGTH);
	if (!ret)
		ret = load_table(tables, info->l1_offset, info->l1_size,
				 &tables->l1);
	if (!ret)
		ret = load_table(tables, info->reftable_offset,
				 tables->reftable_count, &tables->reftable);
	if (!ret)
		ret = qcow2_snapshot_table_read(tables->file,
						info->snapshots_offset,
						info->snapshot_count,
						&tables->snapshots);
	if (!ret)
		ret = qcow2_tables_count(tables, info->refcount_order,
					 &tables->counts);
	return ret;
}

/* A page of counts is worth a cluster of the file, or some. */
int qcow2_tables_count(const struct qcow2_tables *tables, unsigned int order,
		       struct qcow2_counts *ret_counts)
{
	return qcow2_counts_init(ret_counts, order, tables->clusters,
				 COUNTS_MIN + file_allocated(tables->file) / 8);
}

int qcow2_tables_init(struct qcow2_tables *tables, struct file *file,
		      const char *name, struct err *err)
{
	struct image_options options = {
		.name = name,
		.read_only = true,
		.for_check = true,
	};
	int ret;

	*tables = (struct qcow2_tables){
		.file = file,
		.name = name,
		.end = UINT64_MAX,
		.budget = BUDGET_MIN + 16 * file_allocated(file),
	};
	ret = qcow2_header_read(file, &options, &tables->info, err);
	if (ret)
		return ret;
	set_geometry(tables);
	ret = load(tables);
	if (ret == -EUCLEAN)
		return err_set(err, EUCLEAN,
			       "the snapshot table of %s cannot be right",
			       name);
	if (ret == -EFBIG)
		return err_set(err, EFBIG,
			       "%s has more clusters than can be counted",
			       name);
	return ret ? err_errno(err, -ret, "cannot read the tables of %s", name)
		   : 0;
}

void qcow2_tables_fini(struct qcow2_tables *tables)
{
	free(tables->l1);
	free(tables->reftable);
	qcow2_snapshot_table_fini(&tables->snapshots);
	qcow2_counts_fini(&tables->counts);
}

int qcow2_tables_failed(const struct qcow2_tables *tables, int code,
			struct err *err)
{
	if (code == -EUCLEAN)
		return err_set(err, EUCLEAN,
			       "the bitmaps of %s cannot be right",
			       tables->name);
	if (code == -EFBIG)
		return err_set(err, EFBIG,
			       "the tables of %s claim far more than is in the "
			       "file, which cannot be right",
			       tables->name);
	return err_errno(err, -code, "cannot check %s", tables->name);
}

void qcow2_tables_vtell(struct qcow2_tables *tables, const char *format,
			va_list args)
{
	const struct qcow2_check_options *options = tables->options;
	char line[256];

	if (!options || !options->tell || tables->told++ > TOLD_MAX)
		return;
	if (tables->told > TOLD_MAX)
		format = "What else there is, is counted but not told.";
	vsnprintf(line, sizeof(line), format, args);
	options->tell(options->context, line);
}

void qcow2_tables_tell(struct qcow2_tables *tables, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	qcow2_tables_vtell(tables, format, args);
	va_end(args);
}

/* --- Reading -------------------------------------------------------------- */

int qcow2_tables_spend(struct qcow2_tables *tables, uint64_t bytes)
{
	if (bytes > tables->budget)
		return -EFBIG;
	tables->budget -= bytes;
	return 0;
}

uint64_t qcow2_tables_find_data(struct qcow2_tables *tables, uint64_t offset,
				uint64_t end)
{
	/* Many tables may be in one that is large. */
	if (offset < tables->hole || offset >= tables->hole_end) {
		tables->hole = offset;
		tables->hole_end = file_find_data(tables->file, offset,
						  UINT64_MAX);
	}
	return min_u64(tables->hole_end, end);
}

bool qcow2_tables_is_hole(struct qcow2_tables *tables, uint64_t offset,
			  uint64_t length)
{
	return qcow2_tables_find_data(tables, offset, offset + length) ==
	       offset + length;
}

int qcow2_tables_read(struct qcow2_tables *tables, void *buffer,
		      uint64_t length, uint64_t offset)
{
	uint64_t data = file_find_data(tables->file, offset, offset + length);
	uint64_t hole = data - offset;
	int ret = 0;

	memset(buffer, 0, hole);
	if (hole < length)
		ret = qcow2_tables_spend(tables, length - hole);
	if (!ret && hole < length)
		ret = file_read(tables->file, (uint8_t *)buffer + hole,
				length - hole, data);
	return ret;
}

static int walk_chunk(const be64 *chunk, uint64_t first, uint64_t count,
		      int (*visit)(void *context, uint64_t index,
				   uint64_t entry),
		      void *context)
{
	int ret = 0;

	for (uint64_t i = 0; i < count && !ret; i++)
		if (be64_get(chunk[i]))
			ret = visit(context, first + i, be64_get(chunk[i]));
	return ret;
}

int qcow2_tables_walk(struct qcow2_tables *tables, const be64 *entries,
		      uint64_t offset, uint64_t size,
		      int (*visit)(void *context, uint64_t index,
				   uint64_t entry),
		      void *context)
{
	uint64_t end = offset + size * sizeof(be64), at = offset, length;
	be64 *chunk;
	int ret = 0;

	if (entries)
		return walk_chunk(entries, 0, size, visit, context);
	chunk = malloc(WALK_CHUNK);
	if (!chunk)
		return -ENOMEM;
	for (; at < end && !ret; at += length) {
		at = align_down(file_find_data(tables->file, at, end),
				sizeof(be64));
		length = min_u64(end - at, WALK_CHUNK);
		ret = qcow2_tables_read(tables, chunk, length, at);
		if (!ret)
			ret = walk_chunk(chunk, (at - offset) / sizeof(be64),
					 length / sizeof(be64), visit, context);
	}
	free(chunk);
	return ret;
}

/* --- Entries -------------------------------------------------------------- */

/* The last cluster of a file need not be there as a whole. */
bool qcow2_tables_is_outside(const struct qcow2_tables *tables, uint64_t offset,
			     uint64_t length)
{
	return !range_fits(offset, length,
			   file_size(tables->file) + tables->cluster_size - 1);
}

struct qcow2_entry qcow2_tables_entry(const struct qcow2_tables *tables,
				      const be64 *l2, uint64_t index)
{
	const be64 *at = &l2[index * tables->entry_words];

	return (struct qcow2_entry){
		.word = be64_get(at[0]),
		.bitmap = tables->entry_words > 1 ? be64_get(at[1]) : 0,
	};
}

/* "Compressed Clusters Descriptor" of the specification. */
void qcow2_tables_compressed(const struct qcow2_tables *tables, uint64_t word,
			     uint64_t *ret_offset, uint64_t *ret_length)
{
	unsigned int x = 62 - (tables->info.cluster_bits - 8);
	uint64_t sectors = (word & (QCOW2_COMPRESSED_FLAG - 1)) >> x;

	*ret_offset = word & ((1ULL << x) - 1);
	*ret_length = (sectors + 1) * BLOCK_SECTOR - *ret_offset % BLOCK_SECTOR;
}

/* The first cluster of a data file is at its start. */
bool qcow2_tables_has_cluster(const struct qcow2_tables *tables,
			      struct qcow2_entry entry)
{
	return entry.word & QCOW2_OFFSET_MASK ||
	       (tables->has_data_file && entry.word & QCOW2_COPIED);
}

bool qcow2_tables_is_bitmap_wrong(struct qcow2_entry entry)
{
	return entry.bitmap >> 32 & entry.bitmap;
}

bool qcow2_tables_is_lost(const struct qcow2_tables *tables,
			  struct qcow2_entry entry)
{
	uint64_t offset = entry.word & QCOW2_OFFSET_MASK, length;

	if (entry.word & QCOW2_COMPRESSED_FLAG) {
		qcow2_tables_compressed(tables, entry.word, &offset, &length);
		return tables->has_data_file ||
		       qcow2_tables_is_outside(tables, offset, length);
	}
	if (!offset)
		return false;
	return qcow2_tables_is_bitmap_wrong(entry) ||
	       !is_aligned(offset, tables->cluster_size) ||
	       (!tables->has_data_file &&
		qcow2_tables_is_outside(tables, offset, tables->cluster_size));
}

bool qcow2_tables_is_lost_l1(const struct qcow2_tables *tables, uint64_t entry)
{
	uint64_t offset = entry & QCOW2_OFFSET_MASK;

	return !offset || !is_aligned(offset, tables->cluster_size) ||
	       qcow2_tables_is_outside(tables, offset, tables->cluster_size);
}

int qcow2_tables_read_l1(const struct qcow2_tables *tables, uint64_t offset,
			 uint64_t size, be64 **ret_l1)
{
	int ret;

	*ret_l1 = calloc(size + 1, sizeof(be64));
	if (!*ret_l1)
		return -ENOMEM;
	ret = file_read_sparse(tables->file, *ret_l1, size * sizeof(be64),
			       offset);
	if (ret) {
		free(*ret_l1);
		*ret_l1 = NULL;
	}
	return ret;
}

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

static int load_table(struct qcow2_tables *tables, uint64_t offset,
		      uint64_t count, be64 **ret_entries)
{
	*ret_entries = calloc(count + 1, sizeof(be64));
	if (!*ret_entries)
		return -ENOMEM;
	return file_read(tables->file, *ret_entries, count * sizeof(be64),
			 offset);
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
		ret = qcow2_counts_init(&tables->counts, info->cluster_bits,
					info->refcount_order, tables->clusters);
	return ret;
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

void qcow2_tables_tell(const struct qcow2_tables *tables, const char *format,
		       ...)
{
	const struct qcow2_check_options *options = tables->options;
	char line[256];
	va_list args;

	if (!options || !options->tell)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	options->tell(options->context, line);
}

/* --- Entries -------------------------------------------------------------- */

/* The last cluster of a file need not be there as a whole. */
bool qcow2_tables_is_outside(const struct qcow2_tables *tables, uint64_t offset,
			     uint64_t length)
{
	return offset + length >=
	       file_size(tables->file) + tables->cluster_size;
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
	ret = file_read(tables->file, *ret_l1, size * sizeof(be64), offset);
	if (ret) {
		free(*ret_l1);
		*ret_l1 = NULL;
	}
	return ret;
}

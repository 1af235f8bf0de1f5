/*
 * block/qcow2_snapshot.c - where internal snapshots keep their tables, for an
 * open image; see qcow2.h.
 */
#include <errno.h>

#include "block/qcow2_tables.h"

#include <errno.h>

/* Reads and checks one entry of the snapshot table. */
static int read_entry(struct qcow2 *qcow2, uint64_t offset,
		      struct qcow2_snapshot_header *ret_entry,
		      uint64_t *ret_length)
{
	uint64_t size = file_size(qcow2->image.file), l1_offset, l1_bytes;
	uint32_t extra;
	int ret;

	if (!range_fits(offset, sizeof(*ret_entry), size))
		return -EUCLEAN;
	ret = file_read(qcow2->image.file, ret_entry, sizeof(*ret_entry),
			offset);
	if (ret)
		return ret;
	extra = be32_get(ret_entry->extra_size);
	l1_offset = be64_get(ret_entry->l1_table_offset);
	l1_bytes = (uint64_t)be32_get(ret_entry->l1_size) * sizeof(be64);
	if (extra > QCOW2_SNAPSHOT_EXTRA_MAX || l1_bytes > QCOW2_L1_BYTES_MAX ||
	    !is_aligned(l1_offset, qcow2->cluster_size) ||
	    !range_fits(l1_offset, l1_bytes, size))
		return -EUCLEAN;
	*ret_length = align_up(sizeof(*ret_entry) + extra +
				       be16_get(ret_entry->id_length) +
				       be16_get(ret_entry->name_length),
			       8);
	return 0;
}

int qcow2_snapshot_walk(struct qcow2 *qcow2,
			int (*visit)(void *context, uint64_t l1_offset,
				     uint64_t l1_size),
			void *context, uint64_t *ret_table_bytes)
{
	struct qcow2_snapshot_header entry;
	uint64_t bytes = 0, length;
	int ret;

	for (uint64_t i = 0; i < qcow2->info.snapshot_count; i++) {
		ret = read_entry(qcow2, qcow2->info.snapshots_offset + bytes,
				 &entry, &length);
		if (!ret)
			ret = visit(context, be64_get(entry.l1_table_offset),
				    be32_get(entry.l1_size));
		if (ret)
			return ret;
		bytes += length;
		if (bytes > QCOW2_SNAPSHOT_BYTES_MAX)
			return -EUCLEAN;
	}
	*ret_table_bytes = bytes;
	return 0;
}

static int select_entry(struct file *file,
			const struct qcow2_snapshot_entry *snapshot,
			const char *image, struct qcow2_info *info,
			struct err *err)
{
	uint64_t bytes = snapshot->l1_size * sizeof(be64);
	uint64_t size = snapshot->disk_size ? snapshot->disk_size : info->size;
	uint64_t covers = qcow2_l2_covers(info->cluster_bits,
					  info->incompatible &
						  QCOW2_EXTENDED_L2);

	if (bytes > QCOW2_L1_BYTES_MAX || size > INT64_MAX - BLOCK_SECTOR ||
	    div_round_up(size, covers) > snapshot->l1_size ||
	    !is_aligned(snapshot->l1_offset, 1ULL << info->cluster_bits) ||
	    !range_fits(snapshot->l1_offset, bytes, file_size(file)))
		return err_set(err, EUCLEAN,
			       "the L1 table of this snapshot of %s cannot be "
			       "right",
			       image);
	info->l1_offset = snapshot->l1_offset;
	info->l1_size = snapshot->l1_size;
	info->size = align_down(size, BLOCK_SECTOR);
	return 0;
}

int qcow2_snapshot_select(struct file *file, const char *id_or_name,
			  const char *image, struct qcow2_info *info,
			  struct err *err)
{
	struct qcow2_snapshot_table table;
	struct qcow2_snapshot_entry snapshot;
	uint64_t index;
	int ret;

	ret = qcow2_snapshot_table_read(file, info->snapshots_offset,
					info->snapshot_count, &table);
	index = ret ? 0 : qcow2_snapshot_table_find(&table, id_or_name);
	if (ret) {
		err_errno(err, -ret, "cannot read the snapshots of %s", image);
	} else if (index == table.count) {
		ret = err_set(err, ENOENT, "%s has no snapshot \"%s\"", image,
			      id_or_name);
	} else {
		snapshot = qcow2_snapshot_table_get(&table, index);
		ret = select_entry(file, &snapshot, image, info, err);
	}
	qcow2_snapshot_table_fini(&table);
	return ret;
}

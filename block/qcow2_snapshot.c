/* block/qcow2_snapshot.c - see qcow2.h. */
#include "block/qcow2.h"

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

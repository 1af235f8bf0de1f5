/*
 * block/qcow2_bitmap_walk.c - the clusters of persistent dirty bitmaps; see
 * qcow2_tables.h.
 *
 * Bitmaps are not used here, but they take clusters, and a repair must not
 * give these to anybody else.
 */
#include "block/qcow2_tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What the header extension and the directory say. */
#define BITMAPS_MAX	     65535
#define BITMAP_DIRECTORY_MAX (16 * MIB)

struct walk {
	struct qcow2_tables *tables;
	int (*visit)(void *context, uint64_t offset, uint64_t length);
	void *context;
};

static int walk_cluster(void *context, uint64_t index, uint64_t entry)
{
	const struct walk *walk = context;
	uint64_t cluster = entry & QCOW2_OFFSET_MASK;

	(void)index;
	return cluster ? walk->visit(walk->context, cluster,
				     walk->tables->cluster_size)
		       : 0;
}

/* A bitmap's own table, and the clusters that it lists. */
static int walk_table(struct walk *walk, uint64_t offset, uint64_t count)
{
	struct qcow2_tables *tables = walk->tables;
	int ret;

	if (offset >= QCOW2_OFFSET_LIMIT ||
	    !is_aligned(offset, tables->cluster_size) ||
	    !range_fits(offset, count * sizeof(be64), file_size(tables->file)))
		return -EUCLEAN;
	ret = walk->visit(walk->context, offset, count * sizeof(be64));
	return ret ? ret
		   : qcow2_tables_walk(tables, NULL, offset, count,
				       walk_cluster, walk);
}

static int walk_directory(struct walk *walk, const uint8_t *directory,
			  uint64_t size, uint64_t count)
{
	struct qcow2_bitmap_entry entry;
	uint64_t at = 0;
	int ret;

	for (uint64_t i = 0; i < count; i++) {
		if (!range_fits(at, sizeof(entry), size))
			return -EUCLEAN;
		memcpy(&entry, directory + at, sizeof(entry));
		at = align_up(at + sizeof(entry) + be32_get(entry.extra_size) +
				      be16_get(entry.name_length),
			      8);
		ret = walk_table(walk, be64_get(entry.table_offset),
				 be32_get(entry.table_size));
		if (ret)
			return ret;
	}
	return at == size ? 0 : -EUCLEAN;
}

static int walk_all(struct walk *walk,
		    const struct qcow2_bitmaps_extension *extension)
{
	struct qcow2_tables *tables = walk->tables;
	uint64_t offset = be64_get(extension->directory_offset);
	uint64_t size = be64_get(extension->directory_size);
	uint64_t count = be32_get(extension->count);
	uint8_t *directory;
	int ret;

	if (count > BITMAPS_MAX || size > BITMAP_DIRECTORY_MAX ||
	    !range_fits(offset, size, file_size(tables->file)))
		return -EUCLEAN;
	ret = walk->visit(walk->context, offset, size);
	if (ret)
		return ret;
	directory = malloc(size + 1);
	ret = directory ? 0 : -ENOMEM;
	if (!ret)
		ret = file_read(tables->file, directory, size, offset);
	if (!ret)
		ret = walk_directory(walk, directory, size, count);
	free(directory);
	return ret;
}

int qcow2_bitmap_walk(struct qcow2_tables *tables,
		      int (*visit)(void *context, uint64_t offset,
				   uint64_t length),
		      void *context)
{
	struct walk walk = {
		.tables = tables,
		.visit = visit,
		.context = context,
	};
	struct qcow2_bitmaps_extension extension;
	int ret;

	if (!(tables->info.autoclear & QCOW2_BITMAPS))
		return 0;
	ret = qcow2_extension_find(tables->file,
				   be32_get(tables->header.header_length),
				   tables->cluster_size,
				   QCOW2_EXTENSION_BITMAPS, &extension,
				   sizeof(extension));
	if (ret || !be32_get(extension.count))
		return ret;
	return walk_all(&walk, &extension);
}

/*
 * block/qcow2_create.c - making an empty image.
 *
 * Header with its extensions and the name of the backing file, refcount table,
 * refcount blocks and L1 table follow each other. The file is empty before, so
 * what need not be written reads as zeroes.
 */
#include "block/qcow2_create.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2.h"

/* How many clusters each part takes. */
struct layout {
	uint64_t reftable;
	uint64_t blocks;
	uint64_t l1;
	uint64_t total;
};

uint64_t qcow2_create_size_max(unsigned int cluster_bits, bool extended_l2)
{
	return QCOW2_L1_BYTES_MAX / sizeof(be64) *
	       qcow2_l2_covers(cluster_bits, extended_l2);
}

static uint64_t l1_entries(const struct qcow2_create_options *options)
{
	return div_round_up(options->size,
			    qcow2_l2_covers(options->cluster_bits,
					    options->extended_l2));
}

/* With @more clusters behind those. */
static struct layout make_layout(const struct qcow2_create_options *options,
				 uint64_t more)
{
	uint64_t cluster_size = 1ULL << options->cluster_bits;
	uint64_t per_block = cluster_size * 8 >> options->refcount_order;
	struct layout layout = {
		.l1 = max_u64(1,
			      div_round_up(l1_entries(options) * sizeof(be64),
					   cluster_size)),
	};
	uint64_t blocks = 1;

	do {
		layout.blocks = blocks;
		layout.reftable = div_round_up(blocks * sizeof(be64),
					       cluster_size);
		layout.total = 1 + layout.reftable + blocks + layout.l1;
		blocks = div_round_up(layout.total + more, per_block);
	} while (blocks > layout.blocks);
	return layout;
}

uint64_t qcow2_create_metadata_size(const struct qcow2_create_options *options)
{
	uint64_t data = div_round_up(options->size,
				     1ULL << options->cluster_bits);
	uint64_t l2 = l1_entries(options);

	return (make_layout(options, data + l2).total + l2)
	       << options->cluster_bits;
}

static struct qcow2_header make_header(
	const struct qcow2_create_options *options, const struct layout *layout)
{
	uint64_t cluster_size = 1ULL << options->cluster_bits;
	struct qcow2_header header = {
		.magic = be32_make(QCOW2_MAGIC),
		.version = be32_make(options->version),
		.cluster_bits = be32_make(options->cluster_bits),
		.size = be64_make(options->size),
		/* A table without entries would not own its cluster. */
		.l1_size = be32_make((uint32_t)max_u64(l1_entries(options), 1)),
		.l1_table_offset = be64_make(
			(1 + layout->reftable + layout->blocks) * cluster_size),
		.refcount_table_offset = be64_make(cluster_size),
		.refcount_table_clusters =
			be32_make((uint32_t)layout->reftable),
		.refcount_order = be32_make(options->refcount_order),
		.header_length = be32_make(sizeof(header)),
		.compression_type = (uint8_t)options->compression,
	};
	uint64_t incompatible = 0;

	if (options->compression)
		incompatible |= QCOW2_COMPRESSION;
	if (options->extended_l2)
		incompatible |= QCOW2_EXTENDED_L2;
	if (options->data_file)
		incompatible |= QCOW2_DATA_FILE;
	header.incompatible_features = be64_make(incompatible);
	if (options->data_file && options->data_file_raw)
		header.autoclear_features = be64_make(QCOW2_DATA_FILE_RAW);
	if (options->lazy_refcounts)
		header.compatible_features = be64_make(QCOW2_LAZY_REFCOUNTS);
	return header;
}

/* The first cluster, as it is put together. */
struct area {
	uint8_t *data;
	size_t used;
	size_t size;
};

/* False, and nothing added, if there is no room. */
static bool area_add(struct area *area, const void *data, size_t length)
{
	if (length > area->size - area->used)
		return false;
	memcpy(area->data + area->used, data, length);
	area->used += length;
	return true;
}

/* The same, with what makes it a header extension; room is left for the end. */
static bool area_add_extension(struct area *area, uint32_t type,
			       const void *data, size_t length)
{
	struct qcow2_extension extension = {be32_make(type),
					    be32_make((uint32_t)length)};
	size_t padded = align_up(length, 8);

	if (2 * sizeof(extension) + padded > area->size - area->used)
		return false;
	area_add(area, &extension, sizeof(extension));
	area_add(area, data, length);
	area->used += padded - length;
	return true;
}

/* So that older programs can say what they lack. */
static const struct qcow2_feature_name feature_names[] = {
	{0, 0, "dirty bit"},
	{0, 1, "corrupt bit"},
	{0, 2, "external data file"},
	{0, 3, "compression type"},
	{0, 4, "extended L2 entries"},
	{1, 0, "lazy refcounts"},
	{2, 0, "bitmaps"},
	{2, 1, "raw external data"},
};

/* The names are left out where they would take the room of what matters. */
static bool fill_extensions(struct area *area,
			    const struct qcow2_create_options *options)
{
	const char *format = options->backing_format;
	size_t name_length = options->backing ? strlen(options->backing) : 0;
	bool fits = true;

	if (options->data_file)
		fits = area_add_extension(area, QCOW2_EXTENSION_DATA_FILE,
					  options->data_file,
					  strlen(options->data_file));
	if (format && fits)
		fits = area_add_extension(area, QCOW2_EXTENSION_BACKING_FORMAT,
					  format, strlen(format));
	if (options->version > 2 &&
	    area->used + sizeof(feature_names) + name_length +
			    2 * sizeof(struct qcow2_extension) <=
		    area->size)
		area_add_extension(area, QCOW2_EXTENSION_FEATURE_NAMES,
				   feature_names, sizeof(feature_names));
	area->used += sizeof(struct qcow2_extension); /* the end */
	return fits;
}

static bool fill_area(struct area *area,
		      const struct qcow2_create_options *options,
		      const struct layout *layout)
{
	struct qcow2_header header = make_header(options, layout);
	size_t length = options->backing ? strlen(options->backing) : 0;

	area->used = options->version == 2 ? QCOW2_V2_LENGTH : sizeof(header);
	if (!fill_extensions(area, options))
		return false;
	if (length) {
		header.backing_file_offset = be64_make(area->used);
		header.backing_file_size = be32_make((uint32_t)length);
		if (length > QCOW2_BACKING_NAME_MAX ||
		    !area_add(area, options->backing, length))
			return false;
	}
	memcpy(area->data, &header,
	       options->version == 2 ? QCOW2_V2_LENGTH : sizeof(header));
	return true;
}

static int write_header(struct file *file,
			const struct qcow2_create_options *options,
			const struct layout *layout)
{
	struct area area = {.size = 1ULL << options->cluster_bits};
	int ret = -ENAMETOOLONG;

	area.data = calloc(1, area.size);
	if (!area.data)
		return -ENOMEM;
	if (fill_area(&area, options, layout))
		ret = file_write(file, area.data, area.used, 0);
	free(area.data);
	return ret;
}

static int write_refcounts(struct file *file,
			   const struct qcow2_create_options *options,
			   const struct layout *layout)
{
	uint64_t cluster_size = 1ULL << options->cluster_bits;
	uint64_t bytes = (layout->reftable + layout->blocks) * cluster_size;
	uint8_t *tables = calloc(1, bytes);
	uint8_t *blocks = tables + layout->reftable * cluster_size;
	int ret;

	if (!tables)
		return -ENOMEM;
	for (uint64_t i = 0; i < layout->blocks; i++)
		((be64 *)tables)[i] =
			be64_make((1 + layout->reftable + i) * cluster_size);
	for (uint64_t i = 0; i < layout->total; i++)
		qcow2_refcount_write(blocks, i, options->refcount_order, 1);
	ret = file_write(file, tables, bytes, cluster_size);
	free(tables);
	return ret;
}

/* Its last byte makes the file long enough to hold all of it. */
static int write_l1(struct file *file,
		    const struct qcow2_create_options *options,
		    const struct layout *layout)
{
	uint8_t zero = 0;

	return file_write(file, &zero, sizeof(zero),
			  (layout->total << options->cluster_bits) - 1);
}

int qcow2_create(struct file *file, const struct qcow2_create_options *options,
		 struct err *err)
{
	struct layout layout;
	int ret;

	if (options->size >
	    qcow2_create_size_max(options->cluster_bits, options->extended_l2))
		return err_set(err, EFBIG,
			       "an image with such clusters cannot be as large "
			       "as that");
	layout = make_layout(options, 0);
	ret = write_l1(file, options, &layout);
	if (!ret)
		ret = write_refcounts(file, options, &layout);
	if (!ret)
		ret = write_header(file, options, &layout);
	return ret ? err_errno(err, -ret, "cannot make an image") : 0;
}

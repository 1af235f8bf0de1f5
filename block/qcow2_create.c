/*
 * block/qcow2_create.c - making an empty image.
 *
 * Header, refcount table, refcount blocks and L1 table follow each other. The
 * file is empty before, so what need not be written reads as zeroes.
 */
#include "block/qcow2_create.h"

#include <errno.h>
#include <stdlib.h>

#include "block/qcow2.h"

/* How many clusters each part takes. */
struct layout {
	uint64_t reftable;
	uint64_t blocks;
	uint64_t l1;
	uint64_t total;
};

uint64_t qcow2_create_size_max(unsigned int cluster_bits)
{
	return QCOW2_L1_BYTES_MAX / sizeof(be64) << (2 * cluster_bits - 3);
}

static uint64_t l1_entries(const struct qcow2_create_options *options)
{
	return div_round_up(options->size,
			    1ULL << (2 * options->cluster_bits - 3));
}

static struct layout make_layout(const struct qcow2_create_options *options)
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
		blocks = div_round_up(layout.total, per_block);
	} while (blocks > layout.blocks);
	return layout;
}

static int write_header(struct file *file,
			const struct qcow2_create_options *options,
			const struct layout *layout)
{
	uint64_t cluster_size = 1ULL << options->cluster_bits;
	struct qcow2_header header = {
		.magic = be32_make(QCOW2_MAGIC),
		.version = be32_make(options->version),
		.cluster_bits = be32_make(options->cluster_bits),
		.size = be64_make(options->size),
		.l1_size = be32_make((uint32_t)l1_entries(options)),
		.l1_table_offset = be64_make(
			(1 + layout->reftable + layout->blocks) * cluster_size),
		.refcount_table_offset = be64_make(cluster_size),
		.refcount_table_clusters =
			be32_make((uint32_t)layout->reftable),
	};

	if (options->version == 2)
		return file_write(file, &header, QCOW2_V2_LENGTH, 0);
	header.refcount_order = be32_make(options->refcount_order);
	header.header_length = be32_make(sizeof(header));
	header.compression_type = (uint8_t)options->compression;
	if (options->compression)
		header.incompatible_features = be64_make(QCOW2_COMPRESSION);
	return file_write(file, &header, sizeof(header), 0);
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

	if (options->size > qcow2_create_size_max(options->cluster_bits))
		return err_set(err, EFBIG,
			       "an image with such clusters cannot be as large "
			       "as that");
	layout = make_layout(options);
	ret = write_l1(file, options, &layout);
	if (!ret)
		ret = write_refcounts(file, options, &layout);
	if (!ret)
		ret = write_header(file, options, &layout);
	return ret ? err_errno(err, -ret, "cannot make an image") : 0;
}

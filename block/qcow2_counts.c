/*
 * block/qcow2_counts.c - how often each cluster is referred to; see
 * qcow2_tables.h.
 *
 * As wide as the image's refcounts, so that what has room here has room there,
 * and a range of counts can be written, or compared, as a refcount block.
 */
#include "block/qcow2_tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t bytes_for(const struct qcow2_counts *counts, uint64_t clusters)
{
	return align_up(div_round_up(clusters << counts->order, 8),
			1ULL << counts->cluster_bits);
}

int qcow2_counts_init(struct qcow2_counts *counts, unsigned int cluster_bits,
		      unsigned int order, uint64_t clusters)
{
	*counts = (struct qcow2_counts){
		.cluster_bits = cluster_bits,
		.order = order,
	};
	if (clusters > QCOW2_COUNTS_MAX)
		return -EFBIG;
	counts->bytes = bytes_for(counts, max_u64(clusters, 1));
	counts->blocks = calloc(1, counts->bytes);
	if (!counts->blocks)
		return -ENOMEM;
	counts->clusters = clusters;
	return 0;
}

void qcow2_counts_fini(struct qcow2_counts *counts)
{
	free(counts->blocks);
	*counts = (struct qcow2_counts){0};
}

void qcow2_counts_clear(struct qcow2_counts *counts)
{
	memset(counts->blocks, 0, counts->bytes);
}

int qcow2_counts_grow(struct qcow2_counts *counts, uint64_t clusters)
{
	uint64_t bytes = bytes_for(counts, clusters);
	uint8_t *blocks;

	if (clusters <= counts->clusters)
		return 0;
	if (clusters > QCOW2_COUNTS_MAX)
		return -EFBIG;
	if (bytes > counts->bytes) {
		blocks = realloc(counts->blocks, bytes);
		if (!blocks)
			return -ENOMEM;
		memset(blocks + counts->bytes, 0, bytes - counts->bytes);
		counts->blocks = blocks;
		counts->bytes = bytes;
	}
	counts->clusters = clusters;
	return 0;
}

uint64_t qcow2_counts_get(const struct qcow2_counts *counts, uint64_t cluster)
{
	return cluster < counts->clusters
		       ? qcow2_refcount_read(counts->blocks, cluster,
					     counts->order)
		       : 0;
}

void qcow2_counts_set(struct qcow2_counts *counts, uint64_t cluster,
		      uint64_t count)
{
	qcow2_refcount_write(counts->blocks, cluster, counts->order, count);
}

uint64_t qcow2_counts_max(const struct qcow2_counts *counts)
{
	return UINT64_MAX >> (64 - (1U << counts->order));
}

const uint8_t *qcow2_counts_block(const struct qcow2_counts *counts,
				  uint64_t index)
{
	uint64_t offset = index << counts->cluster_bits;

	return offset < counts->bytes ? counts->blocks + offset : NULL;
}

bool qcow2_counts_block_is_empty(const struct qcow2_counts *counts,
				 uint64_t index)
{
	const uint8_t *block = qcow2_counts_block(counts, index);
	uint64_t size = 1ULL << counts->cluster_bits;

	return !block || (!block[0] && !memcmp(block, block + 1, size - 1));
}

/*
 * block/qcow2_refcount.h - how often each host cluster is referred to.
 *
 * Changes are made in memory; qcow2_order.c brings them to the disk.
 */
#ifndef BLOCK_QCOW2_REFCOUNT_H
#define BLOCK_QCOW2_REFCOUNT_H

#include "block/qcow2.h"

/* A cluster that no refcount block covers has none: 0. */
int qcow2_refcount_get(struct qcow2 *qcow2, uint64_t cluster,
		       uint64_t *ret_refcount);

/* A block must cover the cluster, and @refcount fit the image's width. */
int qcow2_refcount_set(struct qcow2 *qcow2, uint64_t cluster,
		       uint64_t refcount);

/* The first cluster from @from on whose refcount is 0. */
int qcow2_refcount_find_free(struct qcow2 *qcow2, uint64_t from,
			     uint64_t *ret_cluster);

/* Does a refcount block cover the cluster? */
bool qcow2_refcount_is_covered(const struct qcow2 *qcow2, uint64_t cluster);

/*
 * Makes a block for a free cluster that none covers; takes clusters from the
 * area that becomes covered, perhaps that very one.
 */
int qcow2_refcount_cover(struct qcow2 *qcow2, uint64_t cluster);

/* An entry of a refcount block in memory, of 2^@order bits. */
uint64_t qcow2_refcount_read(const uint8_t *data, uint64_t index,
			     unsigned int order);
void qcow2_refcount_write(uint8_t *data, uint64_t index, unsigned int order,
			  uint64_t refcount);

/*
 * qcow2_reftable.c: a larger refcount table, with blocks for the clusters it
 * lies in itself.
 */
int qcow2_reftable_grow(struct qcow2 *qcow2);

#endif

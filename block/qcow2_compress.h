/*
 * block/qcow2_compress.h - making the bytes of a compressed cluster.
 *
 * Pure: knows no image, and may run in many threads at once.
 */
#ifndef BLOCK_QCOW2_COMPRESS_H
#define BLOCK_QCOW2_COMPRESS_H

#include <stddef.h>

#include "block/qcow2_format.h"

/*
 * Compresses a cluster of @size bytes into @packed, which has room for as many.
 * *ret_length: the bytes used; 0 if they would not be fewer than @size, and the
 * cluster is better stored as it is. -ENOMEM.
 */
int qcow2_compress(enum qcow2_compression type, const void *cluster,
		   size_t size, void *packed, size_t *ret_length);

#endif

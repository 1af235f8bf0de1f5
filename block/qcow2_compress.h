/*
 * block/qcow2_compress.h - making the bytes of a compressed cluster.
 *
 * Pure: knows no image, and may run in many threads at once.
 */
#ifndef BLOCK_QCOW2_COMPRESS_H
#define BLOCK_QCOW2_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "block/qcow2_format.h"

/*
 * Can this program? One that is linked statically has no compressor for zstd,
 * which is a fifth of what it would be; it reads what others compressed.
 */
bool qcow2_can_compress(enum qcow2_compression type);

/*
 * Compresses a cluster of @size bytes into @packed, which has room for as many.
 * *ret_length: the bytes used; 0 if they would not be fewer than @size, and the
 * cluster is better stored as it is. -ENOMEM; -ENOTSUP where that is not
 * possible.
 */
int qcow2_compress(enum qcow2_compression type, const void *cluster,
		   size_t size, void *packed, size_t *ret_length);

#endif

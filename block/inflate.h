/*
 * block/inflate.h - compressed clusters: deflate or Zstandard bytes in, one
 * whole cluster out.
 *
 * The bytes are hostile. What is asked of them is what the qcow2 specification
 * says and QEMU writes: raw deflate, or Zstandard, perhaps in several frames.
 * In both, output decides: exactly one cluster has to come out, what follows
 * in the input is none of ours.
 */
#ifndef BLOCK_INFLATE_H
#define BLOCK_INFLATE_H

#include <stddef.h>
#include <stdint.h>

#include "block/qcow2_format.h"

/*
 * What the libraries need to remember. One thread at a time; an idle one costs
 * a few pages, and after Zstandard some 150 KiB. Zeroed is empty.
 */
struct inflater {
	void *deflate; /* struct libdeflate_decompressor; NULL until needed */
	void *zstd;    /* ZSTD_DCtx; NULL until needed */
};

void inflater_fini(struct inflater *inflater);

/*
 * Fills @output, of @size bytes, from @input. -EIO: it does not come out,
 * @output is undefined. -ENOMEM.
 */
int inflate_cluster(struct inflater *inflater, enum qcow2_compression type,
		    const uint8_t *input, size_t length, uint8_t *output,
		    size_t size);

#endif

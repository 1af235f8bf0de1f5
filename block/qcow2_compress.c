/*
 * block/qcow2_compress.c - see qcow2_compress.h.
 *
 * Deflate is raw, with QEMU's window of 2^12, which readers count on. The
 * levels are the libraries' defaults.
 */
#include "block/qcow2_compress.h"

#include <errno.h>
#include <zlib.h>
#include <zstd.h>

/* Nothing makes a static link take it from its library. */
#pragma weak ZSTD_compress

#define DEFLATE_WINDOW_BITS  (-12)
#define DEFLATE_MEMORY_LEVEL 9

static int compress_deflate(const void *cluster, size_t size, void *packed,
			    size_t *ret_length)
{
	z_stream stream = {
		.next_in = (void *)cluster,
		.avail_in = (uInt)size,
		.next_out = packed,
		.avail_out = (uInt)size - 1,
	};
	int ret;

	if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
			 DEFLATE_WINDOW_BITS, DEFLATE_MEMORY_LEVEL,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	ret = deflate(&stream, Z_FINISH);
	*ret_length = ret == Z_STREAM_END ? stream.total_out : 0;
	deflateEnd(&stream);
	return 0;
}

static int compress_zstd(const void *cluster, size_t size, void *packed,
			 size_t *ret_length)
{
	size_t length = ZSTD_compress(packed, size - 1, cluster, size,
				      ZSTD_CLEVEL_DEFAULT);

	*ret_length = ZSTD_isError(length) ? 0 : length;
	return 0;
}

bool qcow2_can_compress(enum qcow2_compression type)
{
	return type == QCOW2_DEFLATE || ZSTD_compress;
}

int qcow2_compress(enum qcow2_compression type, const void *cluster,
		   size_t size, void *packed, size_t *ret_length)
{
	if (!qcow2_can_compress(type))
		return -ENOTSUP;
	if (type == QCOW2_ZSTD)
		return compress_zstd(cluster, size, packed, ret_length);
	return compress_deflate(cluster, size, packed, ret_length);
}

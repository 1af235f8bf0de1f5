/*
 * block/inflate.c - see inflate.h.
 *
 * Each format has a fast way and a patient one. The fast one wants a stream
 * that ends where the cluster does, in one piece: what everybody writes. Where
 * it fails the patient one decides, which takes all that is allowed.
 *
 * libdeflate is twice as fast as zlib, and optional: docs/architecture.md.
 */
#include "block/inflate.h"

#include <errno.h>
#include <stdbool.h>
#include <zlib.h>
#include <zstd.h>

#if HAVE_LIBDEFLATE
#include <libdeflate.h>
#endif

#define DEFLATE_WINDOW_BITS  (-12) /* as QEMU's */
#define ZSTD_WINDOW_BITS_MAX (QCOW2_CLUSTER_BITS_MAX + 1)

#if HAVE_LIBDEFLATE

static bool deflate_fast(struct inflater *inflater, const uint8_t *input,
			 size_t length, uint8_t *output, size_t size)
{
	if (!inflater->deflate)
		inflater->deflate = libdeflate_alloc_decompressor();
	return inflater->deflate &&
	       libdeflate_deflate_decompress_ex(inflater->deflate, input,
						length, output, size, NULL,
						NULL) == LIBDEFLATE_SUCCESS;
}

static void deflate_fini(struct inflater *inflater)
{
	if (inflater->deflate)
		libdeflate_free_decompressor(inflater->deflate);
}

#else

static bool deflate_fast(struct inflater *inflater, const uint8_t *input,
			 size_t length, uint8_t *output, size_t size)
{
	(void)inflater;
	(void)input;
	(void)length;
	(void)output;
	(void)size;
	return false;
}

static void deflate_fini(struct inflater *inflater)
{
	(void)inflater;
}

#endif

static int inflate_deflate(struct inflater *inflater, const uint8_t *input,
			   size_t length, uint8_t *output, size_t size)
{
	z_stream stream = {
		.next_in = (uint8_t *)input,
		.avail_in = (uInt)length,
		.next_out = output,
		.avail_out = (uInt)size,
	};
	int ret;

	if (deflate_fast(inflater, input, length, output, size))
		return 0;
	if (inflateInit2(&stream, DEFLATE_WINDOW_BITS) != Z_OK)
		return -ENOMEM;
	ret = inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
	/* Z_BUF_ERROR: no room for more, and there need not be. */
	if (stream.avail_out || (ret != Z_STREAM_END && ret != Z_BUF_ERROR))
		return -EIO;
	return 0;
}

/* One frame with the whole cluster: decoded in place, without a window. */
static bool zstd_fast(struct inflater *inflater, const uint8_t *input,
		      size_t length, uint8_t *output, size_t size)
{
	size_t frame = ZSTD_findFrameCompressedSize(input, length);

	return !ZSTD_isError(frame) &&
	       ZSTD_decompressDCtx(inflater->zstd, output, size, input,
				   frame) == size;
}

static int zstd_patient(struct inflater *inflater, const uint8_t *input,
			size_t length, uint8_t *output, size_t size)
{
	ZSTD_inBuffer in = {input, length, 0};
	ZSTD_outBuffer out = {output, size, 0};
	size_t before, ret;

	ZSTD_DCtx_reset(inflater->zstd, ZSTD_reset_session_and_parameters);
	ZSTD_DCtx_setParameter(inflater->zstd, ZSTD_d_windowLogMax,
			       ZSTD_WINDOW_BITS_MAX);
	while (out.pos < out.size) {
		before = in.pos + out.pos;
		ret = ZSTD_decompressStream(inflater->zstd, &out, &in);
		if (ZSTD_isError(ret) || in.pos + out.pos == before)
			return -EIO;
	}
	return 0;
}

static int inflate_zstd(struct inflater *inflater, const uint8_t *input,
			size_t length, uint8_t *output, size_t size)
{
	if (!inflater->zstd)
		inflater->zstd = ZSTD_createDCtx();
	if (!inflater->zstd)
		return -ENOMEM;
	if (zstd_fast(inflater, input, length, output, size))
		return 0;
	return zstd_patient(inflater, input, length, output, size);
}

void inflater_fini(struct inflater *inflater)
{
	deflate_fini(inflater);
	ZSTD_freeDCtx(inflater->zstd);
	*inflater = (struct inflater){0};
}

int inflate_cluster(struct inflater *inflater, enum qcow2_compression type,
		    const uint8_t *input, size_t length, uint8_t *output,
		    size_t size)
{
	if (type == QCOW2_ZSTD)
		return inflate_zstd(inflater, input, length, output, size);
	return inflate_deflate(inflater, input, length, output, size);
}

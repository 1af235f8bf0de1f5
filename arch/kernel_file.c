/*
 * arch/kernel_file.c - gzip and zstd, bare or as the payload of EFI zboot.
 *
 * The other compressions that Linux' build offers for zboot (lz4, lzma, lzo,
 * xz) are refused by name: no distribution ships them, and each would be one
 * more library that reads untrusted files.
 */
#include "arch/kernel_file.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/endian.h"
#include "base/math.h"

static const uint8_t gzip_magic[] = {0x1f, 0x8b, 0x08};
static const uint8_t zstd_magic[] = {0x28, 0xb5, 0x2f, 0xfd};

/* The start of an EFI zboot file. */
struct zboot_header {
	uint8_t mz[4];
	uint8_t type[4];
	le32 payload_offset;
	le32 payload_size;
	uint8_t reserved[8];
	char compression[32]; /* ends with a NUL */
};

static bool starts_with(const struct kernel_file *file, const void *magic,
			size_t length)
{
	return file->size >= length && !memcmp(file->data, magic, length);
}

static bool is_zboot(const struct kernel_file *file)
{
	return file->size >= sizeof(struct zboot_header) &&
	       starts_with(file, "MZ", 2) && !memcmp(file->data + 4, "zimg", 4);
}

/* The words are those of Linux' drivers/firmware/efi/libstub/Makefile.zboot. */
static int zboot_packing(const struct kernel_file *file, const char *word,
			 enum kernel_packing *ret_packing, struct err *err)
{
	if (!strcmp(word, "gzip"))
		*ret_packing = KERNEL_GZIP;
	else if (!strcmp(word, "zstd22") || !strcmp(word, "zstd"))
		*ret_packing = KERNEL_ZSTD;
	else
		return err_set(err, ENOTSUP,
			       "kernel %s is an EFI zboot file compressed with "
			       "\"%s\"; only gzip and zstd are unpacked",
			       file->path, word);
	return 0;
}

/* Narrows @file from the zboot file to its payload. */
static int zboot_open(struct kernel_file *file, struct err *err)
{
	struct zboot_header header;
	char word[sizeof(header.compression)];
	uint32_t offset, size;

	memcpy(&header, file->data, sizeof(header));
	offset = le32_get(header.payload_offset);
	size = le32_get(header.payload_size);
	if (!size || !range_fits(offset, size, file->size))
		return err_set(err, EINVAL,
			       "kernel %s is an EFI zboot file whose payload "
			       "(%u bytes at %u) is not inside the file: it is "
			       "damaged or incomplete",
			       file->path, size, offset);

	memcpy(word, header.compression, sizeof(word));
	word[sizeof(word) - 1] = '\0';
	file->data += offset;
	file->size = size;
	return zboot_packing(file, word, &file->packing, err);
}

int kernel_file_init(const struct fd_map *map, struct kernel_file *ret_file,
		     struct err *err)
{
	*ret_file = (struct kernel_file){
		.path = map->path,
		.packing = KERNEL_PLAIN,
		.data = map->data,
		.size = map->size,
	};
	if (starts_with(ret_file, gzip_magic, sizeof(gzip_magic)))
		ret_file->packing = KERNEL_GZIP;
	else if (starts_with(ret_file, zstd_magic, sizeof(zstd_magic)))
		ret_file->packing = KERNEL_ZSTD;
	else if (is_zboot(ret_file))
		return zboot_open(ret_file, err);
	return 0;
}

static int error_damaged(const struct kernel_file *file, const char *what,
			 struct err *err)
{
	return err_set(err, EINVAL,
		       "kernel %s cannot be unpacked: its %s stream is damaged "
		       "or incomplete",
		       file->path, what);
}

static int error_too_large(const struct kernel_file *file, size_t capacity,
			   struct err *err)
{
	return err_set(
		err, ENOSPC,
		"kernel %s unpacks to more than %llu MiB, all the memory "
		"that the machine has for it; give it more with --memory",
		file->path, (unsigned long long)capacity / MIB);
}

/*
 * zlib counts in 32 bits, a buffer may be larger: each turn offers it what is
 * left, as far as it can count.
 */
static int inflate_all(z_stream *stream, const uint8_t *data, size_t size,
		       uint8_t *buffer, size_t capacity)
{
	size_t in = 0, out = 0;
	int status;

	do {
		uInt in_step = min_u64(size - in, UINT32_MAX);
		uInt out_step = min_u64(capacity - out, UINT32_MAX);

		stream->next_in = (Bytef *)data + in;
		stream->avail_in = in_step;
		stream->next_out = buffer + out;
		stream->avail_out = out_step;
		status = inflate(stream, Z_NO_FLUSH);
		in += in_step - stream->avail_in;
		out += out_step - stream->avail_out;
	} while (status == Z_OK);
	return status;
}

static int unpack_gzip(const struct kernel_file *file, uint8_t *buffer,
		       size_t capacity, size_t *ret_size, struct err *err)
{
	z_stream stream = {0};
	bool full;
	int status;

	/* Past MAX_WBITS: a gzip header and trailer, not zlib's. */
	if (inflateInit2(&stream, MAX_WBITS + 16) != Z_OK)
		return err_set(err, ENOMEM, "no memory to unpack a kernel");
	status = inflate_all(&stream, file->data, file->size, buffer, capacity);
	/* A whole stream's 8-byte trailer waits behind what did not fit. */
	full = status == Z_BUF_ERROR && !stream.avail_out && stream.avail_in;
	*ret_size = stream.total_out;
	inflateEnd(&stream);
	if (full)
		return error_too_large(file, capacity, err);
	if (status != Z_STREAM_END)
		return error_damaged(file, "gzip", err);
	return 0;
}

/*
 * The first frame alone, in one call: so no window is allocated, however large
 * the file says it is, and what follows the frame does not matter.
 */
static int unpack_zstd(const struct kernel_file *file, uint8_t *buffer,
		       size_t capacity, size_t *ret_size, struct err *err)
{
	size_t frame = ZSTD_findFrameCompressedSize(file->data, file->size);
	size_t size;

	if (ZSTD_isError(frame))
		return error_damaged(file, "zstd", err);
	size = ZSTD_decompress(buffer, capacity, file->data, frame);
	if (ZSTD_getErrorCode(size) == ZSTD_error_dstSize_tooSmall)
		return error_too_large(file, capacity, err);
	if (ZSTD_isError(size))
		return error_damaged(file, "zstd", err);
	*ret_size = size;
	return 0;
}

int kernel_file_unpack(const struct kernel_file *file, void *buffer,
		       size_t capacity, size_t *ret_size, struct err *err)
{
	if (file->packing == KERNEL_GZIP)
		return unpack_gzip(file, buffer, capacity, ret_size, err);
	return unpack_zstd(file, buffer, capacity, ret_size, err);
}

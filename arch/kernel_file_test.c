/*
 * arch/kernel_file_test.c - payloads that these tests pack themselves, whole,
 * cut, and with headers that lie.
 */
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "arch/kernel_file.h"
#include "base/endian.h"
#include "base/math.h"
#include "base/test.h"

/* A payload that compresses, but not to nothing. */
#define PAYLOAD_SIZE (200 * KIB)
#define PACKED_MAX   (256 * KIB)

static uint8_t payload[PAYLOAD_SIZE];
static uint8_t packed[PACKED_MAX];
static uint8_t unpacked[PAYLOAD_SIZE + 1];

static void fill_payload(void)
{
	uint32_t state = 1;

	for (size_t i = 0; i < sizeof(payload); i++) {
		state = state * 1103515245 + 12345;
		payload[i] = state >> 30;
	}
}

static size_t pack_gzip(const void *data, size_t size, uint8_t *buffer,
			size_t capacity)
{
	z_stream stream = {0};

	deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8,
		     Z_DEFAULT_STRATEGY);
	stream.next_in = (Bytef *)data;
	stream.avail_in = size;
	stream.next_out = buffer;
	stream.avail_out = capacity;
	deflate(&stream, Z_FINISH);
	deflateEnd(&stream);
	return stream.total_out;
}

static size_t pack_zstd(const void *data, size_t size, uint8_t *buffer,
			size_t capacity)
{
	return ZSTD_compress(buffer, capacity, data, size, 3);
}

static struct fd_map map_of(const uint8_t *data, size_t size)
{
	return (struct fd_map){.path = "test", .data = data, .size = size};
}

/* Opens packed[0, size) and unpacks it into @capacity bytes. */
static int unpack(size_t size, size_t capacity, size_t *ret_size)
{
	struct fd_map map = map_of(packed, size);
	struct kernel_file file;
	int ret = kernel_file_init(&map, &file, NULL);

	if (ret)
		return ret;
	if (!CHECK(file.packing != KERNEL_PLAIN))
		return -ENOEXEC;
	return kernel_file_unpack(&file, unpacked, capacity, ret_size, NULL);
}

static void check_unpacks(size_t size)
{
	size_t got = 0;

	memset(unpacked, 0xee, sizeof(unpacked));
	CHECK_EQUAL(unpack(size, PAYLOAD_SIZE, &got), 0);
	CHECK_EQUAL(got, PAYLOAD_SIZE);
	CHECK(!memcmp(unpacked, payload, PAYLOAD_SIZE));
	CHECK_EQUAL(unpacked[PAYLOAD_SIZE], 0xee);
}

/* Whole, with a tail, cut at many places, and into too small a buffer. */
static void check_stream(size_t size)
{
	size_t got;

	check_unpacks(size);
	memset(packed + size, 'x', 100);
	check_unpacks(size + 100);
	for (size_t cut = 8; cut < size; cut += 997)
		CHECK_EQUAL(unpack(cut, PAYLOAD_SIZE, &got), -EINVAL);
	CHECK_EQUAL(unpack(size - 1, PAYLOAD_SIZE, &got), -EINVAL);
	CHECK_EQUAL(unpack(size, PAYLOAD_SIZE - 1, &got), -ENOSPC);
	CHECK_EQUAL(unpack(size, 1, &got), -ENOSPC);
}

static void plain_is_left_alone(void)
{
	struct fd_map map = map_of(payload, PAYLOAD_SIZE);
	struct kernel_file file;

	CHECK_EQUAL(kernel_file_init(&map, &file, NULL), 0);
	CHECK_EQUAL(file.packing, KERNEL_PLAIN);
	CHECK(file.data == payload);
	CHECK_EQUAL(file.size, PAYLOAD_SIZE);
	map.size = 1;
	CHECK_EQUAL(kernel_file_init(&map, &file, NULL), 0);
	CHECK_EQUAL(file.packing, KERNEL_PLAIN);
}

static void gzip_is_unpacked(void)
{
	check_stream(pack_gzip(payload, PAYLOAD_SIZE, packed, PACKED_MAX));
}

static void zstd_is_unpacked(void)
{
	check_stream(pack_zstd(payload, PAYLOAD_SIZE, packed, PACKED_MAX));
}

static void damaged_streams_are_refused(void)
{
	size_t size = pack_gzip(payload, PAYLOAD_SIZE, packed, PACKED_MAX);
	size_t got;

	packed[size / 2] ^= 0xff;
	CHECK_EQUAL(unpack(size, PAYLOAD_SIZE, &got), -EINVAL);
	size = pack_zstd(payload, PAYLOAD_SIZE, packed, PACKED_MAX);
	memset(packed + 20, 0, 200);
	CHECK_EQUAL(unpack(size, PAYLOAD_SIZE, &got), -EINVAL);
}

/* 64 MiB of zeroes in 64 KiB: what matters is the buffer, not the stream. */
static void bombs_are_bounded(void)
{
	static const size_t bomb_size = 64 * MIB;
	void *zeroes = calloc(1, bomb_size);
	size_t size, got;

	REQUIRE(zeroes);
	size = pack_gzip(zeroes, bomb_size, packed, PACKED_MAX);
	CHECK_EQUAL(unpack(size, PAYLOAD_SIZE, &got), -ENOSPC);
	size = pack_zstd(zeroes, bomb_size, packed, PACKED_MAX);
	CHECK_EQUAL(unpack(size, PAYLOAD_SIZE, &got), -ENOSPC);
	free(zeroes);
}

#define ZBOOT_PAYLOAD 256

/* Makes packed[] a zboot file; its stream begins at ZBOOT_PAYLOAD. */
static void put_zboot_header(const char *compression, uint32_t offset,
			     uint32_t size)
{
	le32 fields[2] = {le32_make(offset), le32_make(size)};

	memset(packed, 0, ZBOOT_PAYLOAD);
	memcpy(packed, "MZ\0\0zimg", 8);
	memcpy(packed + 8, fields, sizeof(fields));
	memcpy(packed + 24, compression, strlen(compression));
}

static void zboot_is_unpacked(void)
{
	uint8_t *stream = packed + ZBOOT_PAYLOAD;
	size_t room = PACKED_MAX - ZBOOT_PAYLOAD;
	size_t size = pack_gzip(payload, PAYLOAD_SIZE, stream, room);

	put_zboot_header("gzip", ZBOOT_PAYLOAD, size);
	check_unpacks(ZBOOT_PAYLOAD + size);
	size = pack_zstd(payload, PAYLOAD_SIZE, stream, room);
	put_zboot_header("zstd22", ZBOOT_PAYLOAD, size);
	check_unpacks(ZBOOT_PAYLOAD + size);
}

static void lying_zboot_headers_are_refused(void)
{
	static const struct {
		uint32_t offset, size;
	} lies[] = {
		{0, 0},
		{ZBOOT_PAYLOAD, 0},
		{4096, 1},
		{4097, 0},
		{UINT32_MAX, 1},
		{ZBOOT_PAYLOAD, UINT32_MAX},
		{UINT32_MAX, UINT32_MAX},
		{ZBOOT_PAYLOAD, 4096},
	};
	size_t got;

	for (size_t i = 0; i < ARRAY_LENGTH(lies); i++) {
		put_zboot_header("gzip", lies[i].offset, lies[i].size);
		CHECK_EQUAL(unpack(4096, PAYLOAD_SIZE, &got), -EINVAL);
	}
	/* Its header is inside, and is no gzip stream. */
	put_zboot_header("gzip", 0, 4096);
	CHECK_EQUAL(unpack(4096, PAYLOAD_SIZE, &got), -EINVAL);
}

static void other_compressions_are_refused_by_name(void)
{
	struct fd_map map = map_of(packed, 4096);
	struct kernel_file file;
	struct err err;

	put_zboot_header("xzkern", ZBOOT_PAYLOAD, 1000);
	CHECK_EQUAL(kernel_file_init(&map, &file, &err), -ENOTSUP);
	CHECK_TEXT(err.text, "kernel test is an EFI zboot file compressed with "
			     "\"xzkern\"; only gzip and zstd are unpacked");
	/* A name without an end must not run into what follows it. */
	put_zboot_header("gzipgzipgzipgzipgzipgzipgzipgzipgzipgzip",
			 ZBOOT_PAYLOAD, 1000);
	CHECK_EQUAL(kernel_file_init(&map, &file, &err), -ENOTSUP);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(plain_is_left_alone),
		TEST(gzip_is_unpacked),
		TEST(zstd_is_unpacked),
		TEST(damaged_streams_are_refused),
		TEST(bombs_are_bounded),
		TEST(zboot_is_unpacked),
		TEST(lying_zboot_headers_are_refused),
		TEST(other_compressions_are_refused_by_name),
	};

	fill_payload();
	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

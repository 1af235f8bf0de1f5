/*
 * devices/virtio_blk_request_test.c - requests in any framing, their limits,
 * and what is no request.
 */
#include "devices/virtio_blk_request.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <stdlib.h>

#include "base/iov.h"
#include "base/math.h"
#include "base/test.h"

#define PIECES 64

/* A chain over flat memory, cut as a test wants it. */
struct bench {
	uint8_t readable[1024];
	uint8_t writable[1024];
	struct iovec iov[PIECES];
	struct virtqueue_chain chain;
	struct virtio_blk_request request;
};

/* Cuts @length bytes at @from into pieces of @size. */
static unsigned int cut(struct iovec *iov, uint8_t *from, size_t length,
			size_t size)
{
	unsigned int count = 0;

	for (size_t at = 0; at < length; at += size)
		iov[count++] = (struct iovec){from + at,
					      min_u64(size, length - at)};
	return count;
}

static void set_chain(struct bench *bench, size_t readable, size_t writable,
		      size_t size)
{
	struct virtqueue_chain *chain = &bench->chain;

	*chain = (struct virtqueue_chain){
		.iov = bench->iov,
		.capacity = PIECES,
		.readable_length = readable,
		.writable_length = writable,
	};
	chain->readable_count = cut(bench->iov, bench->readable, readable,
				    size);
	chain->writable_count = cut(bench->iov + chain->readable_count,
				    bench->writable, writable, size);
}

static void set_header(struct bench *bench, uint32_t type, uint64_t sector)
{
	const struct virtio_blk_outhdr header = {
		.type = htole32(type),
		.sector = htole64(sector),
	};

	memcpy(bench->readable, &header, sizeof(header));
}

static void test_any_framing(void)
{
	static const size_t sizes[] = {1024, 64, 17, 16, 15, 10};
	struct bench bench = {0};
	uint8_t data[64];

	for (size_t i = 0; i < sizeof(bench.readable); i++)
		bench.readable[i] = (uint8_t)i;
	set_header(&bench, VIRTIO_BLK_T_OUT, 7);
	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		const struct virtio_blk_request *request = &bench.request;

		set_chain(&bench, 16 + 64, 33, sizes[i]);
		REQUIRE(!virtio_blk_request_parse(&bench.chain,
						  &bench.request));
		CHECK(request->has_header);
		CHECK_EQUAL(request->type, VIRTIO_BLK_T_OUT);
		CHECK_EQUAL(request->sector, 7);
		CHECK(request->status == bench.writable + 32);
		CHECK_EQUAL(request->from_driver.length, 64);
		CHECK_EQUAL(iov_length(request->from_driver.iov,
				       request->from_driver.count),
			    64);
		CHECK_EQUAL(request->to_driver.length, 32);
		CHECK_EQUAL(iov_length(request->to_driver.iov,
				       request->to_driver.count),
			    32);
		iov_to_buffer(request->from_driver.iov,
			      request->from_driver.count, 0, data, 64);
		CHECK(!memcmp(data, bench.readable + 16, 64));
	}
}

static void test_status_alone_in_its_piece(void)
{
	struct bench bench = {0};

	set_header(&bench, VIRTIO_BLK_T_FLUSH, 0);
	set_chain(&bench, 16, 1, 16);
	REQUIRE(!virtio_blk_request_parse(&bench.chain, &bench.request));
	CHECK(bench.request.status == bench.writable);
	CHECK_EQUAL(bench.request.to_driver.count, 0);
	CHECK_EQUAL(bench.request.to_driver.length, 0);
	CHECK_EQUAL(bench.request.from_driver.count, 0);
}

static void test_no_place_for_a_status(void)
{
	struct bench bench = {0};

	set_chain(&bench, 16, 0, 16);
	CHECK_EQUAL(virtio_blk_request_parse(&bench.chain, &bench.request),
		    -EPROTO);
}

static void test_short_header(void)
{
	struct bench bench = {0};

	set_header(&bench, VIRTIO_BLK_T_OUT, 7);
	set_chain(&bench, 15, 1, 16);
	REQUIRE(!virtio_blk_request_parse(&bench.chain, &bench.request));
	CHECK(!bench.request.has_header);
	CHECK(bench.request.status == bench.writable);
	set_chain(&bench, 0, 17, 16);
	REQUIRE(!virtio_blk_request_parse(&bench.chain, &bench.request));
	CHECK(!bench.request.has_header);
	CHECK(bench.request.status == bench.writable + 16);
}

static int range(uint64_t sector, uint64_t length)
{
	uint64_t offset;
	int ret;

	ret = virtio_blk_request_range(sector, length, 10 * 512, &offset);
	if (!ret)
		CHECK_EQUAL(offset, sector * 512);
	return ret;
}

static void test_ranges(void)
{
	CHECK_EQUAL(range(0, 10 * 512), 0);
	CHECK_EQUAL(range(9, 512), 0);
	CHECK_EQUAL(range(10, 0), 0);
	CHECK_EQUAL(range(10, 512), -EINVAL);
	CHECK_EQUAL(range(9, 2 * 512), -EINVAL);
	CHECK_EQUAL(range(0, 511), -EINVAL);
	CHECK_EQUAL(range(0, 513), -EINVAL);
	CHECK_EQUAL(range(UINT64_MAX, 512), -EINVAL);
	CHECK_EQUAL(range(UINT64_MAX / 512, 512), -EINVAL);
	/* 2^55 sectors are 2^64 bytes: back at 0 if nobody looked. */
	CHECK_EQUAL(range(1ULL << 55, 512), -EINVAL);
}

/* --- DISCARD and WRITE_ZEROES --------------------------------------------- */

#define CAPACITY (1ULL << 40)

static struct virtio_blk_segment segments[VIRTIO_BLK_SEGMENTS_MAX];

/* What a request of @type with @length bytes of @count copies says. */
static int parse_segments(uint32_t type, uint64_t sector, uint32_t sectors,
			  uint32_t flags, size_t length)
{
	const struct virtio_blk_discard_write_zeroes raw = {htole64(sector),
							    htole32(sectors),
							    htole32(flags)};
	struct bench bench = {0};

	set_header(&bench, type, 0);
	for (size_t i = 0; i < length; i++)
		bench.readable[16 + i] = ((const uint8_t *)&raw)[i % 16];
	set_chain(&bench, 16 + length, 1, 24);
	if (!CHECK(!virtio_blk_request_parse(&bench.chain, &bench.request)))
		return 0;
	return virtio_blk_request_segments(&bench.request, CAPACITY, segments);
}

static int discard(uint64_t sector, uint32_t sectors, uint32_t flags,
		   size_t length)
{
	return parse_segments(VIRTIO_BLK_T_DISCARD, sector, sectors, flags,
			      length);
}

static int write_zeroes(uint64_t sector, uint32_t sectors, uint32_t flags)
{
	return parse_segments(VIRTIO_BLK_T_WRITE_ZEROES, sector, sectors, flags,
			      16);
}

static void test_segments(void)
{
	CHECK_EQUAL(discard(8, 16, 0, 16), 1);
	CHECK_EQUAL(segments[0].offset, 8 * 512);
	CHECK_EQUAL(segments[0].length, 16 * 512);
	CHECK_EQUAL(discard(8, 16, 0, 32 * 16), 32);
	CHECK_EQUAL(segments[31].offset, 8 * 512);
	CHECK_EQUAL(write_zeroes(8, 16, 0), 1);
	CHECK(!segments[0].unmap);
	CHECK_EQUAL(write_zeroes(8, 16, 1), 1);
	CHECK(segments[0].unmap);
}

static void test_segment_limits(void)
{
	CHECK_EQUAL(discard(8, 16, 0, 0), -EINVAL);
	CHECK_EQUAL(discard(8, 16, 0, 15), -EINVAL);
	CHECK_EQUAL(discard(8, 16, 0, 17), -EINVAL);
	CHECK_EQUAL(discard(8, 16, 0, 33 * 16), -EINVAL);
	CHECK_EQUAL(discard(0, VIRTIO_BLK_SEGMENT_SECTORS_MAX, 0, 16), 1);
	CHECK_EQUAL(discard(0, VIRTIO_BLK_SEGMENT_SECTORS_MAX + 1, 0, 16),
		    -EINVAL);
	CHECK_EQUAL(discard(CAPACITY / 512 - 1, 1, 0, 16), 1);
	CHECK_EQUAL(discard(CAPACITY / 512 - 1, 2, 0, 16), -EINVAL);
	CHECK_EQUAL(discard(UINT64_MAX, 1, 0, 16), -EINVAL);
	CHECK_EQUAL(discard(8, 16, 1, 16), -ENOTSUP);
	CHECK_EQUAL(write_zeroes(8, 16, 2), -ENOTSUP);
	CHECK_EQUAL(write_zeroes(8, 16, 1U << 31), -ENOTSUP);
}

static void test_status_of_errors(void)
{
	CHECK_EQUAL(virtio_blk_request_status(0), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(virtio_blk_request_status(-ENOTSUP), VIRTIO_BLK_S_UNSUPP);
	CHECK_EQUAL(virtio_blk_request_status(-EIO), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(virtio_blk_request_status(-EUCLEAN), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(virtio_blk_request_status(-EROFS), VIRTIO_BLK_S_IOERR);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_any_framing),
		TEST(test_status_alone_in_its_piece),
		TEST(test_no_place_for_a_status),
		TEST(test_short_header),
		TEST(test_ranges),
		TEST(test_segments),
		TEST(test_segment_limits),
		TEST(test_status_of_errors),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

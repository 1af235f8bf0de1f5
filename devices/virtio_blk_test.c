/*
 * devices/virtio_blk_test.c - every type of request on its whole way, from the
 * doorbell over the queue's thread to the interrupt; and requests that fail.
 */
#include "devices/virtio_blk.h"

#include "devices/test_blk.h"

static void test_write_and_read(void)
{
	const struct request read = {VIRTIO_BLK_T_IN, 10, 4096, WRITE};
	struct bench bench;
	uint32_t written;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	for (unsigned int i = 0; i < 4096; i++)
		at(&bench, DATA)[i] = (uint8_t)(i * 7);
	CHECK_EQUAL(run_write(&bench, 10, 4096), VIRTIO_BLK_S_OK);
	CHECK(!memcmp(bench.disk.data + 10 * 512, at(&bench, DATA), 4096));
	CHECK_EQUAL(bench.disk.data[10 * 512 - 1], TEST_BLOCK_FRESH);
	CHECK_EQUAL(bench.disk.data[18 * 512], TEST_BLOCK_FRESH);
	memset(at(&bench, DATA), 0, 4096);
	CHECK_EQUAL(run_on(&bench, 0, &read, &written), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(written, 4097);
	CHECK(!memcmp(bench.disk.data + 10 * 512, at(&bench, DATA), 4096));
	bench_fini(&bench);
}

/* Header, data and status cut without regard to each other; indirect. */
static void test_odd_framing(void)
{
	const struct test_piece pieces[] = {{HEADER, 5, 0},
					    {HEADER + 5, 11, 0},
					    {DATA, 100, WRITE},
					    {DATA + 100, 900, WRITE},
					    {DATA + 1000, 24, WRITE},
					    {STATUS, 1, WRITE}};
	struct bench bench;
	uint16_t head;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	for (unsigned int i = 0; i < 1024; i++)
		bench.disk.data[i] = (uint8_t)i;
	put_header(&bench, VIRTIO_BLK_T_IN, 0);
	head = test_chain_indirect(&bench.queues[0], pieces, 6);
	submit(&bench, 0, head);
	CHECK_EQUAL(finish(&bench, 0, head), 1025);
	CHECK_EQUAL(*at(&bench, STATUS), VIRTIO_BLK_S_OK);
	CHECK(!memcmp(bench.disk.data, at(&bench, DATA), 1024));
	bench_fini(&bench);
}

static void test_long_request_in_pieces(void)
{
	struct bench bench;
	uint16_t head;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	bench.disk.data[249 * DATA_SIZE + 5] = 42;
	head = chain_15_mib(&bench);
	submit(&bench, 0, head);
	CHECK_EQUAL(finish(&bench, 0, head), 250 * DATA_SIZE + 1);
	CHECK_EQUAL(*at(&bench, STATUS), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(at(&bench, DATA)[5], 42);
	CHECK_EQUAL(bench.disk.reads, 4);
	bench_fini(&bench);
}

static void test_flush(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	CHECK_EQUAL(run_write(&bench, 0, 512), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.flushes, 0);
	CHECK_EQUAL(run(&bench, VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.flushes, 1);
	bench_fini(&bench);
}

/* A driver that cannot flush is not left with a volatile cache. */
static void test_write_through(void)
{
	const unsigned int wce = VIRTIO_MMIO_CONFIG +
				 offsetof(struct virtio_blk_config, wce);
	const struct bus_ops *ops = &virtio_mmio_bus_ops;
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, VERSION_1));
	CHECK_EQUAL(run_write(&bench, 0, 512), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.flushes, 1);

	REQUIRE(start(&bench, VERSION_1 | CONFIG_WCE));
	CHECK_EQUAL(ops->read(bench.mmio, wce, 1), 0);

	REQUIRE(start(&bench, VERSION_1 | FLUSH | CONFIG_WCE));
	CHECK_EQUAL(ops->read(bench.mmio, wce, 1), 1);
	CHECK_EQUAL(run_write(&bench, 0, 512), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.flushes, 1);
	ops->write(bench.mmio, wce, 1, 0);
	CHECK_EQUAL(ops->read(bench.mmio, wce, 1), 0);
	CHECK_EQUAL(run_write(&bench, 0, 512), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.flushes, 2);

	/* A reset forgets it; and what is not negotiated is not heard. */
	REQUIRE(start(&bench, VERSION_1 | FLUSH | CONFIG_WCE));
	CHECK_EQUAL(ops->read(bench.mmio, wce, 1), 1);
	REQUIRE(start(&bench, VERSION_1 | FLUSH));
	ops->write(bench.mmio, wce, 1, 0);
	CHECK_EQUAL(run_write(&bench, 0, 512), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.flushes, 2);
	bench_fini(&bench);
}

static void test_get_id(void)
{
	static const char id[24] = "serial-0123456789";
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	for (uint32_t length = 8; length <= 24; length += 4) {
		memset(at(&bench, DATA), 0xff, 32);
		CHECK_EQUAL(run(&bench, VIRTIO_BLK_T_GET_ID, 0, length, WRITE),
			    VIRTIO_BLK_S_OK);
		CHECK(!memcmp(at(&bench, DATA), id, length));
		CHECK_EQUAL(at(&bench, DATA)[length], 0xff);
	}
	bench_fini(&bench);
}

/* One segment, or the same one several times. */
static uint8_t run_segments(struct bench *bench, uint32_t type, uint64_t sector,
			    uint32_t sectors, uint32_t flags,
			    unsigned int count)
{
	const struct virtio_blk_discard_write_zeroes segment = {
		htole64(sector), htole32(sectors), htole32(flags)};

	for (unsigned int i = 0; i < count; i++)
		memcpy(at(bench, DATA) + i * sizeof(segment), &segment,
		       sizeof(segment));
	return run(bench, type, 0, count * sizeof(segment), 0);
}

static void test_discard_and_write_zeroes(void)
{
	const uint32_t zeroes = VIRTIO_BLK_T_WRITE_ZEROES;
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	CHECK_EQUAL(run_segments(&bench, VIRTIO_BLK_T_DISCARD, 8, 8, 0, 3),
		    VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.discards, 3);
	CHECK_EQUAL(bench.disk.data[8 * 512], 0);
	CHECK_EQUAL(bench.disk.data[16 * 512], TEST_BLOCK_FRESH);
	CHECK_EQUAL(run_segments(&bench, zeroes, 16, 1, 0, 1), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(run_segments(&bench, zeroes, 17, 1, 1, 1), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.zeroes, 2);
	CHECK_EQUAL(bench.disk.unmaps, 1);
	CHECK_EQUAL(bench.disk.data[17 * 512], 0);
	/* Nothing to do is done. */
	CHECK_EQUAL(run_segments(&bench, zeroes, 16, 0, 0, 1), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.zeroes, 2);
	/* One bad segment, and none is touched. */
	CHECK_EQUAL(run_segments(&bench, zeroes, DISK_SIZE / 512, 1, 0, 2),
		    VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(run_segments(&bench, VIRTIO_BLK_T_DISCARD, 0, 8, 1, 1),
		    VIRTIO_BLK_S_UNSUPP);
	CHECK_EQUAL(bench.disk.discards, 3);
	bench_fini(&bench);
}

/* --- Requests that fail --------------------------------------------------- */

static void test_bad_ranges(void)
{
	const uint64_t end = DISK_SIZE / 512;
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	CHECK_EQUAL(run_read(&bench, end - 1, 512), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(run_read(&bench, end - 1, 1024), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(run_read(&bench, end, 512), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(run_write(&bench, UINT64_MAX, 512), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(run_write(&bench, 1ULL << 55, 512), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(run_read(&bench, 0, 511), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(run_write(&bench, 0, 513), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(bench.disk.reads, 1);
	CHECK_EQUAL(bench.disk.writes, 0);
	bench_fini(&bench);
}

static void test_unknown_types(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, VERSION_1 | FLUSH));
	CHECK_EQUAL(run(&bench, VIRTIO_BLK_T_SCSI_CMD, 0, 512, WRITE),
		    VIRTIO_BLK_S_UNSUPP);
	CHECK_EQUAL(run(&bench, VIRTIO_BLK_T_SECURE_ERASE, 0, 16, 0),
		    VIRTIO_BLK_S_UNSUPP);
	CHECK_EQUAL(run(&bench, UINT32_MAX, 0, 0, 0), VIRTIO_BLK_S_UNSUPP);
	/* Known, but not negotiated. */
	CHECK_EQUAL(run_segments(&bench, VIRTIO_BLK_T_DISCARD, 0, 8, 0, 1),
		    VIRTIO_BLK_S_UNSUPP);
	CHECK_EQUAL(run_segments(&bench, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0, 1),
		    VIRTIO_BLK_S_UNSUPP);
	CHECK_EQUAL(bench.disk.discards + bench.disk.zeroes, 0);
	bench_fini(&bench);
}

static void test_host_errors(void)
{
	const struct request read = {VIRTIO_BLK_T_IN, 0, 512, WRITE};
	struct bench bench;
	uint32_t written;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	bench.disk.fails_with = -EIO;
	CHECK_EQUAL(run_on(&bench, 0, &read, &written), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(written, 0);
	CHECK_EQUAL(run_write(&bench, 0, 512), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(run(&bench, VIRTIO_BLK_T_FLUSH, 0, 0, 0),
		    VIRTIO_BLK_S_IOERR);
	bench.disk.fails_with = -ENOTSUP;
	CHECK_EQUAL(run_segments(&bench, VIRTIO_BLK_T_DISCARD, 0, 8, 0, 1),
		    VIRTIO_BLK_S_UNSUPP);
	bench.disk.fails_with = 0;
	CHECK_EQUAL(run_write(&bench, 0, 512), VIRTIO_BLK_S_OK);
	bench_fini(&bench);
}

static void test_read_only(void)
{
	struct bench bench;
	uint64_t features;

	REQUIRE(bench_init_with(&bench, 1, true));
	features = test_mmio_features(bench.mmio);
	CHECK(features & FEATURE(VIRTIO_BLK_F_RO));
	CHECK(!(features & FEATURE(VIRTIO_BLK_F_DISCARD)));
	CHECK(!(features & FEATURE(VIRTIO_BLK_F_WRITE_ZEROES)));
	/* Also for a driver that did not listen. */
	REQUIRE(start(&bench, VERSION_1 | FLUSH));
	CHECK_EQUAL(run_read(&bench, 0, 512), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(run_write(&bench, 0, 512), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(run(&bench, VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.writes, 0);
	bench_fini(&bench);
}

/* A header that ends too early still has a place for the answer. */
static void test_short_header(void)
{
	const struct test_piece pieces[] = {{HEADER, 15, 0},
					    {STATUS, 1, WRITE}};
	struct bench bench;
	uint16_t head;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	put_header(&bench, VIRTIO_BLK_T_FLUSH, 0);
	head = test_chain(&bench.queues[0], pieces, 2);
	submit(&bench, 0, head);
	CHECK_EQUAL(finish(&bench, 0, head), 1);
	CHECK_EQUAL(*at(&bench, STATUS), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(bench.disk.flushes, 0);
	bench_fini(&bench);
}

static void expect_needs_reset(struct bench *bench, uint16_t head)
{
	submit(bench, 0, head);
	CHECK(wait_interrupt(bench));
	CHECK(device_status(bench) & VIRTIO_CONFIG_S_NEEDS_RESET);
	CHECK_EQUAL(bench->queues[0].used->idx, 0);
	REQUIRE(start(bench, USUAL));
	CHECK_EQUAL(run_read(bench, 0, 512), VIRTIO_BLK_S_OK);
}

static void test_rules_broken(void)
{
	const struct test_piece no_status = {HEADER, 16, 0};
	const struct test_piece nowhere[] = {{HEADER, 16, 0},
					     {TEST_LOW_SIZE, 512, WRITE},
					     {STATUS, 1, WRITE}};
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	expect_needs_reset(&bench, test_chain(&bench.queues[0], &no_status, 1));
	REQUIRE(start(&bench, USUAL));
	expect_needs_reset(&bench, test_chain(&bench.queues[0], nowhere, 3));
	REQUIRE(start(&bench, USUAL));
	expect_needs_reset(&bench, QUEUE_SIZE);
	bench_fini(&bench);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_write_and_read),
		TEST(test_odd_framing),
		TEST(test_long_request_in_pieces),
		TEST(test_flush),
		TEST(test_write_through),
		TEST(test_get_id),
		TEST(test_discard_and_write_zeroes),
		TEST(test_bad_ranges),
		TEST(test_unknown_types),
		TEST(test_host_errors),
		TEST(test_read_only),
		TEST(test_short_header),
		TEST(test_rules_broken),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

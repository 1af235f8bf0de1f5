/*
 * devices/virtio_blk_statistics_test.c - what a device counts of a driver that
 * kicks for each request and waits for its interrupt.
 */
#include "devices/virtio_blk_statistics.h"

#include <unistd.h>

#include "devices/test_blk.h"

static struct virtio_blk_statistics statistics_of(struct bench *bench)
{
	struct virtio_blk_statistics sum = {.reads = 0};

	virtio_mmio_reset(bench->mmio);
	virtio_blk_add_statistics(bench->blk, &sum);
	return sum;
}

static void requests_are_counted_by_type(void)
{
	const uint32_t segment_bytes =
		sizeof(struct virtio_blk_discard_write_zeroes);
	struct virtio_blk_statistics got;
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	for (unsigned int i = 0; i < 3; i++)
		run_read(&bench, i, 1024);
	for (unsigned int i = 0; i < 2; i++)
		run_write(&bench, i, 512);
	run(&bench, VIRTIO_BLK_T_FLUSH, 0, 0, 0);
	/* No segment has a length. */
	memset(at(&bench, DATA), 0, segment_bytes);
	run(&bench, VIRTIO_BLK_T_DISCARD, 0, segment_bytes, 0);
	run(&bench, VIRTIO_BLK_T_WRITE_ZEROES, 0, segment_bytes, 0);
	run(&bench, VIRTIO_BLK_T_GET_ID, 0, 20, WRITE);
	/* Two that fail. */
	run_read(&bench, DISK_SIZE / 512, 512);
	run(&bench, UINT32_MAX, 0, 512, WRITE);
	got = statistics_of(&bench);
	CHECK_EQUAL(got.reads, 4);
	CHECK_EQUAL(got.writes, 2);
	CHECK_EQUAL(got.flushes, 1);
	CHECK_EQUAL(got.discards, 1);
	CHECK_EQUAL(got.write_zeroes, 1);
	CHECK_EQUAL(got.others, 2);
	CHECK_EQUAL(got.failed, 2);
	CHECK_EQUAL(got.bytes_read, 3 * 1024);
	CHECK_EQUAL(got.bytes_written, 2 * 512);
	bench_fini(&bench);
}

/* A reset's own event is none; and what was before it still counts. */
static void kicks_and_interrupts_are_the_drivers(void)
{
	struct virtio_blk_statistics got;
	struct bench bench;

	REQUIRE(bench_init(&bench));
	for (unsigned int round = 1; round <= 3; round++) {
		REQUIRE(start(&bench, USUAL));
		for (unsigned int i = 0; i < 10; i++)
			run_read(&bench, i, 512);
		got = statistics_of(&bench);
		CHECK_EQUAL(got.reads, 10 * round);
		CHECK_EQUAL(got.queue.kicks, 10 * round);
		CHECK_EQUAL(got.interrupts, 10 * round);
		CHECK_EQUAL(got.most_at_a_time, 1);
		CHECK(got.spins_won <= got.spins);
		CHECK(got.cpu_nsec > 0);
	}
	CHECK_TEXT(got.engine, "test");
	bench_fini(&bench);
}

/* Once it was left alone for long enough, however busy the machine is. */
static void a_thread_with_nothing_to_do_sleeps(void)
{
	struct virtio_blk_statistics got = {.sleeps = 0};
	struct bench bench;

	REQUIRE(bench_init(&bench));
	for (useconds_t usec = 1000; usec < 4000000 && !got.sleeps; usec *= 2) {
		REQUIRE(start(&bench, USUAL));
		run_read(&bench, 0, 512);
		usleep(usec);
		got = statistics_of(&bench);
	}
	CHECK(got.sleeps > 0);
	bench_fini(&bench);
}

static void queues_add_up(void)
{
	const struct request read = {VIRTIO_BLK_T_IN, 5, 512, WRITE};
	struct virtio_blk_statistics got;
	struct bench bench;
	uint32_t written;

	REQUIRE(bench_init_with(&bench, 4, false));
	REQUIRE(start(&bench, USUAL | FEATURE(VIRTIO_BLK_F_MQ)));
	for (unsigned int queue = 0; queue < 4; queue++)
		run_on(&bench, queue, &read, &written);
	got = statistics_of(&bench);
	CHECK_EQUAL(got.queue_count, 4);
	CHECK_EQUAL(got.reads, 4);
	CHECK_EQUAL(got.queue.kicks, 4);
	CHECK_EQUAL(got.queue.at_once, 4);
	CHECK_EQUAL(got.queue.by_engine, 80);
	CHECK_EQUAL(got.queue.by_workers, 1200);
	bench_fini(&bench);
}

static void many_at_a_time_are_noticed(void)
{
	const struct test_piece pieces[] = {{HEADER, 16, 0},
					    {DATA, 512, WRITE},
					    {STATUS, 1, WRITE}};
	struct virtio_blk_statistics got;
	struct bench bench;

	REQUIRE(bench_init(&bench));
	put_header(&bench, VIRTIO_BLK_T_IN, 0);
	for (unsigned int i = 0; i < 40; i++)
		test_offer(&bench.queues[0],
			   test_chain(&bench.queues[0], pieces, 3));
	/* The interrupt is for the last of them. */
	test_set_used_event(&bench.queues[0], 39);
	REQUIRE(test_mmio_start(bench.mmio, USUAL, bench.queues, 1));
	REQUIRE(wait_interrupt(&bench));
	got = statistics_of(&bench);
	CHECK_EQUAL(got.most_at_a_time, 40);
	CHECK_EQUAL(got.reads, 40);
	CHECK_EQUAL(got.interrupts, 1);
	CHECK_EQUAL(got.queue.kicks, 0);
	bench_fini(&bench);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(requests_are_counted_by_type),
		TEST(kicks_and_interrupts_are_the_drivers),
		TEST(a_thread_with_nothing_to_do_sleeps),
		TEST(queues_add_up),
		TEST(many_at_a_time_are_noticed),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

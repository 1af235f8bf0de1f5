/*
 * devices/virtio_blk_many_test.c - many requests, in a row and at a time: no
 * kick, no interrupt and no chain gets lost.
 */
#include "devices/virtio_blk.h"

#include <unistd.h>

#include "devices/test_blk.h"

/* A driver that polls for the end, and kicks only where the device asks. */
static void test_obedient_kicks(void)
{
	const struct test_piece pieces[] = {{HEADER, 16, 0},
					    {DATA, 512, WRITE},
					    {STATUS, 1, WRITE}};
	uint32_t used_head, written;
	struct test_queue *queue;
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	queue = &bench.queues[0];
	put_header(&bench, VIRTIO_BLK_T_IN, 0);
	for (unsigned int i = 0; i < 2000; i++) {
		test_offer(queue, test_chain(queue, pieces, 3));
		test_kick_if_wanted(bench.mmio, 0, queue);
		for (unsigned int j = 0;
		     !test_used(queue, &used_head, &written); j++) {
			REQUIRE(j < WAIT_MS * 10);
			usleep(j < 1000 ? 0 : 100);
		}
	}
	bench_fini(&bench);
}

/* Many requests in a row, each by its own kick and interrupt. */
static void test_many_requests(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	for (unsigned int i = 0; i < 1000; i++)
		REQUIRE(run_read(&bench, i, 512) == VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.reads, 1000);
	bench_fini(&bench);
}

#define MANY 64

/* The header lies before where DATA begins, the status behind it. */
static uint16_t chain_many(struct bench *bench, unsigned int i)
{
	const struct virtio_blk_outhdr header = {
		.type = htole32(VIRTIO_BLK_T_IN),
		.sector = htole64(i),
	};
	const struct test_piece pieces[] = {{HEADER + i * 16, 16, 0},
					    {DATA + i * 512, 512, WRITE},
					    {HEADER + 0x1000 + i, 1, WRITE}};

	memcpy(at(bench, HEADER + i * 16), &header, sizeof(header));
	*at(bench, HEADER + 0x1000 + i) = NO_STATUS;
	memset(bench->disk.data + i * 512, (int)i + 1, 512);
	return test_chain(&bench->queues[0], pieces, 3);
}

/* All of them in one go, and the newest ends first. */
static void test_requests_overtake(void)
{
	struct test_queue *queue;
	uint32_t used_head, written;
	uint16_t heads[MANY];
	struct bench bench;

	REQUIRE(bench_init(&bench));
	bench.disk.newest_first = true;
	queue = &bench.queues[0];
	for (unsigned int i = 0; i < MANY; i++)
		heads[i] = chain_many(&bench, i);
	for (unsigned int i = 0; i < MANY; i++)
		test_offer(queue, heads[i]);
	test_set_used_event(queue, 0);
	REQUIRE(test_mmio_start(bench.mmio, USUAL, bench.queues, 1));
	REQUIRE(wait_interrupt(&bench));
	for (unsigned int i = MANY; i-- > 0;) {
		REQUIRE(test_used(queue, &used_head, &written));
		CHECK_EQUAL(used_head, heads[i]);
		CHECK_EQUAL(written, 513);
		CHECK_EQUAL(*at(&bench, HEADER + 0x1000 + i), VIRTIO_BLK_S_OK);
		CHECK_EQUAL(*at(&bench, DATA + i * 512), i + 1);
		CHECK_EQUAL(*at(&bench, DATA + i * 512 + 511), i + 1);
	}
	/* And that was the one interrupt for all. */
	CHECK_EQUAL(poll(&(struct pollfd){bench.irq_fd, POLLIN, 0}, 1, 10), 0);
	bench_fini(&bench);
}

/* The same chain offered far more often than the ring has entries. */
static void test_more_than_the_pool(void)
{
	const struct test_piece pieces[] = {{HEADER, 16, 0},
					    {STATUS, 1, WRITE}};
	uint32_t used_head, written;
	struct test_queue *queue;
	struct bench bench;
	unsigned int ended = 0;
	uint16_t head;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	queue = &bench.queues[0];
	put_header(&bench, VIRTIO_BLK_T_FLUSH, 0);
	head = test_chain(queue, pieces, 2);
	for (unsigned int round = 0; round < 4; round++) {
		for (unsigned int i = 0; i < QUEUE_SIZE; i++)
			test_offer(queue, head);
		test_kick(bench.mmio, 0);
		for (unsigned int i = 0; ended < (round + 1) * QUEUE_SIZE;
		     i++) {
			while (test_used(queue, &used_head, &written))
				ended++;
			REQUIRE(i < WAIT_MS * 10);
			usleep(100);
		}
	}
	CHECK_EQUAL(bench.disk.flushes, 4 * QUEUE_SIZE);
	CHECK(!(device_status(&bench) & VIRTIO_CONFIG_S_NEEDS_RESET));
	bench_fini(&bench);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_obedient_kicks),
		TEST(test_many_requests),
		TEST(test_requests_overtake),
		TEST(test_more_than_the_pool),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/* devices/virtqueue_test.c - chains, and event suppression both ways. */
#include "devices/virtqueue.h"

#include "devices/test_virtqueue.h"

static void test_direct_chain(void)
{
	const struct test_piece pieces[] = {{0x8000, 16, 0},
					    {0x9000, 512, WRITE},
					    {0xa000, 1, WRITE}};
	struct bench bench;
	uint32_t head, written;

	REQUIRE(bench_init(&bench, 0));
	CHECK_EQUAL(pop(&bench), 0);
	CHECK(!virtqueue_has_more(&bench.queue));
	test_offer(&bench.driver, test_chain(&bench.driver, pieces, 3));
	CHECK(virtqueue_has_more(&bench.queue));
	REQUIRE(pop(&bench) == 1);
	CHECK(!virtqueue_has_more(&bench.queue));
	CHECK_EQUAL(bench.chain.head, 0);
	CHECK_EQUAL(bench.chain.readable_count, 1);
	CHECK_EQUAL(bench.chain.readable_length, 16);
	CHECK_EQUAL(bench.chain.writable_count, 2);
	CHECK_EQUAL(bench.chain.writable_length, 513);
	CHECK(bench.chain.iov[1].iov_base == test_ram_at(&bench.ram, 0x9000));
	CHECK_EQUAL(bench.chain.iov[1].iov_len, 512);
	CHECK_EQUAL(pop(&bench), 0);

	virtqueue_push(&bench.queue, bench.chain.head, 513);
	CHECK(!test_used(&bench.driver, &head, &written));
	CHECK(virtqueue_publish(&bench.queue));
	CHECK(!virtqueue_publish(&bench.queue));
	REQUIRE(test_used(&bench.driver, &head, &written));
	CHECK_EQUAL(head, 0);
	CHECK_EQUAL(written, 513);
	bench_fini(&bench);
}

static void test_indirect_chain(void)
{
	struct test_piece pieces[CAPACITY];
	struct bench bench;

	REQUIRE(bench_init(&bench, INDIRECT));
	for (unsigned int i = 0; i < CAPACITY; i++)
		pieces[i] = (struct test_piece){0x8000 + i * 0x100, i + 1,
						i < 4 ? 0 : WRITE};
	/* More pieces than the queue has entries: the table is elsewhere. */
	test_offer(&bench.driver,
		   test_chain_indirect(&bench.driver, pieces, CAPACITY));
	REQUIRE(pop(&bench) == 1);
	CHECK_EQUAL(bench.chain.readable_count, 4);
	CHECK_EQUAL(bench.chain.writable_count, CAPACITY - 4);
	CHECK_EQUAL(bench.chain.iov[CAPACITY - 1].iov_len, CAPACITY);
	bench_fini(&bench);
}

/* 2.7.5.3.2: direct descriptors, then one that refers to a table. */
static void test_direct_then_indirect(void)
{
	const struct test_piece pieces[] = {{0x8000, 16, 0},
					    {0x9001, 32,
					     VRING_DESC_F_INDIRECT}};
	struct vring_desc *table;
	struct bench bench;

	REQUIRE(bench_init(&bench, INDIRECT));
	/* Tables need no alignment. */
	table = test_ram_at(&bench.ram, 0x9001);
	memcpy(table, &(struct vring_desc){0xa000, 8, NEXT, 1}, 16);
	memcpy((uint8_t *)table + 16, &(struct vring_desc){0xb000, 4, WRITE, 0},
	       16);
	test_offer(&bench.driver, test_chain(&bench.driver, pieces, 2));
	REQUIRE(pop(&bench) == 1);
	CHECK_EQUAL(bench.chain.readable_count, 2);
	CHECK_EQUAL(bench.chain.readable_length, 24);
	CHECK_EQUAL(bench.chain.writable_length, 4);
	bench_fini(&bench);
}

static void test_indices_wrap(void)
{
	const struct test_piece piece = {0x8000, 4, WRITE};
	uint32_t head, written;
	struct bench bench;

	REQUIRE(bench_init(&bench, EVENT_IDX));
	for (unsigned int i = 0; i < 3 * 65536 + 5; i++) {
		uint16_t offered = test_chain(&bench.driver, &piece, 1);

		test_set_used_event(&bench.driver, bench.driver.used_seen);
		test_offer(&bench.driver, offered);
		REQUIRE(pop(&bench) == 1);
		virtqueue_push(&bench.queue, bench.chain.head, i & 0xff);
		REQUIRE(virtqueue_publish(&bench.queue));
		REQUIRE(test_used(&bench.driver, &head, &written));
		REQUIRE(head == offered && written == (i & 0xff));
	}
	bench_fini(&bench);
}

static void test_interrupt_flag(void)
{
	const struct test_piece piece = {0x8000, 4, WRITE};
	struct bench bench;

	REQUIRE(bench_init(&bench, 0));
	for (unsigned int quiet = 0; quiet <= 1; quiet++) {
		bench.driver.avail->flags =
			htole16(quiet ? VRING_AVAIL_F_NO_INTERRUPT : 0);
		test_offer(&bench.driver, test_chain(&bench.driver, &piece, 1));
		REQUIRE(pop(&bench) == 1);
		virtqueue_push(&bench.queue, bench.chain.head, 0);
		CHECK_EQUAL(virtqueue_publish(&bench.queue), !quiet);
	}
	bench_fini(&bench);
}

/* One answer for a batch: does it contain the element that was asked for? */
static void test_used_event(void)
{
	const struct test_piece piece = {0x8000, 4, WRITE};
	struct bench bench;

	REQUIRE(bench_init(&bench, EVENT_IDX));
	for (uint16_t event = 0; event < 5; event++) {
		test_queue_clear(&bench.driver);
		REQUIRE(!virtqueue_start(&bench.queue, &bench.ram.memory,
					 &bench.driver.layout, CAPACITY,
					 EVENT_IDX));
		test_set_used_event(&bench.driver, event);
		for (unsigned int i = 0; i < 3; i++) {
			test_offer(&bench.driver,
				   test_chain(&bench.driver, &piece, 1));
			REQUIRE(pop(&bench) == 1);
			virtqueue_push(&bench.queue, bench.chain.head, 0);
		}
		CHECK_EQUAL(virtqueue_publish(&bench.queue), event < 3);
	}
	bench_fini(&bench);
}

static void test_kick_suppression(void)
{
	const struct test_piece piece = {0x8000, 4, WRITE};
	struct bench bench;

	for (unsigned int event_idx = 0; event_idx <= 1; event_idx++) {
		REQUIRE(bench_init(&bench, event_idx ? EVENT_IDX : 0));
		virtqueue_disarm_kick(&bench.queue);
		CHECK_EQUAL(le16toh(bench.driver.used->flags),
			    event_idx ? 0 : VRING_USED_F_NO_NOTIFY);
		test_offer(&bench.driver, test_chain(&bench.driver, &piece, 1));
		REQUIRE(pop(&bench) == 1);
		CHECK(!virtqueue_arm_kick(&bench.queue));
		CHECK_EQUAL(bench.driver.used->flags, 0);
		CHECK_EQUAL(test_avail_event(&bench.driver), event_idx);
		/* What came without a kick is noticed when arming. */
		test_offer(&bench.driver, test_chain(&bench.driver, &piece, 1));
		test_offer(&bench.driver, test_chain(&bench.driver, &piece, 1));
		CHECK_EQUAL(virtqueue_arm_kick(&bench.queue), 2);
		CHECK_EQUAL(test_avail_event(&bench.driver), event_idx * 3);
		CHECK_EQUAL(pop(&bench), 1);
		CHECK_EQUAL(virtqueue_arm_kick(&bench.queue), 1);
		CHECK_EQUAL(pop(&bench), 1);
		CHECK_EQUAL(virtqueue_arm_kick(&bench.queue), 0);
		bench_fini(&bench);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_direct_chain),	 TEST(test_indirect_chain),
		TEST(test_direct_then_indirect), TEST(test_indices_wrap),
		TEST(test_interrupt_flag),	 TEST(test_used_event),
		TEST(test_kick_suppression),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * devices/virtqueue_test.c - chains, event suppression both ways, and drivers
 * that lie.
 */
#include "devices/virtqueue.h"

#include <errno.h>

#include "base/iov.h"
#include "devices/test_driver.h"

#define SIZE	  8U
#define CAPACITY  16U
#define INDIRECT  (1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT_IDX (1ULL << VIRTIO_RING_F_EVENT_IDX)
#define WRITE	  VRING_DESC_F_WRITE
#define NEXT	  VRING_DESC_F_NEXT

/* Both ends of one queue. */
struct bench {
	struct test_ram ram;
	struct test_queue driver;
	struct virtqueue queue;
	struct virtqueue_chain chain;
};

static bool bench_init(struct bench *bench, uint64_t features)
{
	*bench = (struct bench){0};
	if (!test_ram_init(&bench->ram) ||
	    !CHECK(!virtqueue_chain_init(&bench->chain, CAPACITY)))
		return false;
	test_queue_init(&bench->driver, &bench->ram, SIZE);
	return CHECK(!virtqueue_start(&bench->queue, &bench->ram.memory,
				      &bench->driver.layout, CAPACITY,
				      features));
}

static void bench_fini(struct bench *bench)
{
	virtqueue_chain_fini(&bench->chain);
	test_ram_fini(&bench->ram);
}

static int pop(struct bench *bench)
{
	return virtqueue_pop(&bench->queue, &bench->chain);
}

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

/* What waits is never more than a queue holds, whatever the driver says. */
static void test_arming_is_bounded(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench, EVENT_IDX));
	bench.driver.avail->idx = htole16(0x8000);
	CHECK_EQUAL(virtqueue_arm_kick(&bench.queue), SIZE);
	CHECK_EQUAL(pop(&bench), -EPROTO);
	bench_fini(&bench);
}

/* --- Layouts that are refused --------------------------------------------- */

static int start_with(struct bench *bench, unsigned int size, gpa_t descriptors,
		      gpa_t driver, gpa_t device)
{
	const struct virtqueue_layout layout = {size, descriptors, driver,
						device};

	return virtqueue_start(&bench->queue, &bench->ram.memory, &layout,
			       CAPACITY, 0);
}

static void test_bad_layouts(void)
{
	const gpa_t end = TEST_LOW_SIZE;
	struct bench bench;

	REQUIRE(bench_init(&bench, 0));
	CHECK_EQUAL(start_with(&bench, 0, 0, 0x1000, 0x2000), -EINVAL);
	CHECK_EQUAL(start_with(&bench, 3, 0, 0x1000, 0x2000), -EINVAL);
	CHECK_EQUAL(start_with(&bench, 32, 0, 0x1000, 0x2000), -EINVAL);
	CHECK_EQUAL(start_with(&bench, 65536, 0, 0x1000, 0x2000), -EINVAL);
	CHECK_EQUAL(start_with(&bench, 8, 8, 0x1000, 0x2000), -EINVAL);
	CHECK_EQUAL(start_with(&bench, 8, 0, 0x1001, 0x2000), -EINVAL);
	CHECK_EQUAL(start_with(&bench, 8, 0, 0x1000, 0x2002), -EINVAL);
	/* The last byte of each part decides; then where it just fits. */
	CHECK_EQUAL(start_with(&bench, 8, end - 112, 0, 0x2000), -EINVAL);
	CHECK_EQUAL(start_with(&bench, 8, 0, end - 20, 0x2000), -EINVAL);
	CHECK_EQUAL(start_with(&bench, 8, 0, 0x1000, end - 68), -EINVAL);
	CHECK_EQUAL(start_with(&bench, 8, UINT64_MAX - 15, 0, 0), -EINVAL);
	CHECK_EQUAL(bench.queue.size, 0);
	CHECK_EQUAL(pop(&bench), 0);
	CHECK(!virtqueue_publish(&bench.queue));
	CHECK(!virtqueue_arm_kick(&bench.queue));
	CHECK_EQUAL(start_with(&bench, 8, end - 128, 0x1000, 0x2000), 0);
	CHECK_EQUAL(start_with(&bench, 8, 0, end - 22, 0x2000), 0);
	CHECK_EQUAL(start_with(&bench, 8, 0, 0x1000, end - 72), 0);
	CHECK_EQUAL(start_with(&bench, 16, TEST_HIGH_BASE, 0, 0x2000), 0);
	bench_fini(&bench);
}

/* --- Chains that are refused ---------------------------------------------- */

/* Offers @head and expects a broken queue. */
static void expect_broken(struct bench *bench, uint16_t head)
{
	test_offer(&bench->driver, head);
	CHECK_EQUAL(pop(bench), -EPROTO);
	CHECK_EQUAL(pop(bench), -EPROTO);
	CHECK(!virtqueue_arm_kick(&bench->queue));
}

static void expect_broken_chain(const struct test_piece *pieces,
				unsigned int count)
{
	struct bench bench;

	REQUIRE(bench_init(&bench, 0));
	expect_broken(&bench, test_chain(&bench.driver, pieces, count));
	bench_fini(&bench);
}

#define EXPECT_BROKEN_CHAIN(...)                                     \
	do {                                                         \
		const struct test_piece pieces_[] = {__VA_ARGS__};   \
		expect_broken_chain(pieces_, ARRAY_LENGTH(pieces_)); \
	} while (0)

static void test_pieces_outside_memory(void)
{
	const gpa_t end = TEST_LOW_SIZE;

	EXPECT_BROKEN_CHAIN({end, 1, 0});
	EXPECT_BROKEN_CHAIN({end - 1, 2, 0});
	EXPECT_BROKEN_CHAIN({0, UINT32_MAX, WRITE});
	EXPECT_BROKEN_CHAIN({UINT64_MAX, 1, 0});
	EXPECT_BROKEN_CHAIN({UINT64_MAX - 1, UINT32_MAX, 0});
	EXPECT_BROKEN_CHAIN({TEST_HIGH_BASE - 1, 2, 0});
	EXPECT_BROKEN_CHAIN({TEST_HIGH_BASE + TEST_HIGH_SIZE - 1, 2, 0});
	EXPECT_BROKEN_CHAIN({0x8000, 16, 0}, {end, 512, WRITE});
}

static void test_empty_piece(void)
{
	EXPECT_BROKEN_CHAIN({0x8000, 0, 0});
	EXPECT_BROKEN_CHAIN({0x8000, 16, 0}, {0x9000, 0, WRITE});
}

static void test_readable_after_writable(void)
{
	EXPECT_BROKEN_CHAIN({0x8000, 16, WRITE}, {0x9000, 16, 0});
}

static void test_loops_end(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench, 0));
	test_descriptor(&bench.driver.descriptors[0], 0x8000, 4, NEXT, 0);
	expect_broken(&bench, 0);
	bench_fini(&bench);

	REQUIRE(bench_init(&bench, 0));
	for (uint16_t i = 0; i < SIZE; i++)
		test_descriptor(&bench.driver.descriptors[i], 0x8000, 4, NEXT,
				(i + 1) % SIZE);
	expect_broken(&bench, 3);
	bench_fini(&bench);
}

static void test_indices_outside_the_queue(void)
{
	const struct test_piece fine = {0x8000, 4, 0};
	struct bench bench;

	REQUIRE(bench_init(&bench, 0));
	expect_broken(&bench, SIZE);
	bench_fini(&bench);

	REQUIRE(bench_init(&bench, 0));
	test_descriptor(&bench.driver.descriptors[0], 0x8000, 4, NEXT, SIZE);
	expect_broken(&bench, 0);
	bench_fini(&bench);

	/* More made available than the queue holds. */
	REQUIRE(bench_init(&bench, 0));
	test_chain(&bench.driver, &fine, 1);
	bench.driver.avail->idx = htole16(SIZE + 1);
	CHECK_EQUAL(pop(&bench), -EPROTO);
	bench_fini(&bench);
}

/* An indirect table at 0x9000 with its first two entries as given. */
static void expect_broken_table(uint64_t features, uint32_t length,
				uint16_t outer_flags,
				const struct vring_desc *first,
				const struct vring_desc *second)
{
	const struct test_piece whole = {0x9000, length,
					 VRING_DESC_F_INDIRECT | outer_flags};
	struct vring_desc *table;
	struct bench bench;

	REQUIRE(bench_init(&bench, features));
	table = test_ram_at(&bench.ram, 0x9000);
	table[0] = *first;
	table[1] = *second;
	expect_broken(&bench, test_chain(&bench.driver, &whole, 1));
	bench_fini(&bench);
}

static void test_bad_tables(void)
{
	const struct vring_desc fine = {0x8000, 4, NEXT, 1};
	const struct vring_desc last = {0x8000, 4, WRITE, 0};
	const struct vring_desc loop = {0x8000, 4, NEXT, 0};
	const struct vring_desc beyond = {0x8000, 4, NEXT, 2};
	const struct vring_desc nested = {0x9000, 32, VRING_DESC_F_INDIRECT, 0};

	expect_broken_table(0, 32, 0, &fine, &last); /* not negotiated */
	expect_broken_table(INDIRECT, 0, 0, &fine, &last);
	expect_broken_table(INDIRECT, 33, 0, &fine, &last);
	expect_broken_table(INDIRECT, 16, 0, &fine, &last); /* next beyond */
	expect_broken_table(INDIRECT, TEST_LOW_SIZE, 0, &fine, &last);
	expect_broken_table(INDIRECT, 32, NEXT, &fine, &last);
	expect_broken_table(INDIRECT, 32, 0, &loop, &last);
	expect_broken_table(INDIRECT, 32, 0, &fine, &loop);
	expect_broken_table(INDIRECT, 32, 0, &fine, &beyond);
	expect_broken_table(INDIRECT, 32, 0, &fine, &nested);
	expect_broken_table(INDIRECT, 32, 0, &nested, &last);
}

static void test_too_long_a_table(void)
{
	struct test_piece pieces[CAPACITY + 1];
	struct bench bench;

	REQUIRE(bench_init(&bench, INDIRECT));
	for (unsigned int i = 0; i <= CAPACITY; i++)
		pieces[i] = (struct test_piece){0x8000, 1, 0};
	expect_broken(&bench,
		      test_chain_indirect(&bench.driver, pieces, CAPACITY + 1));
	bench_fini(&bench);
}

/* Started again after a reset, a broken queue works. */
static void test_restart(void)
{
	const struct test_piece piece = {0x8000, 4, WRITE};
	struct bench bench;

	REQUIRE(bench_init(&bench, 0));
	expect_broken(&bench, SIZE);
	virtqueue_stop(&bench.queue);
	CHECK_EQUAL(pop(&bench), 0);
	test_queue_clear(&bench.driver);
	REQUIRE(!virtqueue_start(&bench.queue, &bench.ram.memory,
				 &bench.driver.layout, CAPACITY, 0));
	test_offer(&bench.driver, test_chain(&bench.driver, &piece, 1));
	CHECK_EQUAL(pop(&bench), 1);
	bench_fini(&bench);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_direct_chain),
		TEST(test_indirect_chain),
		TEST(test_direct_then_indirect),
		TEST(test_indices_wrap),
		TEST(test_interrupt_flag),
		TEST(test_used_event),
		TEST(test_kick_suppression),
		TEST(test_arming_is_bounded),
		TEST(test_bad_layouts),
		TEST(test_pieces_outside_memory),
		TEST(test_empty_piece),
		TEST(test_readable_after_writable),
		TEST(test_loops_end),
		TEST(test_indices_outside_the_queue),
		TEST(test_bad_tables),
		TEST(test_too_long_a_table),
		TEST(test_restart),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/* devices/virtqueue_hostile_test.c - drivers that lie to a queue. */
#include "devices/virtqueue.h"

#include <errno.h>

#include "devices/test_virtqueue.h"

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
		TEST(test_arming_is_bounded),	      TEST(test_bad_layouts),
		TEST(test_pieces_outside_memory),     TEST(test_empty_piece),
		TEST(test_readable_after_writable),   TEST(test_loops_end),
		TEST(test_indices_outside_the_queue), TEST(test_bad_tables),
		TEST(test_too_long_a_table),	      TEST(test_restart),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

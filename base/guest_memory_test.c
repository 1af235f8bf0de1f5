/*
 * base/guest_memory_test.c - ranges that a guest may name: at the edges, over
 * them, in the hole between two regions, and around the end of 64 bits.
 */
#include <errno.h>

#include "base/guest_memory.h"
#include "base/math.h"
#include "base/test.h"

#define LOW_SIZE  4096
#define HIGH_BASE (4 * GIB)
#define HIGH_SIZE 8192

static uint8_t low[LOW_SIZE], high[HIGH_SIZE];

static const struct guest_memory memory = {
	.count = 2,
	.regions = {{0, LOW_SIZE, low}, {HIGH_BASE, HIGH_SIZE, high}},
};

static void ranges_inside_a_region(void)
{
	CHECK(guest_range(&memory, 0, 1) == low);
	CHECK(guest_range(&memory, 0, LOW_SIZE) == low);
	CHECK(guest_range(&memory, LOW_SIZE - 1, 1) == low + LOW_SIZE - 1);
	CHECK(guest_range(&memory, HIGH_BASE, HIGH_SIZE) == high);
	CHECK(guest_range(&memory, HIGH_BASE + 5, 10) == high + 5);
}

static void ranges_that_leave_their_region(void)
{
	CHECK(!guest_range(&memory, LOW_SIZE - 1, 2));
	CHECK(!guest_range(&memory, 0, LOW_SIZE + 1));
	CHECK(!guest_range(&memory, 0, HIGH_BASE + HIGH_SIZE));
	CHECK(!guest_range(&memory, HIGH_BASE + HIGH_SIZE - 1, 2));
	CHECK(!guest_range(&memory, HIGH_BASE - 1, 2));
}

static void ranges_where_nothing_is(void)
{
	CHECK(!guest_range(&memory, LOW_SIZE, 1));
	CHECK(!guest_range(&memory, HIGH_BASE - 1, 1));
	CHECK(!guest_range(&memory, HIGH_BASE + HIGH_SIZE, 1));
	CHECK(!guest_range(&memory, UINT64_MAX, 1));
}

static void ranges_that_wrap(void)
{
	CHECK(!guest_range(&memory, 1, UINT64_MAX));
	CHECK(!guest_range(&memory, HIGH_BASE, UINT64_MAX - HIGH_BASE + 2));
	CHECK(!guest_range(&memory, UINT64_MAX, 2));
	CHECK(!guest_range(&memory, UINT64_MAX - 7, UINT64_MAX));
}

/* Regions that touch are still two host mappings. */
static void neighbours_are_not_one(void)
{
	static const struct guest_memory touching = {
		.count = 2,
		.regions = {{0, 16, low}, {16, 16, high}},
	};

	CHECK(guest_range(&touching, 0, 16) == low);
	CHECK(guest_range(&touching, 16, 16) == high);
	CHECK(!guest_range(&touching, 15, 2));
}

static void empty_ranges_have_no_pointer(void)
{
	uint8_t byte = 7;

	CHECK(!guest_range(&memory, 0, 0));
	CHECK(!guest_range(&memory, UINT64_MAX, 0));
	CHECK_EQUAL(guest_read(&memory, 0, &byte, 0), 0);
	CHECK_EQUAL(guest_write(&memory, UINT64_MAX, &byte, 0), 0);
	CHECK_EQUAL(byte, 7);
}

static void memory_without_regions(void)
{
	static const struct guest_memory none;

	CHECK(!guest_range(&none, 0, 1));
	CHECK_EQUAL(guest_memory_size(&none), 0);
}

static void copies_go_both_ways(void)
{
	char text[8] = "";

	CHECK_EQUAL(guest_write(&memory, HIGH_BASE + 100, "written", 8), 0);
	CHECK_TEXT((char *)high + 100, "written");
	CHECK_EQUAL(guest_read(&memory, HIGH_BASE + 100, text, 8), 0);
	CHECK_TEXT(text, "written");
}

static void refused_copies_copy_nothing(void)
{
	uint8_t bytes[2] = {7, 7};

	low[LOW_SIZE - 1] = 9;
	CHECK_EQUAL(guest_read(&memory, LOW_SIZE - 1, bytes, 2), -EFAULT);
	CHECK_EQUAL(bytes[0], 7);
	CHECK_EQUAL(guest_write(&memory, LOW_SIZE - 1, bytes, 2), -EFAULT);
	CHECK_EQUAL(low[LOW_SIZE - 1], 9);
}

static void sizes_add_up(void)
{
	CHECK_EQUAL(guest_memory_size(&memory), LOW_SIZE + HIGH_SIZE);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(ranges_inside_a_region),
		TEST(ranges_that_leave_their_region),
		TEST(ranges_where_nothing_is),
		TEST(ranges_that_wrap),
		TEST(neighbours_are_not_one),
		TEST(empty_ranges_have_no_pointer),
		TEST(memory_without_regions),
		TEST(copies_go_both_ways),
		TEST(refused_copies_copy_nothing),
		TEST(sizes_add_up),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

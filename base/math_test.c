/* base/math_test.c - sums, ranges and alignment at the ends of 64 bits. */
#include "base/math.h"
#include "base/test.h"

static void sums_that_overflow_do_not_fit(void)
{
	uint64_t sum;

	CHECK(add_fits(UINT64_MAX - 1, 1, &sum) && sum == UINT64_MAX);
	CHECK(!add_fits(UINT64_MAX, 1, &sum));
	CHECK(!add_fits(1ULL << 63, 1ULL << 63, &sum));
}

static void products_that_overflow_do_not_fit(void)
{
	uint64_t product;

	CHECK(mul_fits(UINT32_MAX, UINT32_MAX, &product) &&
	      product == 0xfffffffe00000001);
	CHECK(mul_fits(UINT64_MAX, 0, &product) && !product);
	CHECK(!mul_fits(1ULL << 32, 1ULL << 32, &product));
}

static void ranges_lie_within_their_limit(void)
{
	CHECK(range_fits(0, 0, 0));
	CHECK(range_fits(10, 0, 10));
	CHECK(range_fits(9, 1, 10));
	CHECK(range_fits(0, UINT64_MAX, UINT64_MAX));
	CHECK(!range_fits(11, 0, 10));
	CHECK(!range_fits(9, 2, 10));
	CHECK(!range_fits(0, 11, 10));
	/* The sum wraps to something small. */
	CHECK(!range_fits(5, UINT64_MAX - 2, 10));
	CHECK(!range_fits(UINT64_MAX, 2, 10));
}

static void powers_of_two_are_known(void)
{
	CHECK(!is_power_of_two(0));
	CHECK(is_power_of_two(1));
	CHECK(is_power_of_two(1ULL << 63));
	CHECK(!is_power_of_two(3));
	CHECK(!is_power_of_two(UINT64_MAX));
}

static void values_are_aligned(void)
{
	CHECK(is_aligned(0, 512) && is_aligned(1024, 512));
	CHECK(!is_aligned(513, 512));
	CHECK(is_aligned(7, 1));
	CHECK_EQUAL(align_down(1023, 512), 512);
	CHECK_EQUAL(align_down(512, 512), 512);
	CHECK_EQUAL(align_up(512, 512), 512);
	CHECK_EQUAL(align_up(513, 512), 1024);
	CHECK_EQUAL(align_up(0, 512), 0);
	/* Alignments in 32 bits must not cut values of 64. */
	CHECK_EQUAL(align_down((5ULL << 32) + 1, 4096U), 5ULL << 32);
}

static void division_rounds_up(void)
{
	CHECK_EQUAL(div_round_up(0, 10), 0);
	CHECK_EQUAL(div_round_up(1, 10), 1);
	CHECK_EQUAL(div_round_up(10, 10), 1);
	CHECK_EQUAL(div_round_up(11, 10), 2);
	CHECK(div_round_up(UINT64_MAX, 2) == 1ULL << 63);
}

static void smaller_and_larger(void)
{
	CHECK_EQUAL(min_u64(1, 2), 1);
	CHECK(min_u64(UINT64_MAX, 0) == 0);
	CHECK_EQUAL(max_u64(1, 2), 2);
	CHECK(max_u64(UINT64_MAX, 0) == UINT64_MAX);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(sums_that_overflow_do_not_fit),
		TEST(products_that_overflow_do_not_fit),
		TEST(ranges_lie_within_their_limit),
		TEST(powers_of_two_are_known),
		TEST(values_are_aligned),
		TEST(division_rounds_up),
		TEST(smaller_and_larger),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * block/qcow2_counts_test.c - counts of every width, against a plain array; and
 * that a file of which nearly all is empty costs nearly nothing.
 */
#include <errno.h>

#include "block/qcow2_tables.h"
#include "block/test_disk.h"

#define COUNT 70000

static void check_searches(const struct qcow2_counts *counts,
			   const uint64_t *model)
{
	uint64_t end = COUNT, next = COUNT;

	while (end && !model[end - 1])
		end--;
	CHECK_EQUAL(qcow2_counts_end(counts), end);
	for (uint64_t i = COUNT; i-- > 0;) {
		next = model[i] ? i : next;
		if (i % 997 == 0)
			CHECK_EQUAL(qcow2_counts_next(counts, i, COUNT), next);
	}
}

/* The form of a refcount block. */
static void check_copy(const struct qcow2_counts *counts, const uint64_t *model)
{
	uint64_t first = 8 * 1024, in_bytes = 8 << counts->order;
	uint8_t bytes[512];

	qcow2_counts_copy(counts, first, sizeof(bytes), bytes);
	for (uint64_t i = 0; i < sizeof(bytes) * 64 / in_bytes; i++)
		CHECK_EQUAL(qcow2_refcount_read(bytes, i, counts->order),
			    model[first + i]);
}

static void counts_are_kept(void)
{
	uint64_t *model = calloc(COUNT, sizeof(*model)), max, i;
	struct test_random random = {1};
	struct qcow2_counts counts;

	for (unsigned int order = 0; order <= 6; order++) {
		CHECK(!qcow2_counts_init(&counts, order, 10, 64 * MIB));
		CHECK(!qcow2_counts_grow(&counts, COUNT));
		max = qcow2_counts_max(&counts);
		memset(model, 0, COUNT * sizeof(*model));
		for (unsigned int n = 0; n < 300; n++) {
			i = test_below(&random, COUNT);
			model[i] = test_random(&random) & max;
			CHECK(!qcow2_counts_set(&counts, i, model[i]));
		}
		for (i = 0; i < COUNT; i++)
			if (qcow2_counts_get(&counts, i) != model[i])
				CHECK_EQUAL(qcow2_counts_get(&counts, i),
					    model[i]);
		check_searches(&counts, model);
		check_copy(&counts, model);
		qcow2_counts_clear(&counts);
		CHECK_EQUAL(qcow2_counts_end(&counts), 0);
		qcow2_counts_fini(&counts);
	}
	free(model);
}

static void memory_is_bounded(void)
{
	struct qcow2_counts counts;

	CHECK(!qcow2_counts_init(&counts, 4, QCOW2_COUNTS_MAX, 2 * 4096));
	CHECK(!qcow2_counts_set(&counts, 0, 1));
	CHECK(!qcow2_counts_set(&counts, QCOW2_COUNTS_MAX - 1, 1));
	CHECK(!qcow2_counts_set(&counts, 1000000, 0));
	CHECK_EQUAL(qcow2_counts_set(&counts, 1000000, 1), -EFBIG);
	CHECK_EQUAL(qcow2_counts_next(&counts, 1, QCOW2_COUNTS_MAX),
		    QCOW2_COUNTS_MAX - 1);
	CHECK_EQUAL(qcow2_counts_grow(&counts, 1ULL << 40), -EFBIG);
	qcow2_counts_fini(&counts);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(counts_are_kept),
		TEST(memory_is_bounded),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

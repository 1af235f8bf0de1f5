/* block/engine_slabs_test.c - which memory is in which slab. */
#include "block/engine_slabs.h"

#include "base/math.h"
#include "base/test.h"

#define AT(address) ((void *)(uintptr_t)(address))

static int find(const struct slabs *slabs, uint64_t address, size_t length)
{
	struct iovec piece = {AT(address), length};

	return slabs_find(slabs, &piece);
}

static void finds_slabs(void)
{
	const struct iovec memory[] = {
		{AT(4 * GIB), 2 * GIB + 4096},
		{AT(16 * GIB), GIB},
	};
	struct slabs slabs;

	slabs_init(&slabs, memory, 2);
	CHECK_EQUAL(slabs.count, 4);
	CHECK_EQUAL(find(&slabs, 4 * GIB, 4096), 0);
	CHECK_EQUAL(find(&slabs, 5 * GIB - 1, 1), 0);
	CHECK_EQUAL(find(&slabs, 5 * GIB, GIB), 1);
	CHECK_EQUAL(find(&slabs, 6 * GIB, 4096), 2);
	CHECK_EQUAL(find(&slabs, 16 * GIB + 512, 512), 3);
	/* In two; half outside; outside. */
	CHECK_EQUAL(find(&slabs, 5 * GIB - 512, 1024), -1);
	CHECK_EQUAL(find(&slabs, 6 * GIB + 4096 - 512, 1024), -1);
	CHECK_EQUAL(find(&slabs, 4 * GIB - 1, 1), -1);
	CHECK_EQUAL(find(&slabs, 17 * GIB, 1), -1);
	CHECK_EQUAL(find(&slabs, 0, 512), -1);
}

static void none_is_in_none(void)
{
	struct slabs slabs;

	slabs_init(&slabs, NULL, 0);
	CHECK_EQUAL(find(&slabs, 4096, 512), -1);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(finds_slabs),
		TEST(none_is_in_none),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/* block/readahead_test.c - streams are found, and nothing else. */
#include "block/readahead.h"

#include "base/math.h"
#include "base/test.h"

static struct readahead readahead;
static uint64_t first;

static unsigned int note(uint64_t cluster)
{
	first = UINT64_MAX;
	return readahead_note(&readahead, cluster, &first);
}

static void a_stream_names_each_cluster_once(void)
{
	readahead_init(&readahead, 4);
	CHECK_EQUAL(note(10), 0);
	CHECK_EQUAL(note(11), 4);
	CHECK_EQUAL(first, 12);
	/* In pieces. */
	CHECK_EQUAL(note(11), 0);
	CHECK_EQUAL(note(11), 0);
	CHECK_EQUAL(note(12), 1);
	CHECK_EQUAL(first, 16);
	CHECK_EQUAL(note(13), 1);
	CHECK_EQUAL(first, 17);
	readahead_fini(&readahead);
}

static void random_reads_are_no_stream(void)
{
	readahead_init(&readahead, 4);
	for (uint64_t i = 0; i < 100; i++)
		CHECK_EQUAL(note(i * 7919 % 1009 * 2), 0);
	CHECK_EQUAL(note(0), 0);
	readahead_fini(&readahead);
}

static void several_streams_at_a_time(void)
{
	readahead_init(&readahead, 2);
	for (uint64_t stream = 0; stream < READAHEAD_STREAMS; stream++)
		CHECK_EQUAL(note(1000 * stream), 0);
	for (uint64_t stream = 0; stream < READAHEAD_STREAMS; stream++) {
		CHECK_EQUAL(note(1000 * stream + 1), 2);
		CHECK_EQUAL(first, 1000 * stream + 2);
	}
	/* One more takes the oldest one's place. */
	CHECK_EQUAL(note(9000), 0);
	CHECK_EQUAL(note(2), 0);
	CHECK_EQUAL(note(9001), 2);
	readahead_fini(&readahead);
}

static void no_window_is_no_readahead(void)
{
	readahead_init(&readahead, 0);
	CHECK_EQUAL(note(1), 0);
	CHECK_EQUAL(note(2), 0);
	readahead_fini(&readahead);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(a_stream_names_each_cluster_once),
		TEST(random_reads_are_no_stream),
		TEST(several_streams_at_a_time),
		TEST(no_window_is_no_readahead),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

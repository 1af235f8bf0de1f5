/* block/img_bench_test.c - what `alcor img bench` sends, and when it flushes.
 */
#include "base/math.h"
#include "base/test.h"
#include "block/image.h"
#include "block/img_bench.h"
#include "block/test_recorder.h"

#define DISK_SIZE (64 * KIB)

static struct test_recorder *recorder;

/* Runs a plan on a new disk; the file's log tells what was done. */
static int run(const struct bench_plan *plan, struct block **ret_block)
{
	static const uint8_t zeroes[DISK_SIZE];
	struct file *file = file_memory_new(zeroes, DISK_SIZE);
	struct image_options options = {.name = "disk"};
	struct bench_result result;
	struct image *image;

	recorder = test_recorder_new(file);
	recorder->keeps_log = true;
	if (!CHECK(!raw_open(&recorder->file, &options, &image, NULL)))
		return -EINVAL;
	*ret_block = block_new(image);
	return bench_run(*ret_block, plan, &result, NULL);
}

static unsigned int count(enum test_log_kind kind)
{
	unsigned int found = 0;

	for (size_t i = 0; i < recorder->log_length; i++)
		found += recorder->log[i].kind == kind;
	return found;
}

static void writes_and_flushes(void)
{
	struct bench_plan plan = {
		.count = 22,
		.depth = 4,
		.size = 512,
		.start = 1024,
		.step = 4096,
		.flush_interval = 8,
		.pattern = 0x42,
		.write = true,
		.drain = true,
	};
	struct block *block;

	CHECK(!run(&plan, &block));
	REQUIRE(recorder->log_length == 24);
	for (size_t i = 0; i < recorder->log_length; i++)
		CHECK_EQUAL(recorder->log[i].kind == TEST_LOG_FLUSH,
			    i == 8 || i == 17);
	for (size_t i = 0; i < 8; i++) {
		CHECK_EQUAL(recorder->log[i].length, 512);
		CHECK_EQUAL(recorder->log[i].offset % 4096, 1024);
		CHECK_EQUAL(recorder->log[i].data[511], 0x42);
	}
	CHECK(!block_close(block));
}

static void flushes_in_between(void)
{
	struct bench_plan plan = {
		.count = 16,
		.depth = 4,
		.size = 512,
		.step = 512,
		.flush_interval = 2,
		.write = true,
	};
	struct block *block;

	CHECK(!run(&plan, &block));
	CHECK_EQUAL(count(TEST_LOG_WRITE), 16);
	CHECK(count(TEST_LOG_FLUSH) > 0 && count(TEST_LOG_FLUSH) <= 8);
	CHECK(!block_close(block));
}

static void goes_to_places_at_random(void)
{
	struct bench_plan plan = {
		.count = 300,
		.depth = 1,
		.size = 4096,
		.seed = 7,
		.write = true,
	};
	unsigned int places = 0;
	struct block *block;

	CHECK(!run(&plan, &block));
	CHECK_EQUAL(count(TEST_LOG_WRITE), 300);
	for (size_t i = 0; i < recorder->log_length; i++)
		places |= 1U << recorder->log[i].offset / 4096;
	CHECK_EQUAL(places, 0xffff);
	CHECK(!block_close(block));
}

static void ends_with_the_first_error(void)
{
	struct bench_plan plan = {
		.count = 1000,
		.depth = 2,
		.size = 512,
		.start = DISK_SIZE,
		.step = 512,
	};
	struct block *block;

	CHECK_EQUAL(run(&plan, &block), -EINVAL);
	CHECK(!block_close(block));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(writes_and_flushes),
		TEST(flushes_in_between),
		TEST(goes_to_places_at_random),
		TEST(ends_with_the_first_error),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

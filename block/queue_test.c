/* block/queue_test.c - requests to a disk, many at a time. */
#include <pthread.h>

#include "base/fd.h"
#include "block/test_host.h"
#include "block/test_queue.h"
#include "block/test_recorder.h"

#define DISK_SIZE (64 * KIB)

static void for_each_variant(void (*run)(struct test_rig *rig))
{
	struct test_rig rig;

	for (size_t i = 0; i < ARRAY_LENGTH(test_variants); i++) {
		if (!test_rig_init(&rig, &test_variants[i], DISK_SIZE))
			continue;
		run(&rig);
		test_rig_fini(&rig);
	}
}

static void write_and_read(struct test_rig *rig)
{
	struct test_request write, flush;
	uint8_t out[1024], in[2048];

	memset(out, 0x5a, sizeof(out));
	test_submit(rig, &write, BLOCK_WRITE, 4096, out, sizeof(out));
	test_submit(rig, &flush, BLOCK_FLUSH, 0, NULL, 0);
	CHECK_EQUAL(write.ends, 0);
	CHECK_EQUAL(block_queue_in_flight(rig->queue), 2);
	test_finish(rig);
	CHECK_EQUAL(write.ends, 1);
	CHECK_EQUAL(write.result, 0);
	CHECK_EQUAL(flush.result, 0);
	CHECK(!test_do(rig, BLOCK_READ, 4096 - 512, in, sizeof(in)));
	CHECK(test_is_untouched(in, 4096 - 512, 512));
	CHECK(!memcmp(in + 512, out, sizeof(out)));
	CHECK(test_is_untouched(in + 1536, 4096 + 1024, 512));
}

static void reads_what_was_written(void)
{
	for_each_variant(write_and_read);
}

static void erase(struct test_rig *rig)
{
	uint8_t in[4096], zeroes[4096] = {0};

	CHECK(!test_do(rig, BLOCK_WRITE_ZEROES, 8192, NULL, 4096));
	CHECK(!test_do(rig, BLOCK_READ, 8192, in, 4096));
	CHECK(!memcmp(in, zeroes, 4096));
	CHECK(!test_do(rig, BLOCK_DISCARD, 16384, NULL, 4096));
	CHECK(!test_do(rig, BLOCK_READ, 20480, in, 4096));
	CHECK(test_is_untouched(in, 20480, 4096));
}

static void erases(void)
{
	for_each_variant(erase);
}

static void ask_for_too_much(struct test_rig *rig)
{
	uint8_t buffer[1024];

	CHECK_EQUAL(test_do(rig, BLOCK_READ, DISK_SIZE - 512, buffer, 1024),
		    -EINVAL);
	CHECK_EQUAL(test_do(rig, BLOCK_READ, 100, buffer, 512), -EINVAL);
	CHECK_EQUAL(test_do(rig, BLOCK_WRITE, DISK_SIZE, buffer, 512), -EINVAL);
	CHECK_EQUAL(test_do(rig, BLOCK_DISCARD, DISK_SIZE, NULL, 512), -EINVAL);
	CHECK_EQUAL(test_do(rig, BLOCK_READ, DISK_SIZE, buffer, 0), 0);
	CHECK_EQUAL(test_do(rig, BLOCK_READ, DISK_SIZE + 512, buffer, 0),
		    -EINVAL);
}

static void refuses_ranges_past_the_end(void)
{
	for_each_variant(ask_for_too_much);
}

/* More pieces than fit in one call of any kind, at odd places. */
static void scatter(struct test_rig *rig)
{
	static uint8_t memory[2 * DISK_SIZE];
	struct iovec iov[3000];
	struct test_request noted = {.result = 1};
	uint8_t *at = memory + 1;
	size_t left = DISK_SIZE;

	for (size_t i = 0; i < ARRAY_LENGTH(iov); i++) {
		iov[i].iov_base = at;
		iov[i].iov_len = i == ARRAY_LENGTH(iov) - 1 ? left : i % 40;
		at += iov[i].iov_len + i % 3;
		left -= iov[i].iov_len;
	}
	noted.request = (struct block_request){
		.operation = BLOCK_READ,
		.length = DISK_SIZE,
		.iov = iov,
		.iov_count = ARRAY_LENGTH(iov),
		.done = test_request_note,
	};
	block_queue_submit(rig->queue, &noted.request);
	test_finish(rig);
	CHECK_EQUAL(noted.result, 0);
	left = 0;
	for (size_t i = 0; i < ARRAY_LENGTH(iov); i++) {
		CHECK(test_is_untouched(iov[i].iov_base, left, iov[i].iov_len));
		left += iov[i].iov_len;
	}
}

static void reads_into_many_pieces(void)
{
	for_each_variant(scatter);
}

/* A request of 12 MiB: the same memory many times over. */
static void reads_more_than_goes_at_once(void)
{
	enum { TIMES = 3 };
	const uint64_t size = 4 * MIB * TIMES + 512;
	uint8_t *buffer = malloc(4 * MIB), last[512];
	struct test_request noted = {.result = 1};
	struct iovec iov[TIMES + 1];
	struct test_rig rig;

	for (int i = 0; i < TIMES; i++)
		iov[i] = (struct iovec){buffer, 4 * MIB};
	iov[TIMES] = (struct iovec){last, sizeof(last)};
	noted.request = (struct block_request){
		.operation = BLOCK_READ,
		.length = size,
		.iov = iov,
		.iov_count = TIMES + 1,
		.done = test_request_note,
	};
	for (size_t i = 0; i < ARRAY_LENGTH(test_variants); i++) {
		if (!test_rig_init(&rig, &test_variants[i], size))
			continue;
		block_queue_submit(rig.queue, &noted.request);
		test_finish(&rig);
		CHECK_EQUAL(noted.result, 0);
		CHECK(test_is_untouched(last, size - 512, sizeof(last)));
		CHECK(test_is_untouched(buffer, size - 512 - 4 * MIB, 4 * MIB));
		/* And given up on the way. */
		noted.result = 1;
		block_queue_submit(rig.queue, &noted.request);
		block_queue_run(rig.queue, false);
		test_rig_fini(&rig);
		CHECK_EQUAL(noted.result, -ECANCELED);
	}
	free(buffer);
}

static void give_up(struct test_rig *rig)
{
	struct test_request requests[40];
	uint8_t in[40][1024];
	struct test_request after;

	/* The first 30 are under way, or wait for those that are. */
	for (size_t i = 0; i < 40; i++) {
		test_submit(rig, &requests[i], BLOCK_READ, 1024 * i, in[i],
			    1024);
		if (i == 29)
			block_queue_run(rig->queue, false);
	}
	block_queue_cancel(rig->queue);
	test_submit(rig, &after, BLOCK_READ, 0, in[39], 1024);
	test_finish(rig);
	for (size_t i = 0; i < 40; i++) {
		CHECK_EQUAL(requests[i].ends, 1);
		CHECK(!requests[i].result || requests[i].result == -ECANCELED);
		if (!requests[i].result && i < 39)
			CHECK(test_is_untouched(in[i], 1024 * i, 1024));
		if (i >= 30)
			CHECK_EQUAL(requests[i].result, -ECANCELED);
	}
	CHECK_EQUAL(after.result, 0);
	CHECK(test_is_untouched(in[39], 0, 1024));
}

static void cancels(void)
{
	for_each_variant(give_up);
}

/* What is under way when a queue goes ends by then. */
static void ends_all_when_it_goes(void)
{
	struct test_request requests[30];
	uint8_t in[30][1024];
	struct test_rig rig;

	for (size_t i = 0; i < ARRAY_LENGTH(test_variants); i++) {
		if (!test_rig_init(&rig, &test_variants[i], DISK_SIZE))
			continue;
		for (size_t j = 0; j < 30; j++) {
			test_submit(&rig, &requests[j], BLOCK_READ, 1024 * j,
				    in[j], 1024);
			if (j == 20)
				block_queue_run(rig.queue, false);
		}
		test_rig_fini(&rig);
		for (size_t j = 0; j < 30; j++)
			CHECK_EQUAL(requests[j].ends, 1);
	}
}

static void *raise_later(void *argument)
{
	usleep(2000);
	fd_event_raise(*(int *)argument);
	return NULL;
}

static void be_woken(struct test_rig *rig)
{
	struct block_queue_statistics statistics;
	int fd = fd_event_new();
	pthread_t thread;
	uint8_t in[512];

	block_queue_watch(rig->queue, fd);
	block_queue_run(rig->queue, false);
	for (int i = 0; i < 3; i++) {
		fd_event_raise(fd);
		block_queue_run(rig->queue, true);
		CHECK(!pthread_create(&thread, NULL, raise_later, &fd));
		block_queue_run(rig->queue, true);
		CHECK(!pthread_join(thread, NULL));
		CHECK(!test_do(rig, BLOCK_READ, 0, in, sizeof(in)));
	}
	for (int i = 0; i < 2; i++) {
		block_queue_statistics(rig->queue, &statistics);
		CHECK_EQUAL(statistics.kicks, 6);
	}
	close(fd);
}

/* A poll that has just been woken cannot be removed at that moment. */
static void end_as_an_event_comes(struct test_rig *rig)
{
	int fd = fd_event_new();
	uint8_t in[512];

	block_queue_watch(rig->queue, fd);
	CHECK(!test_do(rig, BLOCK_READ, 0, in, sizeof(in)));
	fd_event_raise(fd);
	block_queue_free(rig->queue);
	rig->queue = NULL;
	close(fd);
}

static void an_event_at_the_end_does_no_harm(void)
{
	for_each_variant(end_as_an_event_comes);
}

static void an_event_wakes(void)
{
	for_each_variant(be_woken);
}

/* How much of it at once and how much not is the host's affair. */
static void count_parts(struct test_rig *rig)
{
	struct block_queue_statistics reads, all;
	uint8_t in[512];

	for (unsigned int i = 0; i < 10; i++)
		CHECK(!test_do(rig, BLOCK_READ, 4096 * i, in, sizeof(in)));
	block_queue_statistics(rig->queue, &reads);
	CHECK(reads.at_once + reads.by_engine + reads.by_workers >= 10);
	CHECK(reads.at_once + reads.by_engine <= 10);
	CHECK(reads.by_workers <= 10);
	if (!strcmp(block_queue_engine(rig->queue), "threads"))
		CHECK_EQUAL(reads.by_engine, 0);
	CHECK(!test_do(rig, BLOCK_FLUSH, 0, NULL, 0));
	CHECK(!test_do(rig, BLOCK_WRITE_ZEROES, 0, NULL, 4096));
	block_queue_statistics(rig->queue, &all);
	CHECK_EQUAL(all.at_once, reads.at_once);
	CHECK_EQUAL(all.by_engine, reads.by_engine);
	CHECK_EQUAL(all.by_workers, reads.by_workers + 2);
	CHECK_EQUAL(all.kicks, 0);
}

static void parts_are_counted(void)
{
	for_each_variant(count_parts);
}

/* A file that ends anywhere is a disk of whole sectors, filled with zeroes. */
static void what_lies_past_the_file_is_zeroes(void)
{
	const uint64_t size = 3 * 4096 + 700;
	/* Where O_DIRECT needs no bounce. */
	_Alignas(4096) uint8_t in[4096];
	uint8_t zeroes[1024] = {0};
	struct test_rig rig;

	for (size_t i = 0; i < ARRAY_LENGTH(test_variants); i++) {
		if (!test_rig_init(&rig, &test_variants[i], size))
			continue;
		memset(in, 0xee, sizeof(in));
		CHECK(!test_do(&rig, BLOCK_READ, 3 * 4096, in, 1024));
		CHECK(test_is_untouched(in, 3 * 4096, 700));
		CHECK(!memcmp(in + 700, zeroes, 324));
		/* Written, and grown. */
		CHECK(!test_do(&rig, BLOCK_WRITE, 3 * 4096 + 512, in, 512));
		CHECK(!test_do(&rig, BLOCK_READ, 3 * 4096 + 512, in + 1024,
			       512));
		CHECK(!memcmp(in, in + 1024, 512));
		test_rig_fini(&rig);
	}
}

/* The file's errors are the request's; a failed flush stays failed. */
static void tells_errors(void)
{
	struct image_options options = {.name = "disk"};
	struct test_recorder *recorder;
	struct image *image;
	struct test_rig rig;
	uint8_t data[512] = {0};
	struct err err;

	recorder = test_recorder_new(test_variant_file(TEST_MEMORY, DISK_SIZE));
	REQUIRE(!raw_open(&recorder->file, &options, &image, &err));
	rig.block = block_new(image);
	REQUIRE(test_queue_new(&rig, BLOCK_ENGINE_AUTO));
	recorder->fails_reads = true;
	recorder->fail_end = ~0UL;
	recorder->fail_code = -ENOSPC;
	CHECK_EQUAL(test_do(&rig, BLOCK_WRITE, 0, data, 512), -ENOSPC);
	CHECK_EQUAL(test_do(&rig, BLOCK_READ, 0, data, 512), -ENOSPC);
	CHECK_EQUAL(test_do(&rig, BLOCK_FLUSH, 0, NULL, 0), -ENOSPC);
	recorder->fail_end = 0;
	CHECK_EQUAL(test_do(&rig, BLOCK_READ, 0, data, 512), 0);
	CHECK_EQUAL(test_do(&rig, BLOCK_WRITE, 0, data, 512), 0);
	CHECK_EQUAL(test_do(&rig, BLOCK_FLUSH, 0, NULL, 0), -ENOSPC);
	block_queue_free(rig.queue);
	CHECK_EQUAL(block_close(rig.block), -ENOSPC);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(reads_what_was_written),
		TEST(erases),
		TEST(refuses_ranges_past_the_end),
		TEST(reads_into_many_pieces),
		TEST(reads_more_than_goes_at_once),
		TEST(cancels),
		TEST(ends_all_when_it_goes),
		TEST(an_event_wakes),
		TEST(an_event_at_the_end_does_no_harm),
		TEST(parts_are_counted),
		TEST(what_lies_past_the_file_is_zeroes),
		TEST(tells_errors),
	};

	return test_main_on_disk(argc, argv, tests, ARRAY_LENGTH(tests));
}

/* block/queue_test.c - requests to a disk, many at a time. */
#include "block/queue.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/math.h"
#include "base/test.h"
#include "block/file_memory.h"
#include "block/image.h"

#define DISK_SIZE (64 * KIB)

struct rig {
	struct block *block;
	struct block_queue *queue;
	uint8_t data[DISK_SIZE];
};

/* A request that notes how it ended. */
struct noted {
	struct block_request request; /* is first */
	struct iovec iov;
	int result;
	unsigned int ends;
};

static bool rig_init(struct rig *rig)
{
	struct block_queue_options options = {0};
	struct image_options image_options = {.name = "disk"};
	struct file *file = file_memory_new(rig->data, 0);
	struct image *image;
	struct err err;

	for (size_t i = 0; i < DISK_SIZE; i++)
		rig->data[i] = (uint8_t)(i / BLOCK_SECTOR + i);
	if (!CHECK(file) || !CHECK(!file_write(file, rig->data, DISK_SIZE, 0)))
		return false;
	if (!CHECK(!raw_open(file, &image_options, &image, &err)))
		return false;
	rig->block = block_new(image);
	return CHECK(rig->block) &&
	       CHECK(!block_queue_new(rig->block, &options, &rig->queue, &err));
}

static void rig_fini(struct rig *rig)
{
	block_queue_free(rig->queue);
	CHECK(!block_close(rig->block));
}

static void note(struct block_request *request, int result)
{
	struct noted *noted = (struct noted *)request;

	noted->result = result;
	noted->ends++;
}

static struct noted noted_make(enum block_operation operation, uint64_t offset,
			       void *buffer, size_t length)
{
	return (struct noted){
		.request = {.operation = operation,
			    .offset = offset,
			    .length = length,
			    .iov_count = 1,
			    .done = note},
		.iov = {buffer, length},
		.result = 1,
	};
}

static void submit(struct rig *rig, struct noted *noted)
{
	noted->request.iov = &noted->iov;
	block_queue_submit(rig->queue, &noted->request);
}

static void finish(struct rig *rig)
{
	while (block_queue_in_flight(rig->queue))
		block_queue_run(rig->queue, true);
}

static void reads_what_was_written(void)
{
	uint8_t out[1024], in[2048];
	struct noted write, read, flush;
	struct rig rig;

	REQUIRE(rig_init(&rig));
	memset(out, 0x5a, sizeof(out));
	write = noted_make(BLOCK_WRITE, 4096, out, sizeof(out));
	flush = noted_make(BLOCK_FLUSH, 0, NULL, 0);
	submit(&rig, &write);
	submit(&rig, &flush);
	CHECK_EQUAL(write.ends, 0);
	CHECK_EQUAL(block_queue_in_flight(rig.queue), 2);
	finish(&rig);
	CHECK_EQUAL(write.ends, 1);
	CHECK_EQUAL(write.result, 0);
	CHECK_EQUAL(flush.result, 0);
	read = noted_make(BLOCK_READ, 4096 - 512, in, sizeof(in));
	submit(&rig, &read);
	finish(&rig);
	CHECK_EQUAL(read.result, 0);
	CHECK(!memcmp(in, rig.data + 4096 - 512, 512));
	CHECK(!memcmp(in + 512, out, sizeof(out)));
	CHECK(!memcmp(in + 1536, rig.data + 4096 + 1024, 512));
	rig_fini(&rig);
}

static void refuses_a_range_past_the_end(void)
{
	uint8_t in[1024];
	struct noted read;
	struct rig rig;

	REQUIRE(rig_init(&rig));
	read = noted_make(BLOCK_READ, DISK_SIZE - 512, in, sizeof(in));
	submit(&rig, &read);
	finish(&rig);
	CHECK_EQUAL(read.result, -EINVAL);
	rig_fini(&rig);
}

static void cancels(void)
{
	uint8_t in[1024];
	struct noted read, after;
	struct rig rig;

	REQUIRE(rig_init(&rig));
	read = noted_make(BLOCK_READ, 0, in, sizeof(in));
	after = noted_make(BLOCK_READ, 0, in, sizeof(in));
	submit(&rig, &read);
	block_queue_cancel(rig.queue);
	submit(&rig, &after);
	finish(&rig);
	CHECK_EQUAL(read.ends, 1);
	CHECK_EQUAL(read.result, -ECANCELED);
	CHECK_EQUAL(after.result, 0);
	rig_fini(&rig);
}

static void an_event_wakes(void)
{
	struct rig rig;
	int fd = fd_event_new();

	REQUIRE(fd >= 0);
	REQUIRE(rig_init(&rig));
	block_queue_watch(rig.queue, fd);
	block_queue_run(rig.queue, false);
	fd_event_raise(fd);
	block_queue_run(rig.queue, true);
	fd_event_raise(fd);
	block_queue_run(rig.queue, true);
	rig_fini(&rig);
	fd_close(&fd);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(reads_what_was_written),
		TEST(refuses_a_range_past_the_end),
		TEST(cancels),
		TEST(an_event_wakes),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

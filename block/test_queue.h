/*
 * block/test_queue.h - for tests: a queue in front of a disk, of each kind that
 * makes a difference, and requests that note how they ended.
 */
#ifndef BLOCK_TEST_QUEUE_H
#define BLOCK_TEST_QUEUE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/math.h"
#include "base/test.h"
#include "block/file_memory.h"
#include "block/image.h"
#include "block/queue.h"

enum test_file { TEST_MEMORY, TEST_HOST, TEST_DIRECT };

struct test_variant {
	const char *name;
	enum block_engine engine;
	enum test_file file;
};

static const struct test_variant test_variants[] = {
	{"threads, memory", BLOCK_ENGINE_THREADS, TEST_MEMORY},
	{"threads, file", BLOCK_ENGINE_THREADS, TEST_HOST},
	{"threads, O_DIRECT", BLOCK_ENGINE_THREADS, TEST_DIRECT},
	{"io_uring, memory", BLOCK_ENGINE_URING, TEST_MEMORY},
	{"io_uring, file", BLOCK_ENGINE_URING, TEST_HOST},
	{"io_uring, O_DIRECT", BLOCK_ENGINE_URING, TEST_DIRECT},
};

/* What a byte of a new disk is. */
static inline uint8_t test_byte(uint64_t offset)
{
	return (uint8_t)(offset / BLOCK_SECTOR * 7 + offset);
}

/* Is it what a new disk has there? */
static inline bool test_is_untouched(const uint8_t *data, uint64_t offset,
				     size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (data[i] != test_byte(offset + i))
			return false;
	return true;
}

/* A file of @size test_byte()s; NULL, perhaps after a failed check. */
static inline struct file *test_variant_file(enum test_file kind, uint64_t size)
{
	static const char path[] = "queue-test.raw";
	struct file_options options = {.direct = kind == TEST_DIRECT};
	uint8_t *data = calloc(1, size + 1);
	struct file *file = NULL;
	struct err err;
	FILE *stream;

	for (uint64_t i = 0; i < size; i++)
		data[i] = test_byte(i);
	if (kind == TEST_MEMORY) {
		file = file_memory_new(data, size);
		free(data);
		return file;
	}
	stream = fopen(path, "w");
	CHECK(stream && fwrite(data, 1, size, stream) == size);
	free(data);
	if (!stream || fclose(stream))
		return NULL;
	if (file_open(path, &options, &file, &err))
		printf("# %s\n", err.text);
	unlink(path);
	return file;
}

struct test_rig {
	struct block *block;
	struct block_queue *queue;
};

/* False: it cannot be had here. */
static inline bool test_queue_new(struct test_rig *rig,
				  enum block_engine engine)
{
	struct block_queue_options options = {.engine = engine, .depth = 16};
	struct err err;

	if (!block_queue_new(rig->block, &options, &rig->queue, &err))
		return true;
	printf("# %s\n", err.text);
	CHECK(engine == BLOCK_ENGINE_URING);
	return false;
}

static inline bool test_rig_init(struct test_rig *rig,
				 const struct test_variant *variant,
				 uint64_t size)
{
	struct file *file = test_variant_file(variant->file, size);
	struct image_options options = {.name = "disk"};
	struct image *image;
	struct err err;

	printf("# %s\n", variant->name);
	if (!file || !CHECK(!raw_open(file, &options, &image, &err)))
		return false;
	rig->block = block_new(image);
	if (!CHECK(rig->block))
		return false;
	if (test_queue_new(rig, variant->engine))
		return true;
	block_close(rig->block);
	return false;
}

static inline void test_rig_fini(struct test_rig *rig)
{
	block_queue_free(rig->queue);
	CHECK(!block_close(rig->block));
}

/* A request that notes how it ended. */
struct test_request {
	struct block_request request; /* is first */
	struct iovec iov;
	int result; /* 1: it has not ended */
	unsigned int ends;
};

static inline void test_request_note(struct block_request *request, int result)
{
	struct test_request *noted = (struct test_request *)request;

	noted->result = result;
	noted->ends++;
}

static inline void test_submit(struct test_rig *rig, struct test_request *noted,
			       enum block_operation operation, uint64_t offset,
			       void *buffer, size_t length)
{
	*noted = (struct test_request){
		.request = {.operation = operation,
			    .offset = offset,
			    .length = length,
			    .iov = &noted->iov,
			    .iov_count = 1,
			    .done = test_request_note},
		.iov = {buffer, length},
		.result = 1,
	};
	block_queue_submit(rig->queue, &noted->request);
}

static inline void test_finish(struct test_rig *rig)
{
	while (block_queue_in_flight(rig->queue))
		block_queue_run(rig->queue, true);
}

/* Alone, to its end. */
static inline int test_do(struct test_rig *rig, enum block_operation operation,
			  uint64_t offset, void *buffer, size_t length)
{
	struct test_request request;

	test_submit(rig, &request, operation, offset, buffer, length);
	test_finish(rig);
	CHECK_EQUAL(request.ends, 1);
	return request.result;
}

#endif

/*
 * block/block_test.c - one disk, several threads: each owns a part of the disk
 * and checks it, while all of them allocate, flush and evict side by side.
 * ThreadSanitizer is the judge of what this cannot see.
 */
#include <pthread.h>

#include "block/test_check.h"
#include "block/test_disk.h"
#include "block/test_host.h"

#define THREADS	     4
#define SECTORS_EACH 500 /* not whole clusters: some have two owners */
#define BYTES_EACH   (SECTORS_EACH * BLOCK_SECTOR)
#define REQUEST_MAX  (16 * KIB)

struct shape {
	struct qcow2_create_options create;
	uint64_t backing_sectors; /* 0: none */
};

#define DISK_SIZE (THREADS * BYTES_EACH)

static const struct shape shapes[] = {
	{TEST_CREATE(DISK_SIZE, 12, 3, 4, 0), 0},
	{TEST_CREATE(DISK_SIZE, 9, 3, 6, 0), 900},
	{TEST_CREATE(DISK_SIZE, 16, 3, 4, 0), 900},
	{TEST_CREATE_EXTENDED(DISK_SIZE, 14, 4), 0},
	{TEST_CREATE_EXTENDED(DISK_SIZE, 16, 4), 900},
};

struct worker {
	pthread_t thread;
	struct block *block;
	uint64_t first; /* sector */
	unsigned int ops;
	struct test_random random;
	unsigned int failures;
	uint8_t model[BYTES_EACH];
	uint8_t buffer[REQUEST_MAX];
};

static int worker_write(struct worker *worker, uint64_t at, uint64_t length)
{
	struct iovec iov = {worker->buffer, length};

	memset(worker->model + at, (int)test_random(&worker->random), length);
	memcpy(worker->buffer, worker->model + at, length);
	return block_write(worker->block, worker->first * BLOCK_SECTOR + at,
			   &iov, 1);
}

static int worker_read(struct worker *worker, uint64_t at, uint64_t length)
{
	struct iovec iov = {worker->buffer, length};
	int ret = block_read(worker->block, worker->first * BLOCK_SECTOR + at,
			     &iov, 1);

	return ret ? ret : memcmp(worker->buffer, worker->model + at, length);
}

/* Each sector is as it was, or zeroes. */
static int worker_discard(struct worker *worker, uint64_t at, uint64_t length)
{
	uint64_t offset = worker->first * BLOCK_SECTOR + at;
	struct iovec iov = {worker->buffer, length};
	int ret = block_discard(worker->block, offset, length);

	if (!ret)
		ret = block_read(worker->block, offset, &iov, 1);
	for (uint64_t i = 0; i < length && !ret; i += BLOCK_SECTOR) {
		uint8_t *sector = worker->buffer + i;
		uint8_t *model = worker->model + at + i;

		if (memcmp(sector, model, BLOCK_SECTOR))
			ret = (int)test_sector_value(sector);
		memcpy(model, sector, BLOCK_SECTOR);
	}
	return ret;
}

static int worker_op(struct worker *worker)
{
	struct test_random *random = &worker->random;
	uint64_t at = test_below(random, SECTORS_EACH) * BLOCK_SECTOR;
	uint64_t length = BLOCK_SECTOR * (1 + test_below(random, 32));
	uint64_t offset = worker->first * BLOCK_SECTOR + at;
	struct block_extent extent;

	length = min_u64(length, BYTES_EACH - at);
	switch (test_below(random, 12)) {
	case 0:
		return block_flush(worker->block);
	case 1:
		memset(worker->model + at, 0, length);
		return block_write_zeroes(worker->block, offset, length,
					  test_below(random, 2));
	case 2:
		return worker_discard(worker, at, length);
	case 3:
	case 4:
	case 5:
		return worker_write(worker, at, length);
	case 6:
		block_map(worker->block, offset, length, &extent);
		return 0;
	default:
		return worker_read(worker, at, length);
	}
}

static void *worker_run(void *context)
{
	struct worker *worker = context;

	for (unsigned int i = 0; i < worker->ops; i++)
		worker->failures += !!worker_op(worker);
	worker->failures += !!worker_read(worker, 0, REQUEST_MAX);
	return NULL;
}

static struct worker *worker_new(struct block *block, unsigned int number)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	struct iovec iov = {worker->model, BYTES_EACH};

	worker->block = block;
	worker->first = number * SECTORS_EACH;
	worker->ops = test_is_small() ? 100 : 400;
	worker->random.state = number;
	CHECK(!block_read(block, worker->first * BLOCK_SECTOR, &iov, 1));
	return worker;
}

static void run_threads(struct block *block)
{
	struct worker *workers[THREADS];

	for (unsigned int i = 0; i < THREADS; i++)
		workers[i] = worker_new(block, i);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_create(&workers[i]->thread, NULL, worker_run,
			       workers[i]);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(workers[i]->thread, NULL);
		CHECK_EQUAL(workers[i]->failures, 0);
		free(workers[i]);
	}
}

/* Caches of one slice, of two, and of all. */
static const uint64_t cache_sizes[] = {1, 8192, 0};

static void run_shape(const struct shape *shape, uint64_t cache_size)
{
	struct file *file = test_image_new(&shape->create);
	struct image *backing = NULL;
	struct test_check check;
	struct block *block;

	if (shape->backing_sectors)
		backing = test_backing_new(shape->backing_sectors);
	block = block_new(test_image_open(file, cache_size, backing));
	run_threads(block);
	CHECK_EQUAL(test_block_settle(block), 0);
	check = test_check_image(file_memory_data(file), file_size(file));
	CHECK_EQUAL(check.errors + check.leaks, 0);
	block_close(block);
}

static void threads_do_not_disturb_each_other(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++)
		for (size_t j = 0; j < ARRAY_LENGTH(cache_sizes); j++)
			run_shape(&shapes[i], cache_sizes[j]);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(threads_do_not_disturb_each_other),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * block/block_test.c - one disk, several threads: each owns a part of the disk
 * and checks it, while all of them allocate, flush and evict side by side.
 * ThreadSanitizer is the judge of what this cannot see.
 */
#include <pthread.h>

#include "block/test_check.h"
#include "block/test_disk.h"

#define THREADS	     4
#define SECTORS_EACH 500
#define OPS_EACH     400

struct worker {
	pthread_t thread;
	struct block *block;
	uint64_t first; /* sector */
	uint64_t seed;
	unsigned int failures;
};

static int worker_op(struct worker *worker, struct test_random *random,
		     uint8_t *model)
{
	static const size_t bytes = SECTORS_EACH * BLOCK_SECTOR;
	uint64_t at = test_below(random, SECTORS_EACH) * BLOCK_SECTOR;
	uint64_t length = min_u64(bytes - at, 4096);
	uint64_t offset = worker->first * BLOCK_SECTOR + at;
	uint8_t buffer[4096];
	struct iovec iov = {buffer, length};
	struct block_extent extent;
	int ret;

	switch (test_below(random, 8)) {
	case 0:
		return block_flush(worker->block);
	case 1:
		memset(model + at, 0, length);
		return block_write_zeroes(worker->block, offset, length, true);
	case 2:
	case 3:
		memset(model + at, (int)test_random(random), length);
		memcpy(buffer, model + at, length);
		return block_write(worker->block, offset, &iov, 1);
	case 4:
		block_map(worker->block, offset, length, &extent);
		return 0;
	default:
		ret = block_read(worker->block, offset, &iov, 1);
		return ret ? ret : memcmp(buffer, model + at, length);
	}
}

static void *worker_run(void *context)
{
	struct worker *worker = context;
	struct test_random random = {worker->seed};
	uint8_t *model = calloc(SECTORS_EACH, BLOCK_SECTOR);

	for (unsigned int i = 0; i < OPS_EACH; i++)
		worker->failures += !!worker_op(worker, &random, model);
	free(model);
	return NULL;
}

static void run_threads(struct block *block)
{
	struct worker workers[THREADS];

	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.block = block,
			.first = i * SECTORS_EACH,
			.seed = i,
		};
		pthread_create(&workers[i].thread, NULL, worker_run,
			       &workers[i]);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		CHECK_EQUAL(workers[i].failures, 0);
	}
}

static void threads_do_not_disturb_each_other(void)
{
	struct qcow2_create_options create =
		TEST_CREATE(THREADS * SECTORS_EACH * BLOCK_SECTOR, 12, 3, 4, 0);
	static const uint64_t cache_sizes[] = {1, 0};

	for (size_t i = 0; i < ARRAY_LENGTH(cache_sizes); i++) {
		struct file *file = test_image_new(&create);
		struct block *block =
			block_new(test_image_open(file, cache_sizes[i], NULL));
		struct test_check check;

		run_threads(block);
		CHECK_EQUAL(block_flush(block), 0);
		CHECK_EQUAL(block_flush(block), 0);
		check = test_check_image(file_memory_data(file),
					 file_size(file));
		CHECK_EQUAL(check.errors + check.leaks, 0);
		block_close(block);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(threads_do_not_disturb_each_other),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

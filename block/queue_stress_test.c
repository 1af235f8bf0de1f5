/*
 * block/queue_stress_test.c - several queues of one qcow2 disk at work at once.
 *
 * Units of 4 KiB are dealt out to the threads in turn, so that every cluster of
 * the image belongs to all of them. A thread has several requests under way,
 * each on a unit of its own, and knows what its units must hold.
 */
#include <pthread.h>

#include "block/test_disk.h"
#include "block/test_host.h"
#include "block/test_queue.h"

#define THREADS	     3
#define UNIT	     4096
#define UNIT_SECTORS (UNIT / BLOCK_SECTOR)
#define UNITS	     (THREADS * 200)
#define DEPTH	     12

struct task {
	struct block_request request; /* is first */
	struct thread *thread;
	struct iovec iov[2];
	uint8_t *buffer; /* UNIT bytes, at any address */
	uint64_t unit;
	uint64_t value; /* what is written, or has to be read */
	bool is_busy;
};

struct thread {
	pthread_t thread;
	struct block_queue *queue;
	struct test_random random;
	uint64_t index;
	unsigned int left; /* requests to submit */
	unsigned int errors, wrong;
	uint64_t value[UNITS]; /* of the thread's units only */
	bool is_taken[UNITS];
	struct task tasks[DEPTH];
	uint8_t memory[DEPTH][UNIT + 512];
};

static void check_unit(struct thread *thread, const uint8_t *data,
		       uint64_t value)
{
	for (uint64_t i = 0; i < UNIT_SECTORS; i++)
		if (test_sector_value(data + i * BLOCK_SECTOR) != value)
			thread->wrong++;
}

static void task_done(struct block_request *request, int result)
{
	struct task *task = (struct task *)request;
	struct thread *thread = task->thread;

	thread->errors += !!result;
	switch (request->operation) {
	case BLOCK_READ:
		check_unit(thread, task->buffer, task->value);
		break;
	case BLOCK_WRITE:
	case BLOCK_WRITE_ZEROES:
		thread->value[task->unit] = task->value;
		break;
	default:
		break;
	}
	thread->is_taken[task->unit] = false;
	task->is_busy = false;
}

static enum block_operation choose(struct test_random *random)
{
	static const enum block_operation operations[] = {
		BLOCK_READ,  BLOCK_READ,  BLOCK_READ,  BLOCK_WRITE,
		BLOCK_WRITE, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_WRITE_ZEROES,
	};

	return operations[test_below(random, ARRAY_LENGTH(operations))];
}

/* The iovec is cut somewhere; half of the buffers are aligned. */
static void task_start(struct thread *thread, struct task *task)
{
	struct test_random *random = &thread->random;
	uint8_t *memory = thread->memory[task - thread->tasks];
	uint64_t cut = test_below(random, UNIT + 1);

	do
		task->unit = test_below(random, UNITS / THREADS) * THREADS +
			     thread->index;
	while (thread->is_taken[task->unit]);
	thread->is_taken[task->unit] = true;
	task->is_busy = true;
	task->thread = thread;
	task->buffer = memory + test_below(random, 2) * test_below(random, 512);
	task->iov[0] = (struct iovec){task->buffer, cut};
	task->iov[1] = (struct iovec){task->buffer + cut, UNIT - cut};
	task->request = (struct block_request){
		.operation = choose(random),
		.may_unmap = test_below(random, 2),
		.offset = task->unit * UNIT,
		.length = UNIT,
		.iov = task->iov,
		.iov_count = 2,
		.done = task_done,
	};
	task->value = thread->value[task->unit];
	if (task->request.operation == BLOCK_WRITE_ZEROES)
		task->value = 0;
	if (task->request.operation == BLOCK_WRITE) {
		task->value = test_random(random);
		test_fill(task->buffer, UNIT_SECTORS, task->value);
	}
	block_queue_submit(thread->queue, &task->request);
}

static void *thread_main(void *argument)
{
	struct thread *thread = argument;
	uint64_t depth;

	while (thread->left) {
		depth = 1 + test_below(&thread->random, DEPTH);
		for (uint64_t i = 0; i < depth; i++)
			if (!thread->tasks[i].is_busy && thread->left) {
				task_start(thread, &thread->tasks[i]);
				thread->left--;
			}
		block_queue_run(thread->queue, true);
	}
	while (block_queue_in_flight(thread->queue))
		block_queue_run(thread->queue, true);
	return NULL;
}

static void check_all(struct block *block, struct thread *threads)
{
	uint8_t data[UNIT];
	struct iovec iov = {data, UNIT};
	struct thread *thread;

	for (uint64_t unit = 0; unit < UNITS; unit++) {
		thread = &threads[unit % THREADS];
		CHECK(!block_read(block, unit * UNIT, &iov, 1));
		check_unit(thread, data, thread->value[unit]);
	}
}

static bool start_thread(struct thread *thread, struct block *block,
			 enum block_engine engine, uint64_t seed)
{
	struct test_rig rig = {.block = block};

	thread->random.state = seed;
	thread->left = test_is_small() ? 200 : 1000;
	if (!test_queue_new(&rig, engine))
		return false;
	thread->queue = rig.queue;
	return CHECK(
		!pthread_create(&thread->thread, NULL, thread_main, thread));
}

/* False: there is no such engine here. */
static bool run_threads(struct block *block, enum block_engine engine,
			uint64_t seed)
{
	struct thread *threads = calloc(THREADS, sizeof(*threads));
	unsigned int started = 0;

	for (; started < THREADS; started++) {
		threads[started].index = started;
		if (!start_thread(&threads[started], block, engine,
				  seed + started))
			break;
	}
	for (unsigned int i = 0; i < started; i++) {
		pthread_join(threads[i].thread, NULL);
		block_queue_free(threads[i].queue);
	}
	if (started == THREADS)
		check_all(block, threads);
	for (unsigned int i = 0; i < started; i++) {
		CHECK_EQUAL(threads[i].errors, 0);
		CHECK_EQUAL(threads[i].wrong, 0);
	}
	free(threads);
	return started == THREADS;
}

/* A new image, of whose tables one slice fits in memory. */
static struct block *new_disk(enum test_file kind, unsigned int cluster_bits)
{
	const struct qcow2_create_options create =
		TEST_CREATE(UNITS * UNIT, cluster_bits, 3, 4, QCOW2_DEFLATE);
	struct file *file = test_variant_file(kind, 0);
	struct image *image;

	if (!file || !CHECK(!qcow2_create(file, &create, NULL)))
		return NULL;
	image = test_image_open(file, 1, NULL);
	return image ? block_new(image) : NULL;
}

/* With clusters that threads share, and such that a unit's end frees. */
static void run_variants(enum block_engine engine)
{
	struct block *block;

	for (unsigned int i = 0; i < 6; i++) {
		block = new_disk(i / 2, i % 2 ? 14 : 12);
		if (!block)
			continue;
		if (!run_threads(block, engine, 17 * (i + 1)))
			test_skip_reason = "no such engine here";
		CHECK(!block_close(block));
	}
}

static void by_io_uring(void)
{
	run_variants(BLOCK_ENGINE_URING);
}

static void by_threads(void)
{
	run_variants(BLOCK_ENGINE_THREADS);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(by_io_uring),
		TEST(by_threads),
	};

	return test_main_on_disk(argc, argv, tests, ARRAY_LENGTH(tests));
}

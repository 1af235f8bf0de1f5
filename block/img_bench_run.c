/*
 * block/img_bench_run.c - the requests of `alcor img bench`. They take a
 * guest's way, which is a queue.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/math.h"
#include "block/img_bench.h"

/* Of the buffers, so that O_DIRECT takes them. */
#define BUFFER_ALIGNMENT 4096

struct bench_slot {
	struct block_request request; /* is first */
	struct bench *bench;
	struct bench_slot *next; /* in the list of free ones */
	struct iovec iov;
};

struct bench {
	const struct bench_plan *plan;
	struct block_queue *queue;
	uint64_t disk_size;
	struct bench_slot *slots, *free_slots;
	uint8_t *buffer; /* of all slots */
	struct block_request flush;
	bool is_flushing;
	uint64_t submitted; /* requests, without flushes */
	uint64_t flushed;   /* what was submitted when the last flush was */
	uint64_t in_flight; /* flushes included */
	uint64_t offset;    /* of the next request */
	uint64_t random;
	int error; /* the first one */
};

/* --- Where requests go ---------------------------------------------------- */

static uint64_t random_offset(struct bench *bench)
{
	uint64_t places = bench->disk_size / bench->plan->size;

	bench->random ^= bench->random << 13;
	bench->random ^= bench->random >> 7;
	bench->random ^= bench->random << 17;
	return places ? bench->random % places * bench->plan->size : 0;
}

/*
 * As qemu-img's walk: a step that has no factor in common with the size comes
 * to all of the disk, in no order that hardware would guess. But where a
 * request would go past the end, the walk begins anew.
 */
static uint64_t next_offset(struct bench *bench)
{
	uint64_t size = bench->disk_size;
	uint64_t offset;

	if (!bench->plan->step)
		return random_offset(bench);
	offset = size ? (bench->offset + bench->plan->step) % size : 0;
	return range_fits(offset, bench->plan->size, size) ? offset : 0;
}

/* --- Requests ------------------------------------------------------------- */

static void note_end(struct bench *bench, int result)
{
	bench->in_flight--;
	if (result && !bench->error)
		bench->error = result;
}

static void request_done(struct block_request *request, int result)
{
	struct bench_slot *slot = (struct bench_slot *)request;
	struct bench *bench = slot->bench;

	slot->next = bench->free_slots;
	bench->free_slots = slot;
	note_end(bench, result);
}

static void flush_done(struct block_request *request, int result)
{
	struct bench *bench = (struct bench *)((char *)request -
					       offsetof(struct bench, flush));

	bench->is_flushing = false;
	note_end(bench, result);
}

static void submit_request(struct bench *bench)
{
	struct bench_slot *slot = bench->free_slots;

	bench->free_slots = slot->next;
	slot->request.offset = bench->offset;
	block_queue_submit(bench->queue, &slot->request);
	bench->offset = next_offset(bench);
	bench->submitted++;
	bench->in_flight++;
}

static void submit_flush(struct bench *bench)
{
	bench->flush = (struct block_request){
		.operation = BLOCK_FLUSH,
		.done = flush_done,
	};
	block_queue_submit(bench->queue, &bench->flush);
	bench->flushed = bench->submitted;
	bench->is_flushing = true;
	bench->in_flight++;
}

static bool is_flush_due(const struct bench *bench)
{
	uint64_t interval = bench->plan->flush_interval;

	return interval && bench->submitted > bench->flushed &&
	       !(bench->submitted % interval);
}

static bool may_flush(const struct bench *bench)
{
	return bench->plan->drain ? !bench->in_flight : !bench->is_flushing;
}

static void submit_all_that_may(struct bench *bench)
{
	while (!bench->error) {
		if (is_flush_due(bench)) {
			if (!may_flush(bench))
				return;
			submit_flush(bench);
		}
		if (bench->plan->drain && bench->is_flushing)
			return;
		if (!bench->free_slots ||
		    bench->submitted == bench->plan->count)
			return;
		submit_request(bench);
	}
}

/* The whole run. */
static void send_requests(struct bench *bench)
{
	submit_all_that_may(bench);
	while (bench->in_flight) {
		block_queue_run(bench->queue, true);
		submit_all_that_may(bench);
	}
}

/* --- Set-up --------------------------------------------------------------- */

static void slot_init(struct bench *bench, uint64_t index)
{
	const struct bench_plan *plan = bench->plan;
	struct bench_slot *slot = &bench->slots[index];

	slot->iov = (struct iovec){
		.iov_base = bench->buffer + index * plan->size,
		.iov_len = plan->size,
	};
	slot->request = (struct block_request){
		.operation = plan->write ? BLOCK_WRITE : BLOCK_READ,
		.length = plan->size,
		.iov = &slot->iov,
		.iov_count = 1,
		.done = request_done,
	};
	slot->bench = bench;
	slot->next = bench->free_slots;
	bench->free_slots = slot;
}

static int make_slots(struct bench *bench)
{
	const struct bench_plan *plan = bench->plan;
	uint64_t bytes;

	if (!mul_fits(plan->depth, plan->size, &bytes) ||
	    bytes > SIZE_MAX - BUFFER_ALIGNMENT)
		return -ENOMEM;
	bytes = align_up(bytes, BUFFER_ALIGNMENT);
	bench->slots = calloc(plan->depth, sizeof(bench->slots[0]));
	bench->buffer = aligned_alloc(BUFFER_ALIGNMENT, bytes);
	if (!bench->slots || !bench->buffer)
		return -ENOMEM;
	memset(bench->buffer, plan->pattern, bytes);
	for (uint64_t i = plan->depth; i-- > 0;)
		slot_init(bench, i);
	return 0;
}

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void measure(struct bench *bench, struct bench_result *ret_result)
{
	uint64_t start = clock_now_nsec();
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	send_requests(bench);
	getrusage(RUSAGE_SELF, &after);
	*ret_result = (struct bench_result){
		.seconds = (double)(clock_now_nsec() - start) / NSEC_PER_SEC,
		.user_seconds = seconds(after.ru_utime) -
				seconds(before.ru_utime),
		.system_seconds = seconds(after.ru_stime) -
				  seconds(before.ru_stime),
		.engine = block_queue_engine(bench->queue),
	};
}

int bench_run(struct block *block, const struct bench_plan *plan,
	      struct bench_result *ret_result, struct err *err)
{
	const struct block_queue_options options = {
		.engine = plan->engine,
		.quiet = true, /* --cpu says it */
		.depth = (unsigned int)min_u64(plan->depth, UINT32_MAX),
	};
	struct bench bench = {
		.plan = plan,
		.disk_size = block_size(block),
		.offset = plan->start,
		.random = plan->seed,
	};
	int ret;

	ret = make_slots(&bench);
	if (ret)
		ret = err_set(err, ENOMEM, "out of memory");
	else
		ret = block_queue_new(block, &options, &bench.queue, err);
	if (!ret) {
		if (!plan->step)
			bench.offset = random_offset(&bench);
		measure(&bench, ret_result);
		ret = bench.error;
		if (ret)
			err_set(err, -ret, "Failed request: %s",
				strerror(-ret));
	}
	block_queue_free(bench.queue);
	free(bench.buffer);
	free(bench.slots);
	return ret;
}

/*
 * devices/test_block.h - a struct block in memory that counts, fails and
 * stands still on demand, for the unit tests of virtio-blk. It is included by
 * one source of a test, and takes the place of the block layer there.
 */
#ifndef DEVICES_TEST_BLOCK_H
#define DEVICES_TEST_BLOCK_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/iov.h"
#include "base/math.h"
#include "base/test.h"
#include "block/queue.h"

/* A byte that the disk holds where nothing was written. */
#define TEST_BLOCK_FRESH 0xdb

struct block {
	uint64_t size;
	bool read_only;
	bool newest_first; /* the order in which a queue's requests end */
	bool slow_runs;	   /* a queue's run takes a while to begin */
	uint8_t *data;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* [l], but for where no request is under way */
	int fails_with;
	bool gate_closed; /* reads wait */
	unsigned int at_gate;
	unsigned int reads, writes, flushes, discards, zeroes, unmaps;
};

static inline bool test_block_init(struct block *block, uint64_t size)
{
	*block = (struct block){.size = size, .data = malloc(size)};
	pthread_mutex_init(&block->lock, NULL);
	pthread_cond_init(&block->changed, NULL);
	if (!CHECK(block->data))
		return false;
	memset(block->data, TEST_BLOCK_FRESH, size);
	return true;
}

static inline void test_block_fini(struct block *block)
{
	pthread_cond_destroy(&block->changed);
	pthread_mutex_destroy(&block->lock);
	free(block->data);
}

static inline void test_block_gate(struct block *block, bool closed)
{
	pthread_mutex_lock(&block->lock);
	block->gate_closed = closed;
	pthread_cond_broadcast(&block->changed);
	pthread_mutex_unlock(&block->lock);
}

/* Returns when a read stands before the closed gate. */
static inline void test_block_wait_at_gate(struct block *block)
{
	pthread_mutex_lock(&block->lock);
	while (!block->at_gate)
		pthread_cond_wait(&block->changed, &block->lock);
	pthread_mutex_unlock(&block->lock);
}

/* Takes the lock and counts; what the request is to return if not 0. */
static int begin(struct block *block, unsigned int *counter, uint64_t offset,
		 uint64_t length)
{
	pthread_mutex_lock(&block->lock);
	++*counter;
	CHECK(is_aligned(offset, BLOCK_SECTOR));
	CHECK(is_aligned(length, BLOCK_SECTOR));
	CHECK(range_fits(offset, length, block->size));
	return block->fails_with;
}

static int end(struct block *block, int ret)
{
	pthread_mutex_unlock(&block->lock);
	return ret;
}

uint64_t block_size(const struct block *block)
{
	return block->size;
}

bool block_is_read_only(const struct block *block)
{
	return block->read_only;
}

uint64_t block_discard_granularity(const struct block *block)
{
	(void)block;
	return 64 * KIB;
}

/* --- What requests do ------------------------------------------------------
 */

static int read_data(struct block *block, uint64_t offset,
		     const struct iovec *iov, size_t count, uint64_t skip,
		     uint64_t length)
{
	int ret = begin(block, &block->reads, offset, length);

	block->at_gate++;
	pthread_cond_broadcast(&block->changed);
	while (block->gate_closed)
		pthread_cond_wait(&block->changed, &block->lock);
	block->at_gate--;
	for (uint64_t i = 0; !ret && i < length; i += BLOCK_SECTOR)
		iov_from_buffer(iov, count, skip + i, block->data + offset + i,
				BLOCK_SECTOR);
	return end(block, ret);
}

static int write_data(struct block *block, uint64_t offset,
		      const struct iovec *iov, size_t count, uint64_t skip,
		      uint64_t length)
{
	int ret = begin(block, &block->writes, offset, length);

	for (uint64_t i = 0; !ret && i < length; i += BLOCK_SECTOR)
		iov_to_buffer(iov, count, skip + i, block->data + offset + i,
			      BLOCK_SECTOR);
	return end(block, ret);
}

static int clear_data(struct block *block, unsigned int *counter,
		      const struct block_request *request)
{
	int ret = begin(block, counter, request->offset, request->length);

	block->unmaps += request->may_unmap;
	if (!ret)
		memset(block->data + request->offset, 0, request->length);
	return end(block, ret);
}

/* --- A queue that does a piece of each request in each run ---------------- */

#define TEST_BLOCK_PIECE (4 * MIB)

struct block_queue {
	struct block *block;
	int event_fd;
	bool cancels;
	uint64_t kicks;
	struct block_request *first;
	size_t in_flight;
};

int block_queue_new(struct block *block,
		    const struct block_queue_options *options,
		    struct block_queue **ret_queue, struct err *err)
{
	(void)options;
	(void)err;
	*ret_queue = calloc(1, sizeof(**ret_queue));
	if (!*ret_queue)
		return -ENOMEM;
	**ret_queue = (struct block_queue){.block = block, .event_fd = -1};
	return 0;
}

void block_queue_free(struct block_queue *queue)
{
	if (queue)
		CHECK_EQUAL(queue->in_flight, 0);
	free(queue);
}

void block_queue_watch(struct block_queue *queue, int fd)
{
	queue->event_fd = fd;
}

/* In the order in which they are to end. */
void block_queue_submit(struct block_queue *queue,
			struct block_request *request)
{
	struct block_request **place = &queue->first;

	while (*place && !queue->block->newest_first)
		place = &(*place)->next;
	request->next = *place;
	request->position = 0;
	*place = request;
	queue->in_flight++;
}

static int test_block_do(struct block *block, struct block_request *request)
{
	uint64_t at = request->offset + request->position;
	uint64_t length = min_u64(request->length - request->position,
				  TEST_BLOCK_PIECE);

	switch (request->operation) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		return (request->operation == BLOCK_READ
				? read_data
				: write_data)(block, at, request->iov,
					      request->iov_count,
					      request->position, length);
	case BLOCK_FLUSH:
		return end(block, begin(block, &block->flushes, 0, 0));
	case BLOCK_DISCARD:
		return clear_data(block, &block->discards, request);
	default:
		return clear_data(block, &block->zeroes, request);
	}
}

/* One piece; is it the last? */
static bool test_block_go_on(struct block_queue *queue,
			     struct block_request *request, int *ret_result)
{
	bool moves = request->operation == BLOCK_READ ||
		     request->operation == BLOCK_WRITE;

	*ret_result = -ECANCELED;
	if (queue->cancels)
		return true;
	*ret_result = test_block_do(queue->block, request);
	request->position += TEST_BLOCK_PIECE;
	return *ret_result || !moves || request->position >= request->length;
}

void block_queue_run(struct block_queue *queue, bool wait)
{
	struct pollfd event = {.fd = queue->event_fd, .events = POLLIN};
	struct block_request *request = queue->first, *next;
	int result;

	if (queue->block->slow_runs)
		usleep(200);
	if (poll(&event, 1, wait && !request ? -1 : 0) > 0)
		queue->kicks += fd_event_clear(queue->event_fd);
	queue->first = NULL;
	for (; request; request = next) {
		next = request->next;
		queue->in_flight--;
		if (test_block_go_on(queue, request, &result)) {
			request->done(request, result);
		} else {
			request->next = queue->first;
			queue->first = request;
			queue->in_flight++;
		}
	}
	queue->cancels = false;
}

void block_queue_cancel(struct block_queue *queue)
{
	queue->cancels = true;
}

const char *block_queue_engine(const struct block_queue *queue)
{
	(void)queue;
	return "test";
}

void block_queue_statistics(struct block_queue *queue,
			    struct block_queue_statistics *ret_statistics)
{
	queue->kicks += fd_event_clear(queue->event_fd);
	*ret_statistics = (struct block_queue_statistics){
		.kicks = queue->kicks,
		.at_once = 1,
		.by_engine = 20,
		.by_workers = 300,
	};
}

size_t block_queue_in_flight(const struct block_queue *queue)
{
	return queue->in_flight;
}

#endif

/*
 * devices/test_block.h - a struct block in memory that counts, fails and
 * stands still on demand, for the unit tests of virtio-blk. It is included by
 * one source of a test, and takes the place of the block layer there.
 */
#ifndef DEVICES_TEST_BLOCK_H
#define DEVICES_TEST_BLOCK_H

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/iov.h"
#include "base/math.h"
#include "base/test.h"
#include "block/block.h"

/* A byte that the disk holds where nothing was written. */
#define TEST_BLOCK_FRESH 0xdb

struct block {
	uint64_t size;
	bool read_only;
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

int block_read(struct block *block, uint64_t offset, const struct iovec *iov,
	       size_t count)
{
	size_t length = iov_length(iov, count);
	int ret = begin(block, &block->reads, offset, length);

	block->at_gate++;
	pthread_cond_broadcast(&block->changed);
	while (block->gate_closed)
		pthread_cond_wait(&block->changed, &block->lock);
	block->at_gate--;
	if (!ret)
		iov_from_buffer(iov, count, 0, block->data + offset, length);
	return end(block, ret);
}

int block_write(struct block *block, uint64_t offset, const struct iovec *iov,
		size_t count)
{
	size_t length = iov_length(iov, count);
	int ret = begin(block, &block->writes, offset, length);

	if (!ret)
		iov_to_buffer(iov, count, 0, block->data + offset, length);
	return end(block, ret);
}

int block_flush(struct block *block)
{
	return end(block, begin(block, &block->flushes, 0, 0));
}

int block_discard(struct block *block, uint64_t offset, uint64_t length)
{
	int ret = begin(block, &block->discards, offset, length);

	if (!ret)
		memset(block->data + offset, 0, length);
	return end(block, ret);
}

int block_write_zeroes(struct block *block, uint64_t offset, uint64_t length,
		       bool may_unmap)
{
	int ret = begin(block, &block->zeroes, offset, length);

	block->unmaps += may_unmap;
	if (!ret)
		memset(block->data + offset, 0, length);
	return end(block, ret);
}

#endif

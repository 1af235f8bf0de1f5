/*
 * devices/test_virtqueue.h - both ends of one virtqueue, for its unit tests.
 */
#ifndef DEVICES_TEST_VIRTQUEUE_H
#define DEVICES_TEST_VIRTQUEUE_H

#include "devices/test_driver.h"
#include "devices/virtqueue.h"

#define SIZE	  8U
#define CAPACITY  16U
#define INDIRECT  (1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT_IDX (1ULL << VIRTIO_RING_F_EVENT_IDX)
#define WRITE	  VRING_DESC_F_WRITE
#define NEXT	  VRING_DESC_F_NEXT

struct bench {
	struct test_ram ram;
	struct test_queue driver;
	struct virtqueue queue;
	struct virtqueue_chain chain;
};

static inline bool bench_init(struct bench *bench, uint64_t features)
{
	*bench = (struct bench){0};
	if (!test_ram_init(&bench->ram) ||
	    !CHECK(!virtqueue_chain_init(&bench->chain, CAPACITY)))
		return false;
	test_queue_init(&bench->driver, &bench->ram, SIZE);
	return CHECK(!virtqueue_start(&bench->queue, &bench->ram.memory,
				      &bench->driver.layout, CAPACITY,
				      features));
}

static inline void bench_fini(struct bench *bench)
{
	virtqueue_chain_fini(&bench->chain);
	test_ram_fini(&bench->ram);
}

static inline int pop(struct bench *bench)
{
	return virtqueue_pop(&bench->queue, &bench->chain);
}

#endif

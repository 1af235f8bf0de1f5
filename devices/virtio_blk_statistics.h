/*
 * devices/virtio_blk_statistics.h - what a virtio-blk device was asked and what
 * it took to do it, for people who look for where time goes.
 *
 * Plain counters, of one queue's thread each; added up when that is idle.
 */
#ifndef DEVICES_VIRTIO_BLK_STATISTICS_H
#define DEVICES_VIRTIO_BLK_STATISTICS_H

#include "block/queue.h"
#include "devices/virtio_blk_request.h"

struct virtio_blk_statistics {
	/* Requests that were answered, by their types. */
	uint64_t reads, writes, flushes, discards, write_zeroes, others;
	uint64_t failed;		    /* of all these */
	uint64_t bytes_read, bytes_written; /* by those that did not fail */
	unsigned int most_at_a_time;	    /* under way in one queue */

	uint64_t interrupts;
	uint64_t sleeps;
	uint64_t spins;	    /* short waits that were to spare a sleep... */
	uint64_t spins_won; /* ...and did */
	uint64_t cpu_nsec;  /* of the queues' threads */
	struct block_queue_statistics queue;

	unsigned int queue_count;
	const char *engine; /* see block_queue_engine(); NULL: no queue */
};

/* One more request was answered with @ret, 0 or -errno. */
void virtio_blk_statistics_note(struct virtio_blk_statistics *statistics,
				const struct virtio_blk_request *request,
				int ret);

/* Adds what is a sum; queue_count and engine become those of @more. */
void virtio_blk_statistics_add(struct virtio_blk_statistics *sum,
			       const struct virtio_blk_statistics *more);

#endif

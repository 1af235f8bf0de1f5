/*
 * devices/virtio_blk_execute.h - does what a request asks, on a disk.
 *
 * A job is a request under way: it goes through one or several calls of the
 * block layer, one after the other, and ends with done(). On the thread of the
 * queue that it came from, without waiting.
 */
#ifndef DEVICES_VIRTIO_BLK_EXECUTE_H
#define DEVICES_VIRTIO_BLK_EXECUTE_H

#include <stdatomic.h>

#include "block/queue.h"
#include "devices/virtio_blk_request.h"

/* What requests are executed on, and how. */
struct virtio_blk_target {
	struct block *disk;
	uint64_t capacity;	/* bytes */
	const char *id;		/* VIRTIO_BLK_ID_BYTES, padded with NUL */
	bool can_discard;	/* negotiated */
	bool can_write_zeroes;	/* negotiated */
	atomic_bool write_back; /* else a write ends on stable storage */
};

struct virtio_blk_job {
	struct block_request block; /* its own; is first */

	/* By the caller, before virtio_blk_execute(). */
	const struct virtio_blk_target *target;
	struct block_queue *queue; /* of the target's disk */
	struct virtio_blk_request request;
	/*
	 * @ret: 0 or -errno; -ENOTSUP for a type that is not known or not
	 * negotiated. @written: bytes written to the driver's memory in front
	 * of the status, or 0 unless that is all of them.
	 */
	void (*done)(struct virtio_blk_job *job, int ret, size_t written);

	/* Its own. */
	bool flushes; /* is still to be flushed at the end */
	unsigned int segment_next, segment_count;
	struct virtio_blk_segment segments[VIRTIO_BLK_SEGMENTS_MAX];
};

/*
 * Calls job->done() now or in block_queue_run(). A target that goes away
 * meanwhile, or a job's memory, has to wait for that; block_queue_cancel()
 * hastens it.
 */
void virtio_blk_execute(struct virtio_blk_job *job);

#endif

/*
 * devices/virtio_blk_queue.h - one virtqueue of a virtio-blk device, with the
 * thread that serves it.
 *
 * As many requests are under way at a time as the ring has room for; they end
 * in any order (Virtual I/O Device specification 1.2, 2.7.13), and all that
 * end together share one interrupt.
 *
 * Threads: _new and _free belong to main; _start and _stop are calls of the
 * transport, one at a time. The thread, named disk/N.Q, lives from _new to
 * _free and touches guest memory only between _start and _stop.
 */
#ifndef DEVICES_VIRTIO_BLK_QUEUE_H
#define DEVICES_VIRTIO_BLK_QUEUE_H

#include "base/err.h"
#include "devices/virtio_blk_execute.h"
#include "devices/virtio_blk_statistics.h"
#include "devices/virtio_device.h"

struct virtio_blk_queue;

struct virtio_blk_queue_options {
	struct virtio_device *device; /* borrowed, as its queues[index] */
	/* Borrowed; changes, apart from its atomics, only while stopped. */
	const struct virtio_blk_target *target;
	unsigned int index;
	unsigned int disk_index;    /* for the thread's name */
	bool may_spin;		    /* see virtio_blk.h */
	const struct iovec *pinned; /* see block/queue.h; only _new looks */
	size_t pinned_count;
};

int virtio_blk_queue_new(const struct virtio_blk_queue_options *options,
			 struct virtio_blk_queue **ret_queue, struct err *err);

/* Stopped before. NULL is none. */
void virtio_blk_queue_free(struct virtio_blk_queue *queue);

/* The eventfd that the driver's kick raises; owned by the queue. */
int virtio_blk_queue_kick_fd(const struct virtio_blk_queue *queue);

/* The ring is there, and may hold requests already. */
void virtio_blk_queue_start(struct virtio_blk_queue *queue);

/*
 * Stopping takes two steps, so that queues can do it side by side: _stop asks,
 * _wait returns when nothing touches guest memory any more. Requests under way
 * are waited for or cut short, and not answered. Harmless when stopped.
 */
void virtio_blk_queue_stop(struct virtio_blk_queue *queue);
void virtio_blk_queue_wait(struct virtio_blk_queue *queue);

/* While stopped. Adds what the queue has done since it was made. */
void virtio_blk_queue_add_statistics(struct virtio_blk_queue *queue,
				     struct virtio_blk_statistics *sum);

#endif

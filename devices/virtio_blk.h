/*
 * devices/virtio_blk.h - a block device (Virtual I/O Device specification 1.2,
 * section 5.2) in front of a struct block.
 *
 * Each queue has a thread, named disk/N.Q, that exists from _new to _free and
 * has any number of the queue's requests under way (virtio_blk_queue.h).
 */
#ifndef DEVICES_VIRTIO_BLK_H
#define DEVICES_VIRTIO_BLK_H

#include "base/err.h"
#include "block/block.h"
#include "devices/virtio_blk_statistics.h"
#include "devices/virtio_device.h"

struct virtio_blk_options {
	struct block *disk;  /* borrowed until virtio_blk_free() */
	unsigned int index;  /* the disk's number, for its threads' names */
	unsigned int queues; /* 1 to VIRTIO_QUEUES_MAX */
	const char *serial;  /* what GET_ID answers, <= 20 bytes; or NULL */
	bool may_spin;	     /* the host has a CPU to spare for each queue */
	const struct iovec *pinned; /* guest memory, see block/queue.h; */
	size_t pinned_count;	    /* only virtio_blk_new() looks at it */
};

struct virtio_blk;

/*
 * Creates the device and starts its threads; they sleep until the driver is
 * there. -EINVAL for options out of range, -errno where the host refuses.
 */
int virtio_blk_new(const struct virtio_blk_options *options,
		   struct virtio_blk **ret_blk, struct err *err);

/* Ends the threads. After virtio_mmio_free(), before block_close(). */
void virtio_blk_free(struct virtio_blk *blk);

/*
 * Adds what the device has done since it was made. While it is stopped, be it
 * by virtio_mmio_reset().
 */
void virtio_blk_add_statistics(struct virtio_blk *blk,
			       struct virtio_blk_statistics *sum);

/* What virtio_mmio_new() takes. */
struct virtio_device *virtio_blk_device(struct virtio_blk *blk);

#endif

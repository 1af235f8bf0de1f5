/*
 * devices/virtqueue.h - the device's side of a split virtqueue (Virtual I/O
 * Device specification 1.2, section 2.7), with indirect descriptors and
 * EVENT_IDX.
 *
 * Everything in the rings is the guest's: hostile, and changing while we look.
 * The layout is checked and frozen by virtqueue_start(); a descriptor is read
 * once into our memory, then checked, then used. Walks are bounded, so loops
 * end. A rule broken makes the queue broken: nothing is popped from it until
 * it is started again.
 *
 * Threads: [c] constant between start and stop, [q] only the one thread that
 * serves the queue. Whoever starts or stops a queue hands it over to or from
 * that thread by a lock of the device.
 */
#ifndef DEVICES_VIRTQUEUE_H
#define DEVICES_VIRTQUEUE_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/guest_memory.h"

/* The feature bits that this implementation answers for. */
#define VIRTQUEUE_FEATURES \
	(1ULL << VIRTIO_RING_F_INDIRECT_DESC | 1ULL << VIRTIO_RING_F_EVENT_IDX)

/* Where the driver says the queue is. */
struct virtqueue_layout {
	unsigned int size; /* entries */
	gpa_t descriptors;
	gpa_t driver; /* the available ring */
	gpa_t device; /* the used ring */
};

struct virtqueue {
	const struct guest_memory *memory;    /* [c] */
	uint16_t size;			      /* [c] entries; 0: not started */
	bool indirect;			      /* [c] negotiated */
	bool event_idx;			      /* [c] negotiated */
	const struct vring_desc *descriptors; /* [c] to [g] */
	const struct vring_avail *avail;      /* [c] to [g] */
	struct vring_used *used;	      /* [c] to [g] */
	uint16_t avail_next;		      /* [q] the next to pop */
	uint16_t avail_seen;		      /* [q] avail->idx as last read */
	uint16_t used_next;		      /* [q] the next to fill */
	uint16_t used_published; /* [q] used->idx as last written */
	bool broken;		 /* [q] */
};

/*
 * A chain of descriptors as pieces of host memory: those that the device reads
 * first, then those that it writes. The array is the owner's to change.
 */
struct virtqueue_chain {
	struct iovec *iov;
	unsigned int capacity; /* of iov */
	unsigned int readable_count;
	unsigned int writable_count; /* from iov[readable_count] on */
	size_t readable_length;
	size_t writable_length;
	uint16_t head; /* for virtqueue_push() */
};

/*
 * Memory for chains of up to @capacity pieces: the largest size of the queues
 * that it will be popped from. -ENOMEM.
 */
int virtqueue_chain_init(struct virtqueue_chain *chain, unsigned int capacity);
void virtqueue_chain_fini(struct virtqueue_chain *chain);

/*
 * Checks and freezes @layout. @features are the negotiated ones. -EINVAL
 * unless the size is a power of two up to @size_max and each part is aligned
 * and lies in RAM; the queue is then as after virtqueue_stop().
 */
int virtqueue_start(struct virtqueue *queue, const struct guest_memory *memory,
		    const struct virtqueue_layout *layout,
		    unsigned int size_max, uint64_t features);

/* Forgets the guest's memory: the queue is as if always empty. */
void virtqueue_stop(struct virtqueue *queue);

/*
 * Takes the next chain. 1; 0 where there is none; -EPROTO where the driver
 * broke the rules (the device then needs a reset).
 */
int virtqueue_pop(struct virtqueue *queue, struct virtqueue_chain *chain);

/*
 * A look at the ring without taking anything: is there something to pop? Also
 * where it breaks the rules, so that popping finds out.
 */
bool virtqueue_has_more(const struct virtqueue *queue);

/*
 * Gives a chain back with the number of bytes written to its writable part,
 * counted from its start. The driver sees it after virtqueue_publish().
 */
void virtqueue_push(struct virtqueue *queue, uint16_t head, size_t written);

/*
 * Lets the driver see all that was pushed. True where it wants an interrupt
 * for that; false too where there was nothing new.
 */
bool virtqueue_publish(struct virtqueue *queue);

/*
 * While a thread serves a queue the driver need not kick; before it sleeps it
 * arms the kick again: from then on the driver kicks for what it adds.
 * virtqueue_arm_kick() answers how many chains were added before that, and
 * wait to be served without a kick: at most the queue's size.
 */
void virtqueue_disarm_kick(struct virtqueue *queue);
unsigned int virtqueue_arm_kick(struct virtqueue *queue);

#endif

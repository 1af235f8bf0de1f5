/*
 * runtime/virtio.h - a virtio-mmio device (Virtual I/O Device specification
 * 1.2, 4.2) and its split virtqueues (2.7), laid open: a test writes
 * descriptors and rings as it likes.
 */
#ifndef RUNTIME_VIRTIO_H
#define RUNTIME_VIRTIO_H

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#define VIRTIO_MMIO_MAGIC_NUMBER 0x74726976 /* "virt" */
#define VIRTIO_BIT(number)	 (1ULL << (number))

struct virtio {
	uint64_t base;
	unsigned int irq;
	uint32_t device_id;
};

/* Device @nth (from 0, by address) of this kind; false: there is none. */
bool virtio_find(uint32_t device_id, unsigned int nth,
		 struct virtio *ret_virtio);

uint32_t virtio_read(const struct virtio *virtio, unsigned int offset);
void virtio_write(const struct virtio *virtio, unsigned int offset,
		  uint32_t value);
void virtio_write64(const struct virtio *virtio, unsigned int offset_low,
		    uint64_t value);

/* Configuration space; read again until its generation stays (2.5.3). */
uint8_t virtio_config8(const struct virtio *virtio, unsigned int offset);
uint16_t virtio_config16(const struct virtio *virtio, unsigned int offset);
uint32_t virtio_config32(const struct virtio *virtio, unsigned int offset);
uint64_t virtio_config64(const struct virtio *virtio, unsigned int offset);

uint64_t virtio_offered(const struct virtio *virtio);

/* Writes 0 to the status and waits until it reads so; false: not in time. */
bool virtio_reset(const struct virtio *virtio);

void virtio_status_add(const struct virtio *virtio, uint32_t bits);
uint32_t virtio_status(const struct virtio *virtio);
bool virtio_needs_reset(const struct virtio *virtio);

/*
 * From reset to FEATURES_OK (3.1.1). The device may refuse: false. Queues and
 * DRIVER_OK are still to come.
 */
bool virtio_negotiate(const struct virtio *virtio, uint64_t features);

#define QUEUE_SIZE_MAX 1024

/* The memory of a queue; one for each that is in use. */
struct queue_rings {
	/* One more than a device may look at. */
	_Alignas(4096) struct vring_desc desc[QUEUE_SIZE_MAX + 1];
	/* flags, idx, ring[size], used_event */
	_Alignas(4096) uint16_t avail[QUEUE_SIZE_MAX + 3];
	/* flags, idx, ring[size] of two words, avail_event */
	_Alignas(4096) uint16_t used[4 * QUEUE_SIZE_MAX + 3];
};

struct queue {
	const struct virtio *virtio;
	unsigned int index;
	uint16_t size;
	volatile struct vring_desc *desc;
	volatile uint16_t *avail_flags, *avail_idx, *avail_ring, *used_event;
	volatile uint16_t *used_flags, *used_idx, *avail_event;
	volatile struct vring_used_elem *used_ring;
	uint16_t used_seen; /* the used entries that queue_used() gave */
};

/* Clears the rings and tells the device of them; 0: as large as it can be. */
void queue_init(struct queue *queue, const struct virtio *virtio,
		unsigned int index, uint16_t size, struct queue_rings *rings);

/* A piece of a chain. Pieces that the device writes come last. */
struct piece {
	const volatile void *at;
	uint32_t length;
	bool device_writes;
};

/* Describes @pieces in descriptors first, first + 1, ... linked by next. */
void queue_chain(struct queue *queue, uint16_t first,
		 const struct piece *pieces, unsigned int count);
void queue_describe(volatile struct vring_desc *desc, const struct piece *piece,
		    uint16_t flags, uint16_t next);

/* Makes the chain at @head available; the device need not look yet. */
void queue_offer(struct queue *queue, uint16_t head);

/* Rings the doorbell, whatever the device asked for. */
void queue_kick(const struct queue *queue);

/* The next used entry, if there is one now. */
bool queue_used(struct queue *queue, struct vring_used_elem *ret_used);

/* Waits for it; false: not in time, or the device needs a reset. */
bool queue_wait_used(struct queue *queue, struct vring_used_elem *ret_used);

#endif

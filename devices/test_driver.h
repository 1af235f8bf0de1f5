/*
 * devices/test_driver.h - the guest's side of virtqueues and of the MMIO
 * transport, in a small guest memory, for the unit tests. Obedient unless a
 * test writes into the rings itself.
 *
 * Ring indices and flags are accessed atomically, so that a device may serve
 * from a thread of its own.
 */
#ifndef DEVICES_TEST_DRIVER_H
#define DEVICES_TEST_DRIVER_H

#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>

#include "base/guest_memory.h"
#include "base/math.h"
#include "base/test.h"
#include "devices/test_irq.h"
#include "devices/virtio_mmio.h"
#include "devices/virtqueue.h"

/* --- Guest memory: two regions with nothing between them ------------------ */

#define TEST_LOW_SIZE  MIB
#define TEST_HIGH_BASE GIB
#define TEST_HIGH_SIZE (64 * KIB)

struct test_ram {
	struct guest_memory memory;
	gpa_t next; /* the first byte of the low region not handed out */
};

static inline bool test_ram_init(struct test_ram *ram)
{
	uint8_t *low = aligned_alloc(4096, TEST_LOW_SIZE);
	uint8_t *high = aligned_alloc(4096, TEST_HIGH_SIZE);

	*ram = (struct test_ram){
		.memory = {2,
			   {{0, TEST_LOW_SIZE, low},
			    {TEST_HIGH_BASE, TEST_HIGH_SIZE, high}}},
		.next = 4096,
	};
	if (!CHECK(low && high))
		return false;
	memset(low, 0, TEST_LOW_SIZE);
	memset(high, 0, TEST_HIGH_SIZE);
	return true;
}

static inline void test_ram_fini(struct test_ram *ram)
{
	free(ram->memory.regions[0].host);
	free(ram->memory.regions[1].host);
}

static inline gpa_t test_ram_alloc(struct test_ram *ram, uint64_t size)
{
	gpa_t gpa = align_up(ram->next, 64);

	ram->next = gpa + size;
	CHECK(ram->next <= TEST_LOW_SIZE);
	return gpa;
}

/* [gpa, ...) to write into or to look at; NULL outside of memory. */
static inline void *test_ram_at(const struct test_ram *ram, gpa_t gpa)
{
	return guest_range(&ram->memory, gpa, 1);
}

/* --- One queue ------------------------------------------------------------ */

struct test_queue {
	struct test_ram *ram;
	struct virtqueue_layout layout;
	struct vring_desc *descriptors;
	struct vring_avail *avail;
	struct vring_used *used;
	unsigned int next_descriptor;
	uint16_t avail_index;
	uint16_t used_seen;
};

static inline void test_queue_init(struct test_queue *queue,
				   struct test_ram *ram, unsigned int size)
{
	*queue = (struct test_queue){.ram = ram, .layout = {.size = size}};
	queue->layout.descriptors =
		test_ram_alloc(ram, size * sizeof(struct vring_desc));
	queue->layout.driver = test_ram_alloc(ram, 6 + 2 * size);
	queue->layout.device = test_ram_alloc(ram, 6 + 8 * size);
	queue->descriptors = test_ram_at(ram, queue->layout.descriptors);
	queue->avail = test_ram_at(ram, queue->layout.driver);
	queue->used = test_ram_at(ram, queue->layout.device);
}

/* Zeroes the rings, as a driver does before it starts the device again. */
static inline void test_queue_clear(struct test_queue *queue)
{
	memset(queue->avail, 0, 6 + 2 * queue->layout.size);
	memset(queue->used, 0, 6 + 8 * queue->layout.size);
	queue->avail_index = 0;
	queue->used_seen = 0;
}

/* A buffer of the driver; flags: 0 or VRING_DESC_F_WRITE. */
struct test_piece {
	gpa_t gpa;
	uint32_t length;
	uint16_t flags;
};

static inline void test_descriptor(struct vring_desc *desc, gpa_t gpa,
				   uint32_t length, uint16_t flags,
				   uint16_t next)
{
	*desc = (struct vring_desc){htole64(gpa), htole32(length),
				    htole16(flags), htole16(next)};
}

/* Writes a chain into the queue's descriptors; returns its head. */
static inline uint16_t test_chain(struct test_queue *queue,
				  const struct test_piece *pieces,
				  unsigned int count)
{
	unsigned int size = queue->layout.size;
	unsigned int first = queue->next_descriptor;

	for (unsigned int i = 0; i < count; i++) {
		uint16_t more = i + 1 < count ? VRING_DESC_F_NEXT : 0;

		test_descriptor(&queue->descriptors[(first + i) % size],
				pieces[i].gpa, pieces[i].length,
				pieces[i].flags | more,
				(uint16_t)((first + i + 1) % size));
	}
	queue->next_descriptor = (first + count) % size;
	return (uint16_t)first;
}

/* Writes a chain as an indirect table of its own; returns the head. */
static inline uint16_t test_chain_indirect(struct test_queue *queue,
					   const struct test_piece *pieces,
					   unsigned int count)
{
	gpa_t gpa = test_ram_alloc(queue->ram,
				   count * sizeof(struct vring_desc));
	struct vring_desc *table = test_ram_at(queue->ram, gpa);
	const struct test_piece whole = {gpa,
					 (uint32_t)(count *
						    sizeof(struct vring_desc)),
					 VRING_DESC_F_INDIRECT};

	for (unsigned int i = 0; i < count; i++) {
		uint16_t more = i + 1 < count ? VRING_DESC_F_NEXT : 0;

		test_descriptor(&table[i], pieces[i].gpa, pieces[i].length,
				pieces[i].flags | more, (uint16_t)(i + 1));
	}
	return test_chain(queue, &whole, 1);
}

/* Makes a head available; the device sees it at once. */
static inline void test_offer(struct test_queue *queue, uint16_t head)
{
	unsigned int at = queue->avail_index % queue->layout.size;

	__atomic_store_n(&queue->avail->ring[at], htole16(head),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&queue->avail->idx, htole16(++queue->avail_index),
			 __ATOMIC_SEQ_CST);
}

/* Takes the next used element, if there is one. */
static inline bool test_used(struct test_queue *queue, uint32_t *ret_head,
			     uint32_t *ret_written)
{
	unsigned int at = queue->used_seen % queue->layout.size;

	if (queue->used_seen ==
	    le16toh(__atomic_load_n(&queue->used->idx, __ATOMIC_SEQ_CST)))
		return false;
	*ret_head = le32toh(queue->used->ring[at].id);
	*ret_written = le32toh(queue->used->ring[at].len);
	queue->used_seen++;
	return true;
}

/* Interrupt me for the used element of this index (EVENT_IDX). */
static inline void test_set_used_event(struct test_queue *queue, uint16_t index)
{
	__atomic_store_n(&queue->avail->ring[queue->layout.size],
			 htole16(index), __ATOMIC_SEQ_CST);
}

/* The available index whose kick the device wants (EVENT_IDX). */
static inline uint16_t test_avail_event(const struct test_queue *queue)
{
	const __virtio16 *event =
		(void *)&queue->used->ring[queue->layout.size];

	return le16toh(__atomic_load_n(event, __ATOMIC_SEQ_CST));
}

/* --- The MMIO transport --------------------------------------------------- */

static inline uint32_t test_mmio_read(struct virtio_mmio *mmio,
				      unsigned int offset)
{
	return (uint32_t)virtio_mmio_bus_ops.read(mmio, offset, 4);
}

static inline void test_mmio_write(struct virtio_mmio *mmio,
				   unsigned int offset, uint32_t value)
{
	virtio_mmio_bus_ops.write(mmio, offset, 4, value);
}

static inline uint64_t test_mmio_features(struct virtio_mmio *mmio)
{
	uint64_t features;

	test_mmio_write(mmio, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	features = test_mmio_read(mmio, VIRTIO_MMIO_DEVICE_FEATURES);
	test_mmio_write(mmio, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	return features << 32 |
	       test_mmio_read(mmio, VIRTIO_MMIO_DEVICE_FEATURES);
}

#define TEST_STATUS_DRIVER \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER)
#define TEST_STATUS_FEATURES (TEST_STATUS_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK)
#define TEST_STATUS_RUNNING  (TEST_STATUS_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK)

/* From reset to FEATURES_OK; was it granted? */
static inline bool test_mmio_negotiate(struct virtio_mmio *mmio,
				       uint64_t features)
{
	test_mmio_write(mmio, VIRTIO_MMIO_STATUS, 0);
	test_mmio_write(mmio, VIRTIO_MMIO_STATUS, TEST_STATUS_DRIVER);
	test_mmio_write(mmio, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	test_mmio_write(mmio, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
	test_mmio_write(mmio, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	test_mmio_write(mmio, VIRTIO_MMIO_DRIVER_FEATURES,
			(uint32_t)(features >> 32));
	test_mmio_write(mmio, VIRTIO_MMIO_STATUS, TEST_STATUS_FEATURES);
	return test_mmio_read(mmio, VIRTIO_MMIO_STATUS) &
	       VIRTIO_CONFIG_S_FEATURES_OK;
}

/* Two registers, low half first. */
static inline void test_mmio_write_address(struct virtio_mmio *mmio,
					   unsigned int offset, gpa_t gpa)
{
	test_mmio_write(mmio, offset, (uint32_t)gpa);
	test_mmio_write(mmio, offset + 4, (uint32_t)(gpa >> 32));
}

static inline void test_mmio_queue(struct virtio_mmio *mmio, unsigned int index,
				   const struct virtqueue_layout *layout)
{
	test_mmio_write(mmio, VIRTIO_MMIO_QUEUE_SEL, index);
	test_mmio_write(mmio, VIRTIO_MMIO_QUEUE_NUM, layout->size);
	test_mmio_write_address(mmio, VIRTIO_MMIO_QUEUE_DESC_LOW,
				layout->descriptors);
	test_mmio_write_address(mmio, VIRTIO_MMIO_QUEUE_AVAIL_LOW,
				layout->driver);
	test_mmio_write_address(mmio, VIRTIO_MMIO_QUEUE_USED_LOW,
				layout->device);
	test_mmio_write(mmio, VIRTIO_MMIO_QUEUE_READY, 1);
}

/* Negotiates, sets @count queues up and starts the device. */
static inline bool test_mmio_start(struct virtio_mmio *mmio, uint64_t features,
				   const struct test_queue *queues,
				   unsigned int count)
{
	if (!CHECK(test_mmio_negotiate(mmio, features)))
		return false;
	for (unsigned int i = 0; i < count; i++)
		test_mmio_queue(mmio, i, &queues[i].layout);
	test_mmio_write(mmio, VIRTIO_MMIO_STATUS, TEST_STATUS_RUNNING);
	return CHECK(test_mmio_read(mmio, VIRTIO_MMIO_STATUS) ==
		     TEST_STATUS_RUNNING);
}

static inline void test_kick(struct virtio_mmio *mmio, unsigned int queue)
{
	test_mmio_write(mmio, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

/* Kicks for the chain offered last, unless the device can do without it. */
static inline void test_kick_if_wanted(struct virtio_mmio *mmio,
				       unsigned int index,
				       const struct test_queue *queue)
{
	if (vring_need_event(test_avail_event(queue), queue->avail_index,
			     (uint16_t)(queue->avail_index - 1)))
		test_kick(mmio, index);
}

#endif

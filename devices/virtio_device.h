/*
 * devices/virtio_device.h - what a virtio device type is to its transport.
 *
 * A device type (virtio_blk.c, virtio_input.c, ...) embeds a struct
 * virtio_device, fills it in and lives in a file of its own; the transport
 * (virtio_mmio.c) does registers, feature negotiation, status, interrupts and
 * reset for all of them. Virtual I/O Device specification 1.2, chapters 2 and
 * 3 (the device side) and 4.2 (MMIO).
 *
 * Life of a device: created at set-up; the driver negotiates; start() at
 * DRIVER_OK with the queues frozen; stop() at the driver's reset, which may
 * come at any time and any number of times; then perhaps start() again. stop()
 * returns only when nothing that the device does touches guest memory or a
 * queue any more.
 *
 * Threads: the ops are called on vCPU threads (or main), one at a time, under
 * the transport's lock. virtio_interrupt() and virtio_needs_reset() take no
 * lock, so that a device's thread may call them while stop() waits for it.
 */
#ifndef DEVICES_VIRTIO_DEVICE_H
#define DEVICES_VIRTIO_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "devices/virtqueue.h"

#define VIRTIO_QUEUES_MAX 16

struct virtio_device;

/* Transport to device. */
struct virtio_device_ops {
	/* [offset, offset + length) lies within config_size; not for 0. */
	void (*read_config)(struct virtio_device *device, size_t offset,
			    void *data, size_t length);
	/* NULL where the configuration space is read-only. */
	void (*write_config)(struct virtio_device *device, size_t offset,
			     const void *data, size_t length);
	/* DRIVER_OK. Chains may be waiting already, without a kick. */
	void (*start)(struct virtio_device *device);
	/* Quiesces; also called where start() was not. */
	void (*stop)(struct virtio_device *device);
	/* After stop(): the configuration as at first. NULL: never changes. */
	void (*reset)(struct virtio_device *device);
	/*
	 * The driver's kick, for a queue without a kick event. Between start()
	 * and stop() only. NULL where every queue has one.
	 */
	void (*notify)(struct virtio_device *device, unsigned int queue);
};

/* Device to transport. Any thread, at any time. */
struct virtio_transport_ops {
	void (*interrupt)(void *transport);
	void (*needs_reset)(void *transport);
};

struct virtio_device {
	/* [c] by the device type */
	const struct virtio_device_ops *ops;
	uint32_t device_id;
	uint64_t offered_features; /* without the transport's and the rings' */
	unsigned int queue_count;
	unsigned int queue_size_max; /* entries; a power of two */
	size_t config_size;
	/*
	 * An eventfd per queue, raised by a kick and served by the device's
	 * own thread; -1: notify() is called instead. Owned by the device.
	 */
	int kick_fds[VIRTIO_QUEUES_MAX];

	/* [c] by the transport */
	const struct virtio_transport_ops *transport_ops;
	void *transport;

	/* Negotiated; 0 before FEATURES_OK, constant from there to reset(). */
	uint64_t features;
	struct virtqueue queues[VIRTIO_QUEUES_MAX];
};

/* The driver should look at the used rings; call it when it asked for that. */
static inline void virtio_interrupt(const struct virtio_device *device)
{
	device->transport_ops->interrupt(device->transport);
}

/* The driver broke the rules: DEVICE_NEEDS_RESET (2.1.2). */
static inline void virtio_needs_reset(const struct virtio_device *device)
{
	device->transport_ops->needs_reset(device->transport);
}

static inline bool virtio_has_feature(const struct virtio_device *device,
				      unsigned int bit)
{
	return device->features >> bit & 1;
}

/* --- What every transport does, whatever its registers are ---------------- */

/* The device's features, the transport's and the rings'. */
uint64_t virtio_device_offered(const struct virtio_device *device);

/*
 * 3.1.1, step 5: are these features that the device can work with? Then they
 * are the negotiated ones.
 */
bool virtio_device_accept(struct virtio_device *device, uint64_t features);

/*
 * A write of 1 to 8 bytes to the configuration space, as a number in the host's
 * byte order. What is not wholly inside is not written.
 */
void virtio_device_write_config(struct virtio_device *device, uint64_t offset,
				unsigned int size, uint64_t value);

#endif

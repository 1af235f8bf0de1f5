/*
 * devices/virtio_device.h - what a virtio device type is to its transport.
 *
 * A device type (virtio_blk.c, virtio_input.c, ...) fills in a struct
 * virtio_device and its ops and lives in a file of its own; the transport
 * (virtio_mmio.c) does registers, feature negotiation, status, interrupts and
 * reset for all of them. Virtual I/O Device specification 1.2, chapters 2 and
 * 3 (the device side) and 4.2 (MMIO).
 *
 * Life of a device: created at set-up; the driver negotiates; start() at
 * DRIVER_OK with the queues' addresses frozen; reset() at any time, any number
 * of times; then perhaps start() again. reset() returns only when nothing that
 * the device does touches guest memory or a queue any more.
 */
#ifndef DEVICES_VIRTIO_DEVICE_H
#define DEVICES_VIRTIO_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "devices/virtqueue.h"

#define VIRTIO_QUEUES_MAX 16

struct virtio_device;

/* Device to driver; implemented by the transport. Any thread. */
struct virtio_transport_ops {
	/* The driver should look at the used ring (it has asked for that). */
	void (*interrupt_queue)(struct virtio_device *device);
	void (*interrupt_config)(struct virtio_device *device);
	/* The driver broke the rules: DEVICE_NEEDS_RESET. */
	void (*needs_reset)(struct virtio_device *device);
};

/* Transport to device. On the vCPU thread that wrote the register. */
struct virtio_device_ops {
	void (*read_config)(struct virtio_device *device, size_t offset,
			    void *data, size_t length);
	/* NULL where the configuration space is read-only. */
	void (*write_config)(struct virtio_device *device, size_t offset,
			     const void *data, size_t length);
	/* DRIVER_OK; device->features and device->queues are final now. */
	void (*start)(struct virtio_device *device);
	/* Quiesces; also called where start() was not. */
	void (*reset)(struct virtio_device *device);
	/*
	 * The driver's doorbell for @queue, where the machine has not wired
	 * the queue's kick event to the doorbell (see virtio_mmio.h).
	 */
	void (*notify)(struct virtio_device *device, unsigned int queue);
};

struct virtio_device {
	const struct virtio_device_ops *ops;	      /* [c] by the type */
	const struct virtio_transport_ops *transport; /* [c] */
	const struct guest_memory *memory;	      /* [c] */
	uint32_t device_id;			      /* [c] by the type */
	uint64_t offered_features;		      /* [c] by the type */
	unsigned int queue_count;		      /* [c] by the type */
	uint16_t queue_size_max;		      /* [c] by the type */
	size_t config_size;			      /* [c] by the type */
	uint64_t features; /* negotiated; constant from start() to reset() */
	struct virtqueue queues[VIRTIO_QUEUES_MAX];
};

#endif

/*
 * devices/virtio_mmio.h - the MMIO transport, version 2 (Virtual I/O Device
 * specification 1.2, section 4.2), for any struct virtio_device.
 *
 * One interrupt line per device, edge-triggered. Not offered: shared memory
 * regions, queue reset, legacy (version 1) drivers.
 *
 * The machine may wire a queue's kick event to its doorbell: KVM_IOEVENTFD, 4
 * bytes at the range's base + VIRTIO_MMIO_QUEUE_NOTIFY, datamatch the queue. A
 * write that comes by the bus raises the event as well.
 *
 * It may also map virtio_mmio_page() where the registers are, read-only: then
 * reads need no exit. Writes must come by the bus.
 *
 * Threads: any; registers are under a lock of the transport.
 */
#ifndef DEVICES_VIRTIO_MMIO_H
#define DEVICES_VIRTIO_MMIO_H

#include "base/err.h"
#include "base/guest_memory.h"
#include "devices/bus.h"
#include "devices/irq.h"
#include "devices/virtio_device.h"
#include "devices/virtio_mmio_page.h"

/* The smallest range: the registers and the largest configuration space. */
#define VIRTIO_MMIO_SIZE 0x200

struct virtio_mmio;

/* For bus_add(), with the struct virtio_mmio as its device. */
extern const struct bus_ops virtio_mmio_bus_ops;

/*
 * Both @device and @memory are borrowed and must outlive the transport.
 * -ENOMEM.
 */
int virtio_mmio_new(struct virtio_device *device,
		    const struct guest_memory *memory,
		    const struct irq_line *irq, struct virtio_mmio **ret_mmio,
		    struct err *err);

/* Resets the device first. No vCPU may run any more. */
void virtio_mmio_free(struct virtio_mmio *mmio);

/*
 * As the driver's reset (0 to Status): returns when the device touches guest
 * memory no more. For the machine's reset, and before it is torn down.
 */
void virtio_mmio_reset(struct virtio_mmio *mmio);

/*
 * What the driver reads in the range, VIRTIO_MMIO_PAGE bytes; owned by the
 * transport. Up to date whenever a write returns.
 */
void *virtio_mmio_page(struct virtio_mmio *mmio);

#endif

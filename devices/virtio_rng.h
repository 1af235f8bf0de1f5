/*
 * devices/virtio_rng.h - an entropy device (Virtual I/O Device specification
 * 1.2, section 5.4): buffers filled from the host's getrandom().
 *
 * Served on the vCPU's thread that kicks, a bounded number of bytes per
 * request, so that no kick takes long.
 */
#ifndef DEVICES_VIRTIO_RNG_H
#define DEVICES_VIRTIO_RNG_H

#include "base/err.h"
#include "devices/virtio_device.h"

struct virtio_rng;

/* -errno where the host has no memory or no random numbers. */
int virtio_rng_new(struct virtio_rng **ret_rng, struct err *err);

/* After virtio_mmio_free(). */
void virtio_rng_free(struct virtio_rng *rng);

/* What virtio_mmio_new() takes. */
struct virtio_device *virtio_rng_device(struct virtio_rng *rng);

#endif

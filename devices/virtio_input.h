/*
 * devices/virtio_input.h - an input device with one key: the power button
 * (Virtual I/O Device specification 1.2, section 5.8).
 *
 * With KEY_POWER and no other key udev calls it a power switch, and logind
 * shuts the guest down when it is pressed. For machines without an ACPI
 * button: stock arm64 cloud kernels have no gpio-keys, but virtio-input.
 */
#ifndef DEVICES_VIRTIO_INPUT_H
#define DEVICES_VIRTIO_INPUT_H

#include "base/err.h"
#include "devices/virtio_device.h"

struct virtio_input;

/* -ENOMEM. */
int virtio_input_new(struct virtio_input **ret_input, struct err *err);

/* After virtio_mmio_free(). */
void virtio_input_free(struct virtio_input *input);

/* What virtio_mmio_new() takes. */
struct virtio_device *virtio_input_device(struct virtio_input *input);

/*
 * Presses and releases the key. Where the driver is not there or has no
 * buffers yet, the events wait for it; a second press before the first was
 * delivered adds nothing. Any thread, at any time.
 */
void virtio_input_press_power(struct virtio_input *input);

#endif

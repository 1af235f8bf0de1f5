/* devices/virtio_device.c - see virtio_device.h. */
#include "devices/virtio_device.h"

#include <endian.h>
#include <linux/virtio_config.h>

#include "base/math.h"

#define TRANSPORT_FEATURES (1ULL << VIRTIO_F_VERSION_1 | VIRTQUEUE_FEATURES)

uint64_t virtio_device_offered(const struct virtio_device *device)
{
	return device->offered_features | TRANSPORT_FEATURES;
}

bool virtio_device_accept(struct virtio_device *device, uint64_t features)
{
	if (features & ~virtio_device_offered(device) ||
	    !(features >> VIRTIO_F_VERSION_1 & 1))
		return false;
	device->features = features;
	return true;
}

void virtio_device_write_config(struct virtio_device *device, uint64_t offset,
				unsigned int size, uint64_t value)
{
	value = htole64(value);
	if (device->ops->write_config &&
	    range_fits(offset, size, device->config_size))
		device->ops->write_config(device, offset, &value, size);
}

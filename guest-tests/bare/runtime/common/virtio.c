/*
 * virtio-mmio registers, version 2: found, reset, negotiated.
 */
#include "runtime/virtio.h"
#include "runtime/cpu.h"
#include "runtime/machine.h"

#define RESET_SECONDS 5

uint32_t virtio_read(const struct virtio *virtio, unsigned int offset)
{
	return *(volatile uint32_t *)(virtio->base + offset);
}

void virtio_write(const struct virtio *virtio, unsigned int offset,
		  uint32_t value)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	*(volatile uint32_t *)(virtio->base + offset) = value;
}

void virtio_write64(const struct virtio *virtio, unsigned int offset_low,
		    uint64_t value)
{
	virtio_write(virtio, offset_low, (uint32_t)value);
	virtio_write(virtio, offset_low + 4, (uint32_t)(value >> 32));
}

bool virtio_find(uint32_t device_id, unsigned int nth,
		 struct virtio *ret_virtio)
{
	for (unsigned int i = 0; i < machine.virtio_count; i++) {
		struct virtio virtio = {machine.virtio[i].base,
					machine.virtio[i].irq, device_id};

		if (virtio_read(&virtio, VIRTIO_MMIO_MAGIC_VALUE) !=
			    VIRTIO_MMIO_MAGIC_NUMBER ||
		    virtio_read(&virtio, VIRTIO_MMIO_DEVICE_ID) != device_id ||
		    nth-- > 0)
			continue;
		*ret_virtio = virtio;
		return true;
	}
	return false;
}

uint8_t virtio_config8(const struct virtio *virtio, unsigned int offset)
{
	return *(volatile uint8_t *)(virtio->base + VIRTIO_MMIO_CONFIG +
				     offset);
}

uint16_t virtio_config16(const struct virtio *virtio, unsigned int offset)
{
	return *(volatile uint16_t *)(virtio->base + VIRTIO_MMIO_CONFIG +
				      offset);
}

uint32_t virtio_config32(const struct virtio *virtio, unsigned int offset)
{
	return virtio_read(virtio, VIRTIO_MMIO_CONFIG + offset);
}

uint64_t virtio_config64(const struct virtio *virtio, unsigned int offset)
{
	uint32_t generation, low, high;

	do {
		generation = virtio_read(virtio, VIRTIO_MMIO_CONFIG_GENERATION);
		low = virtio_config32(virtio, offset);
		high = virtio_config32(virtio, offset + 4);
	} while (generation !=
		 virtio_read(virtio, VIRTIO_MMIO_CONFIG_GENERATION));
	return (uint64_t)high << 32 | low;
}

uint64_t virtio_offered(const struct virtio *virtio)
{
	uint64_t high, low;

	virtio_write(virtio, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	high = virtio_read(virtio, VIRTIO_MMIO_DEVICE_FEATURES);
	virtio_write(virtio, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	low = virtio_read(virtio, VIRTIO_MMIO_DEVICE_FEATURES);
	return high << 32 | low;
}

uint32_t virtio_status(const struct virtio *virtio)
{
	return virtio_read(virtio, VIRTIO_MMIO_STATUS);
}

bool virtio_needs_reset(const struct virtio *virtio)
{
	return virtio_status(virtio) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

void virtio_status_add(const struct virtio *virtio, uint32_t bits)
{
	virtio_write(virtio, VIRTIO_MMIO_STATUS, virtio_status(virtio) | bits);
}

bool virtio_reset(const struct virtio *virtio)
{
	virtio_write(virtio, VIRTIO_MMIO_STATUS, 0);
	return WAIT_UNTIL(virtio_status(virtio) == 0, RESET_SECONDS);
}

bool virtio_negotiate(const struct virtio *virtio, uint64_t features)
{
	if (!virtio_reset(virtio))
		return false;
	virtio_status_add(virtio, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	virtio_status_add(virtio, VIRTIO_CONFIG_S_DRIVER);
	virtio_write(virtio, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	virtio_write(virtio, VIRTIO_MMIO_DRIVER_FEATURES,
		     (uint32_t)(features >> 32));
	virtio_write(virtio, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	virtio_write(virtio, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
	virtio_status_add(virtio, VIRTIO_CONFIG_S_FEATURES_OK);
	return virtio_status(virtio) & VIRTIO_CONFIG_S_FEATURES_OK;
}

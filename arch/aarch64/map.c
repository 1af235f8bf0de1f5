/*
 * arch/aarch64/map.c - where things are. See map.h for the overview.
 *
 * There is no power, reset or button register: PSCI calls, which KVM handles,
 * turn the machine off and restart it, and the button is a virtio-input device.
 */
#include "arch/aarch64/map.h"

#include <asm/kvm.h>
#include <errno.h>

#include "arch/arch.h"

/* KVM's GSI n is SPI n. */
const struct arch_map arch_map = {
	.serial = {{IO_MMIO, 0x09000000, 8}, 1},
	.panic = {{IO_MMIO, 0x09020000, 1}, 0},
	.debug_exit = {{IO_MMIO, 0x09030000, 4}, 0},
	.virtio_first = {{IO_MMIO, 0x0a000000, 0x1000}, 16},
	.virtio_max = 32,
	.irq_line_base = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | 32,
	.register_shift = 0,
};

const char arch_name[] = "aarch64";

int arch_memory_layout(uint64_t size, struct guest_memory *memory,
		       struct err *err)
{
	if (!size || !is_aligned(size, MIB))
		return err_set(err, EINVAL,
			       "memory must be a multiple of 1M on aarch64");
	if (size > MAP_RAM_MAX)
		return err_set(err, EINVAL,
			       "memory cannot be more than %lluG on aarch64",
			       MAP_RAM_MAX / GIB);
	*memory = (struct guest_memory){
		.count = 1,
		.regions[0] = {.base = MAP_RAM_BASE, .size = size},
	};
	return 0;
}

/* 16 to a cluster: a GICv3 guest's SGIs reach 16 of one Aff1 at a time. */
uint64_t map_mpidr(unsigned int index)
{
	uint64_t aff0 = index & 0xf;
	uint64_t aff1 = index >> 4 & 0xff;
	uint64_t aff2 = index >> 12 & 0xff;

	return aff2 << 16 | aff1 << 8 | aff0;
}

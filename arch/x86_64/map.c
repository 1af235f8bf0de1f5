/* arch/x86_64/map.c - the machine's fixed places, and RAM around them. */
#include <cpuid.h>
#include <errno.h>

#include "arch/arch.h"
#include "arch/x86_64/layout.h"

const char arch_name[] = "x86_64";

/*
 * GSIs 5 and up are free on a machine without legacy devices; 3 would be
 * COM2's, which we do not have. The IOAPIC has 24 pins.
 */
const struct arch_map arch_map = {
	.serial = {{IO_PIO, 0x3f8, 8}, 4},
	.power = {{IO_PIO, 0x600, 3}, 0},
	.reset_port = {{IO_PIO, 0x64, 1}, 0},
	.power_button = {{IO_PIO, 0, 0}, 3},
	.panic = {{IO_PIO, 0x505, 1}, 0},
	.debug_exit = {{IO_PIO, 0xf4, 4}, 0},
	.virtio_first = {{IO_MMIO, LAYOUT_VIRTIO, 0x1000}, 5},
	.virtio_max = 19,
};

/* The guest's page tables can name as many bits as the host's CPU. */
static unsigned int physical_address_bits(void)
{
	unsigned int eax, ebx, ecx, edx;

	if (!__get_cpuid(0x80000008, &eax, &ebx, &ecx, &edx))
		return 36;
	return eax & 0xff;
}

int arch_memory_layout(uint64_t size, struct guest_memory *memory,
		       struct err *err)
{
	uint64_t low = min_u64(size, LAYOUT_HOLE);

	unsigned int bits = physical_address_bits();

	if (size < 2 * MIB || size > (1ULL << bits) - GIB)
		return err_set(err, EINVAL,
			       "%llu MiB of memory cannot be laid out within "
			       "this CPU's %u bits of physical address",
			       (unsigned long long)size / MIB, bits);
	*memory = (struct guest_memory){.count = 1};
	memory->regions[0] = (struct guest_region){.base = 0, .size = low};
	if (size > low)
		memory->regions[memory->count++] = (struct guest_region){
			.base = LAYOUT_HIGH_RAM,
			.size = size - low,
		};
	return 0;
}

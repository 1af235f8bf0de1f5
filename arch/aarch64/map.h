/*
 * arch/aarch64/map.h - the addresses and interrupts that only this
 * architecture's own files need; what the machine's devices need is in
 * arch_map (arch/arch.h).
 *
 *	0x08000000  GIC: distributor
 *	0x08010000  GICv2: CPU interface
 *	0x080a0000  GICv3: redistributors of the first 123 vCPUs
 *	0x09000000  serial, panic, debug exit
 *	0x0a000000  virtio slots
 *	0x10000000  GICv3: redistributors of further vCPUs
 *	0x40000000  RAM
 *
 * Where QEMU's "virt" machine has the same thing it has it at the same place,
 * so that a bare-metal guest can run on both.
 */
#ifndef ARCH_AARCH64_MAP_H
#define ARCH_AARCH64_MAP_H

#include <stdint.h>

#include "base/math.h"

#define MAP_GIC_DISTRIBUTOR	0x08000000ULL
#define MAP_GIC_CPU_INTERFACE	0x08010000ULL
#define MAP_GIC_REDISTRIBUTORS	0x080a0000ULL
#define MAP_GIC_REDISTRIBUTORS2 0x10000000ULL

/* A GICv2's distributor is smaller, and the rest of the page empty. */
#define MAP_GIC_DISTRIBUTOR_SIZE   0x10000ULL
#define MAP_GIC_CPU_INTERFACE_SIZE 0x2000ULL

#define MAP_RAM_BASE 0x40000000ULL
/* KVM's guest physical addresses have 40 bits unless asked otherwise. */
#define MAP_RAM_MAX (1024 * GIB - MAP_RAM_BASE)

/* INTIDs (GIC architecture specification, IHI 0069, 2.2): SPI n is 32 + n. */
#define MAP_SPI_BASE 32U

#define MAP_CPUS_MAX 512 /* KVM's own limit */

/* MPIDR_EL1's affinity fields for vCPU @index, as KVM assigns them. */
uint64_t map_mpidr(unsigned int index);

#endif

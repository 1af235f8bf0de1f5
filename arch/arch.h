/*
 * arch/arch.h - what an architecture gives the machine. Implemented once in
 * arch/x86_64 and once in arch/aarch64; the Makefile links one of them.
 *
 * The architecture publishes where devices go (addresses, interrupt numbers)
 * as data, creates the in-kernel interrupt controller, puts kernel, initrd and
 * firmware tables into guest memory, and sets vCPUs to their start. It knows
 * KVM and guest memory, but no device. All of it runs on main, except where a
 * function says otherwise.
 */
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/guest_memory.h"
#include "base/io_range.h"

/* A device's place: its registers and its interrupt (KVM's GSI; 0: none). */
struct arch_slot {
	struct io_range range;
	uint32_t gsi;
};

/* The machine's fixed places. A range of size 0: not on this architecture. */
struct arch_map {
	struct arch_slot serial;       /* 16550, ttyS0 */
	struct arch_slot power;	       /* ACPI sleep and reset registers */
	struct arch_slot reset_port;   /* the keyboard controller's port 0x64 */
	struct arch_slot power_button; /* interrupt only */
	struct arch_slot panic;	       /* pvpanic */
	struct arch_slot debug_exit;
	struct arch_slot virtio_first; /* slot n: base + n * size, gsi + n */
	unsigned int virtio_max;
	uint32_t irq_line_base;	     /* KVM_IRQ_LINE's number of GSI 0 */
	unsigned int register_shift; /* serial: registers 1 << shift apart */
};

extern const struct arch_map arch_map;

extern const char arch_name[]; /* "x86_64" */

static inline struct arch_slot arch_virtio_slot(unsigned int index)
{
	struct arch_slot slot = arch_map.virtio_first;

	slot.range.base += index * slot.range.size;
	slot.gsi += index;
	return slot;
}

/* How the kernel learns of the virtio devices. */
enum arch_discovery {
	ARCH_DISCOVERY_DEFAULT, /* ACPI on x86_64, FDT on aarch64 */
	ARCH_DISCOVERY_ACPI,
	ARCH_DISCOVERY_CMDLINE, /* virtio_mmio.device= */
	ARCH_DISCOVERY_FDT,
};

struct arch_vm;

/* Everything that the firmware tables and the boot protocol tell the guest. */
struct arch_board {
	const struct guest_memory *memory;
	const struct arch_vm *vm; /* whose interrupt controller is described */
	unsigned int cpus;
	unsigned int virtio_count;
	bool debug_exit;
	enum arch_discovery discovery;
	const char *cmdline;
	const struct fd_map *kernel;
	const struct fd_map *initrd; /* NULL: none */
};

/* Where the first vCPU starts, as arch_boot_load() left it in memory. */
struct arch_entry {
	uint64_t pc;
	uint64_t argument;   /* zero page, hvm_start_info or FDT */
	bool protected_mode; /* x86_64: 32-bit entry (PVH) */
};

/*
 * Lays @size bytes of RAM out around the device windows: fills in base and
 * size of @memory's regions, not the host pointers. -EINVAL for a size that
 * the architecture cannot place.
 */
int arch_memory_layout(uint64_t size, struct guest_memory *memory,
		       struct err *err);

/*
 * Puts the kernel, the initrd and the tables into guest memory. Called again
 * for each reset. Refuses, with a sentence: a kernel for another architecture,
 * of an unknown form, or one that does not fit with its initrd.
 */
int arch_boot_load(const struct arch_board *board, struct arch_entry *ret_entry,
		   struct err *err);

/* After KVM_CREATE_VM, before the first vCPU: the interrupt controller. */
int arch_vm_new(int kvm_fd, int vm_fd, unsigned int cpus,
		struct arch_vm **ret_vm, struct err *err);

/* The flags and values of the vCPUs' creation: the id of vCPU @index. */
unsigned long arch_vcpu_id(unsigned int index);

/* Once per vCPU, in order of their index, before arch_vm_start(). */
int arch_vcpu_init(struct arch_vm *vm, int vcpu_fd, unsigned int index,
		   const struct arch_entry *entry, struct err *err);

/* When all vCPUs exist, before interrupts are wired and any vCPU runs. */
int arch_vm_start(struct arch_vm *vm, struct err *err);

void arch_vm_free(struct arch_vm *vm);

/* The registers for people, after a crash. On the vCPU's thread. */
void arch_vcpu_dump(int vcpu_fd, FILE *out);

#endif

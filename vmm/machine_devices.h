/*
 * vmm/machine_devices.h - the devices of one life of a machine: makes them,
 * puts them at the places that arch/ publishes, and wires them to the VM's
 * interrupts and doorbells.
 *
 * Threads: main, but for the bus, which vCPUs read once all is added.
 */
#ifndef VMM_MACHINE_DEVICES_H
#define VMM_MACHINE_DEVICES_H

#include "base/guest_memory.h"
#include "devices/bus.h"
#include "devices/debug_exit.h"
#include "devices/machine_event.h"
#include "devices/panic.h"
#include "devices/power.h"
#include "devices/virtio_blk_statistics.h"
#include "vmm/kvm.h"
#include "vmm/machine.h"

#define MACHINE_VIRTIO_MAX (OPTIONS_DISKS_MAX + 2) /* entropy, power button */

/* A virtio transport in one of the architecture's slots. */
struct machine_virtio {
	struct virtio_mmio *mmio;
	struct kvm_irq irq;
};

struct machine_devices {
	/* Borrowed. */
	const struct machine_parts *parts;
	const struct guest_memory *memory;
	struct ending *ending; /* what devices may decide */
	int vm_fd;

	struct bus bus;
	struct machine_events events;
	struct kvm_irq serial_irq;
	struct serial *serial;
	struct power power;
	struct panic panic;
	struct debug_exit debug_exit;
	struct kvm_irq button_irq;
	struct irq_line button; /* or there is `input` instead */

	unsigned int virtio_count;
	struct machine_virtio virtio[MACHINE_VIRTIO_MAX];
	struct virtio_blk *blks[OPTIONS_DISKS_MAX];
	struct virtio_rng *rng;
	struct virtio_input *input;
};

/* How many virtio devices there will be, for those who tell the kernel. */
unsigned int machine_devices_count_virtio(const struct run_options *options);

/* None yet. All that is passed must outlive the devices. */
void machine_devices_init(struct machine_devices *devices,
			  const struct machine_parts *parts,
			  const struct guest_memory *memory,
			  struct ending *ending);

/*
 * Makes them all, once @memory is there and the VM has its interrupt
 * controller. What was made before a failure is machine_devices_fini()'s.
 */
int machine_devices_add(struct machine_devices *devices, int vm_fd,
			struct err *err);

/* No vCPU may run any more. */
void machine_devices_fini(struct machine_devices *devices);

/* Stops the virtio devices, and adds what each disk has done. */
void machine_devices_add_statistics(
	struct machine_devices *devices,
	struct virtio_blk_statistics sums[OPTIONS_DISKS_MAX]);

/* See machine.h. */
void machine_devices_press_power_button(struct machine_devices *devices);

#endif

/*
 * vmm/machine.h - one life of the virtual machine, from power-on to its end.
 *
 * A reset ends this life and begins the next: everything that the guest could
 * have changed - RAM, vCPUs, interrupt controllers, devices - is made anew,
 * so that no state can be forgotten. Disks, console and the kernel's file stay
 * open in between; they belong to whoever runs the machine.
 */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include "arch/arch.h"
#include "block/block.h"
#include "devices/serial.h"
#include "vmm/console.h"
#include "vmm/ending.h"
#include "vmm/kvm.h"
#include "vmm/options.h"

/* Borrowed, and constant, for all lives of the machine. */
struct machine_parts {
	const struct kvm *kvm;
	const struct run_options *options;
	struct block *disks[OPTIONS_DISKS_MAX]; /* options->disk_count */
	const struct fd_map *kernel;
	const struct fd_map *initrd; /* NULL: none */
	const char *cmdline;
	struct console *console;
};

struct machine;
struct statistics;

/*
 * Builds it all, in the order of machine.c. Fails with a sentence, and leaves
 * nothing, where the host or the kernel cannot do what the options ask for.
 */
int machine_new(const struct machine_parts *parts, struct machine **ret_machine,
		struct err *err);

/* Starts the vCPUs. */
int machine_start(struct machine *machine, struct err *err);

/*
 * As machine_stop() if need be; then tears all down in reverse. What the guest
 * has written is with the disks.
 */
void machine_free(struct machine *machine);

struct ending *machine_ending(struct machine *machine);
struct serial *machine_serial(struct machine *machine);

/* The guest decides what it does about it: mostly, it shuts down. */
void machine_press_power_button(struct machine *machine);

/* To be called now and then: block_trim() of each disk. */
void machine_trim_disks(struct machine *machine);

/* Waits for the vCPUs, whose ending must be decided. */
void machine_stop(struct machine *machine);

/*
 * After machine_stop(): adds what vCPUs and disks have done in this life, which
 * the disks end for that.
 */
void machine_add_statistics(struct machine *machine, struct statistics *sum);

/* After machine_stop(): prints what a crashed vCPU has to say. */
void machine_report(const struct machine *machine, FILE *out);

#endif

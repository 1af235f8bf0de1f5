/*
 * devices/debug_exit.h - a register that ends the machine with the guest's own
 * status: writing v raises MACHINE_DEBUG_EXIT with v. For test guests; on the
 * bus only where the user asked for it.
 *
 * Threads: any; there is no state.
 */
#ifndef DEVICES_DEBUG_EXIT_H
#define DEVICES_DEBUG_EXIT_H

#include "devices/bus.h"
#include "devices/machine_event.h"

struct debug_exit {
	struct machine_events events; /* [c] */
};

extern const struct bus_ops debug_exit_bus_ops;

void debug_exit_init(struct debug_exit *debug_exit,
		     const struct machine_events *events);

#endif

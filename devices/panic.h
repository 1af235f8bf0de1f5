/*
 * devices/panic.h - pvpanic: the guest's kernel says that it panicked.
 *
 * One byte. Reads tell which events are understood; writing PVPANIC_PANICKED
 * raises MACHINE_PANICKED. PVPANIC_CRASH_LOADED (a crash kernel in the guest
 * takes over) is understood and asks nothing of the machine.
 *
 * Threads: any; there is no state.
 */
#ifndef DEVICES_PANIC_H
#define DEVICES_PANIC_H

#include "devices/bus.h"
#include "devices/machine_event.h"

struct panic {
	struct machine_events events; /* [c] */
};

extern const struct bus_ops panic_bus_ops;

void panic_init(struct panic *panic, const struct machine_events *events);

#endif

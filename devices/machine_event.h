/*
 * devices/machine_event.h - what a device tells the machine it is part of.
 *
 * A device never climbs to its machine: it is given this sink. raise() may be
 * called from any thread and returns at once; the machine acts later, on main.
 */
#ifndef DEVICES_MACHINE_EVENT_H
#define DEVICES_MACHINE_EVENT_H

#include <stdint.h>

enum machine_event {
	MACHINE_POWER_OFF,
	MACHINE_RESET,
	MACHINE_PANICKED,   /* the guest's kernel said so (pvpanic) */
	MACHINE_DEBUG_EXIT, /* value: what the guest wrote */
};

struct machine_events {
	void (*raise)(void *machine, enum machine_event event, uint32_t value);
	void *machine;
};

static inline void machine_event_raise(const struct machine_events *events,
				       enum machine_event event, uint32_t value)
{
	events->raise(events->machine, event, value);
}

#endif

/* devices/panic.c - see panic.h. */
#include "devices/panic.h"

#include <misc/pvpanic.h>

void panic_init(struct panic *panic, const struct machine_events *events)
{
	panic->events = *events;
}

static uint64_t panic_read(void *device, uint64_t offset, unsigned int size)
{
	(void)device;
	(void)offset;
	(void)size;
	return PVPANIC_PANICKED | PVPANIC_CRASH_LOADED;
}

static void panic_write(void *device, uint64_t offset, unsigned int size,
			uint64_t value)
{
	const struct panic *panic = device;

	(void)offset;
	(void)size;
	if (value & PVPANIC_PANICKED)
		machine_event_raise(&panic->events, MACHINE_PANICKED, 0);
}

const struct bus_ops panic_bus_ops = {panic_read, panic_write};

/* devices/debug_exit.c - see debug_exit.h. */
#include "devices/debug_exit.h"

void debug_exit_init(struct debug_exit *debug_exit,
		     const struct machine_events *events)
{
	debug_exit->events = *events;
}

static uint64_t debug_exit_read(void *device, uint64_t offset,
				unsigned int size)
{
	(void)device;
	(void)offset;
	(void)size;
	return 0;
}

static void debug_exit_write(void *device, uint64_t offset, unsigned int size,
			     uint64_t value)
{
	const struct debug_exit *debug_exit = device;

	(void)offset;
	(void)size;
	machine_event_raise(&debug_exit->events, MACHINE_DEBUG_EXIT,
			    (uint32_t)value);
}

const struct bus_ops debug_exit_bus_ops = {debug_exit_read, debug_exit_write};

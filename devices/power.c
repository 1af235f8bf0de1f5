/* devices/power.c - see power.h. */
#include "devices/power.h"

void power_init(struct power *power, const struct machine_events *events)
{
	power->events = *events;
}

static uint64_t power_read(void *device, uint64_t offset, unsigned int size)
{
	(void)device;
	(void)offset;
	(void)size;
	return 0;
}

static bool is_power_off(uint64_t value)
{
	unsigned int type = value >> POWER_SLP_TYP_SHIFT & POWER_SLP_TYP_MASK;

	return value & POWER_SLP_EN && type == POWER_SLP_TYP_S5;
}

static void power_write(void *device, uint64_t offset, unsigned int size,
			uint64_t value)
{
	const struct power *power = device;

	if (size != 1)
		return;
	if (offset == POWER_SLEEP_CONTROL && is_power_off(value))
		machine_event_raise(&power->events, MACHINE_POWER_OFF, 0);
	if (offset == POWER_RESET && value == POWER_RESET_VALUE)
		machine_event_raise(&power->events, MACHINE_RESET, 0);
}

static uint64_t reset_port_read(void *device, uint64_t offset,
				unsigned int size)
{
	(void)device;
	(void)offset;
	(void)size;
	return UINT64_MAX;
}

static void reset_port_write(void *device, uint64_t offset, unsigned int size,
			     uint64_t value)
{
	const struct power *power = device;

	(void)offset;
	(void)size;
	if (value == POWER_KEYBOARD_RESET)
		machine_event_raise(&power->events, MACHINE_RESET, 0);
}

const struct bus_ops power_bus_ops = {power_read, power_write};
const struct bus_ops power_reset_port_bus_ops = {reset_port_read,
						 reset_port_write};

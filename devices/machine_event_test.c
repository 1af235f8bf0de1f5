/*
 * devices/machine_event_test.c - the devices whose whole work is to raise a
 * machine event: power.c, panic.c, debug_exit.c.
 */
#include "devices/machine_event.h"

#include <misc/pvpanic.h>

#include "base/math.h"
#include "base/test.h"
#include "devices/debug_exit.h"
#include "devices/panic.h"
#include "devices/power.h"

/* The machine's side: what was raised last, and how often. */
struct record {
	unsigned int count;
	enum machine_event event;
	uint32_t value;
};

static void record_raise(void *machine, enum machine_event event,
			 uint32_t value)
{
	struct record *record = machine;

	record->count++;
	record->event = event;
	record->value = value;
}

static void test_power_off(void)
{
	const uint64_t off = POWER_SLP_EN | POWER_SLP_TYP_S5
						    << POWER_SLP_TYP_SHIFT;
	struct record record = {0};
	const struct machine_events events = {record_raise, &record};
	struct power power;

	power_init(&power, &events);
	CHECK_EQUAL(off, 0x34);
	/* Type without enable, enable with another type, another register. */
	power_bus_ops.write(&power, POWER_SLEEP_CONTROL, 1,
			    off & ~(uint64_t)POWER_SLP_EN);
	power_bus_ops.write(&power, POWER_SLEEP_CONTROL, 1, POWER_SLP_EN);
	power_bus_ops.write(&power, POWER_SLEEP_STATUS, 1, off);
	CHECK_EQUAL(record.count, 0);
	power_bus_ops.write(&power, POWER_SLEEP_CONTROL, 1, off);
	CHECK_EQUAL(record.count, 1);
	CHECK_EQUAL(record.event, MACHINE_POWER_OFF);
	CHECK_EQUAL(power_bus_ops.read(&power, POWER_SLEEP_STATUS, 1), 0);
}

static void test_reset_register(void)
{
	struct record record = {0};
	const struct machine_events events = {record_raise, &record};
	struct power power;

	power_init(&power, &events);
	power_bus_ops.write(&power, POWER_RESET, 1, 0);
	CHECK_EQUAL(record.count, 0);
	power_bus_ops.write(&power, POWER_RESET, 1, POWER_RESET_VALUE);
	CHECK_EQUAL(record.count, 1);
	CHECK_EQUAL(record.event, MACHINE_RESET);
}

static void test_keyboard_reset(void)
{
	struct record record = {0};
	const struct machine_events events = {record_raise, &record};
	struct power power;

	power_init(&power, &events);
	CHECK_EQUAL(power_reset_port_bus_ops.read(&power, 0, 1) & 0xff, 0xff);
	power_reset_port_bus_ops.write(&power, 0, 1, 0xaa);
	CHECK_EQUAL(record.count, 0);
	power_reset_port_bus_ops.write(&power, 0, 1, 0xfe);
	CHECK_EQUAL(record.count, 1);
	CHECK_EQUAL(record.event, MACHINE_RESET);
}

static void test_panic(void)
{
	struct record record = {0};
	const struct machine_events events = {record_raise, &record};
	struct panic panic;

	panic_init(&panic, &events);
	CHECK_EQUAL(panic_bus_ops.read(&panic, 0, 1), 3);
	panic_bus_ops.write(&panic, 0, 1, PVPANIC_CRASH_LOADED);
	CHECK_EQUAL(record.count, 0);
	panic_bus_ops.write(&panic, 0, 1, PVPANIC_PANICKED);
	CHECK_EQUAL(record.count, 1);
	CHECK_EQUAL(record.event, MACHINE_PANICKED);
}

static void test_debug_exit(void)
{
	struct record record = {0};
	const struct machine_events events = {record_raise, &record};
	struct debug_exit debug_exit;

	debug_exit_init(&debug_exit, &events);
	debug_exit_bus_ops.write(&debug_exit, 0, 4, 42);
	CHECK_EQUAL(record.count, 1);
	CHECK_EQUAL(record.event, MACHINE_DEBUG_EXIT);
	CHECK_EQUAL(record.value, 42);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_power_off),	   TEST(test_reset_register),
		TEST(test_keyboard_reset), TEST(test_panic),
		TEST(test_debug_exit),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

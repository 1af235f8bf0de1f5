/*
 * devices/power.h - how the guest switches the machine off or resets it.
 *
 * Two sets of registers, each with its own bus_ops and the struct power as
 * device:
 *
 * 1. The registers of hardware-reduced ACPI (ACPI 6.4, 4.8.3.7 "Sleep Control
 *    and Status Registers", 4.8.3.6 "Reset Register"), bytes at the offsets
 *    POWER_* below. The firmware tables (arch) say the same numbers again:
 *    FADT SLEEP_CONTROL_REG, SLEEP_STATUS_REG, RESET_REG and RESET_VALUE, and
 *    the DSDT's \_S5.
 * 2. The keyboard controller's command port 0x64, where 0xfe pulses the reset
 *    line. There is no keyboard controller: reads give all ones, and nothing
 *    else is listened to.
 *
 * Threads: any; there is no state.
 */
#ifndef DEVICES_POWER_H
#define DEVICES_POWER_H

#include "devices/bus.h"
#include "devices/machine_event.h"

#define POWER_SLEEP_CONTROL 0 /* offset */
#define POWER_SLEEP_STATUS  1 /* offset; reads 0: never woken from a sleep */
#define POWER_RESET	    2 /* offset */
#define POWER_SIZE	    3 /* bytes that the range needs at least */

#define POWER_SLP_TYP_S5     5 /* SLP_TYP, bits 2 to 4 of sleep control */
#define POWER_SLP_TYP_SHIFT  2
#define POWER_SLP_TYP_MASK   7
#define POWER_SLP_EN	     0x20 /* bit 5: go to sleep now */
#define POWER_RESET_VALUE    1
#define POWER_KEYBOARD_RESET 0xfe

struct power {
	struct machine_events events; /* [c] */
};

extern const struct bus_ops power_bus_ops;
extern const struct bus_ops power_reset_port_bus_ops;

void power_init(struct power *power, const struct machine_events *events);

#endif

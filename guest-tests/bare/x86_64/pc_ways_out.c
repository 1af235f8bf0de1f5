/*
 * The ways out that only a PC has, as the command line's way= says:
 *
 *   reset-keyboard: the keyboard controller's reset line, which kernels try
 *   button: says "ready", waits for the power button, then powers off
 */
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/test.h"
#include "runtime/x86_64/io.h"
#include "runtime/x86_64/machine.h"

#define BUTTON_GSI     3
#define BUTTON_SECONDS 10

static volatile unsigned int pressed;

static void on_button(void)
{
	pressed++;
}

static void wait_for_button(void)
{
	bool came;

	interrupt_connect(BUTTON_GSI, on_button);
	print("# ready\n");
	interrupts_on();
	came = WAIT_UNTIL(pressed, BUTTON_SECONDS);
	interrupts_off();
	if (!came)
		test_report("button", "nobody pressed it");
	else
		machine_power_off();
}

void guest_main(void)
{
	if (option_is("way", "button"))
		wait_for_button();
	if (option_is("way", "reset-keyboard"))
		out8(PORT_KEYBOARD, 0xfe);
	if (pressed || option_is("way", "reset-keyboard"))
		for (;;)
			cpu_relax();
}

/*
 * vmm/test_machine.h - a machine that has no KVM, in place of machine.c's: an
 * ending, a serial port, and a thread that plays the guest at its registers.
 */
#ifndef VMM_TEST_MACHINE_H
#define VMM_TEST_MACHINE_H

#include <errno.h>
#include <linux/serial_reg.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "base/fd.h"
#include "devices/test_irq.h"
#include "vmm/machine.h"

#define PRINTED 150000 /* bytes: more than a pipe holds */

struct machine {
	struct ending ending;
	int irq_fd;
	struct serial *serial;
	int (*start)(struct machine *machine);
	pthread_t guest;
	unsigned int presses;
	unsigned int trims;
	size_t length; /* of what the guest has read */
	char text[4096];
};

struct ending *machine_ending(struct machine *machine)
{
	return &machine->ending;
}

struct serial *machine_serial(struct machine *machine)
{
	return machine->serial;
}

int machine_start(struct machine *machine, struct err *err)
{
	(void)err;
	return machine->start(machine);
}

/* The guest does nothing about it, so that a person presses again. */
void machine_press_power_button(struct machine *machine)
{
	machine->presses++;
	kill(getpid(), SIGTERM);
}

void machine_trim_disks(struct machine *machine)
{
	if (++machine->trims == 3)
		ending_decide(&machine->ending, ENDING_POWER_OFF, 0);
}

static inline void machine_init(struct machine *machine,
				struct console *console,
				int (*start)(struct machine *machine))
{
	struct serial_options options = {
		.output = console_put,
		.context = console,
	};

	*machine = (struct machine){.start = start};
	machine->irq_fd = fd_event_new();
	options.irq = (struct irq_line){test_irq_raise, &machine->irq_fd};
	if (ending_init(&machine->ending, NULL) ||
	    serial_new(&options, &machine->serial, NULL))
		_exit(98);
}

static inline void machine_fini(struct machine *machine)
{
	serial_free(machine->serial);
	fd_close(&machine->irq_fd);
	ending_fini(&machine->ending);
}

/* --- Guests --------------------------------------------------------------- */

/* It runs, and does nothing. */
static inline int start_idle(struct machine *machine)
{
	(void)machine;
	return 0;
}

static inline int start_hung_up(struct machine *machine)
{
	(void)machine;
	return kill(getpid(), SIGHUP);
}

static inline int start_nothing(struct machine *machine)
{
	(void)machine;
	return -ENOMEM;
}

static inline int start_reset(struct machine *machine)
{
	ending_decide(&machine->ending, ENDING_RESET, 0);
	return 0;
}

/* Echoes what it reads, until a full stop. */
static inline void *echo(void *argument)
{
	struct machine *machine = argument;
	const struct bus_ops *ops = &serial_bus_ops;
	uint64_t byte = 0;

	ops->write(machine->serial, UART_MCR, 1, UART_MCR_RTS | UART_MCR_DTR);
	while (byte != '.') {
		if (!(ops->read(machine->serial, UART_LSR, 1) & UART_LSR_DR)) {
			sched_yield();
			continue;
		}
		byte = ops->read(machine->serial, UART_RX, 1);
		ops->write(machine->serial, UART_TX, 1, byte);
		machine->text[machine->length++ % sizeof(machine->text)] =
			(char)byte;
	}
	ending_decide(&machine->ending, ENDING_POWER_OFF, 0);
	return NULL;
}

static inline int start_echo(struct machine *machine)
{
	return -pthread_create(&machine->guest, NULL, echo, machine);
}

/* Prints more than a pipe holds, then listens. */
static inline void *print(void *argument)
{
	struct machine *machine = argument;

	for (size_t i = 0; i < PRINTED; i++)
		serial_bus_ops.write(machine->serial, UART_TX, 1, 'p');
	return echo(machine);
}

static inline int start_print(struct machine *machine)
{
	return -pthread_create(&machine->guest, NULL, print, machine);
}

#endif

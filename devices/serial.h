/*
 * devices/serial.h - a 16550A UART: the guest's ttyS0 and console.
 *
 * The transmitter is always empty: each byte goes to output() at once. The
 * receiver is a small FIFO that main fills with serial_receive(). Like a line
 * with hardware flow control it takes input only while the guest raises RTS
 * (MCR bit 1; Linux does so while somebody has the tty open), so that what is
 * typed or piped in early waits outside instead of being lost to a driver that
 * clears the FIFO when it starts.
 *
 * Threads: any; the state is under a lock of its own.
 */
#ifndef DEVICES_SERIAL_H
#define DEVICES_SERIAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "devices/bus.h"
#include "devices/irq.h"

#define SERIAL_REGISTERS 8

struct serial_options {
	unsigned int register_shift; /* registers lie 1 << shift apart */
	struct irq_line irq;
	/*
	 * The guest's output, in order. On a vCPU thread, under the UART's
	 * lock: it must not block, nor call serial_*().
	 */
	void (*output)(void *context, const uint8_t *data, size_t length);
	void *context;
};

struct serial;

/* For bus_add(), with the struct serial as its device. */
extern const struct bus_ops serial_bus_ops;

/* -errno where the host refuses memory or an eventfd. */
int serial_new(const struct serial_options *options, struct serial **ret_serial,
	       struct err *err);
void serial_free(struct serial *serial);

/*
 * Offers input to the guest. Returns how much was taken, from the front of
 * @data; keep the rest until serial_room_fd() is raised and offer it again.
 */
size_t serial_receive(struct serial *serial, const uint8_t *data,
		      size_t length);

/*
 * An eventfd, owned by @serial, that is raised when there is room again after
 * serial_receive() took less than all. Clear it (fd_event_clear()) before
 * offering again.
 */
int serial_room_fd(const struct serial *serial);

/* As after power on. What the FIFO held is dropped. */
void serial_reset(struct serial *serial);

#endif

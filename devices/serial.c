/*
 * devices/serial.c - see serial.h. The registers are those of the National
 * Semiconductor PC16550D data sheet, named as in <linux/serial_reg.h>.
 *
 * The interrupt output of the chip is a level, the machine's line knows only
 * edges. So the level's cause is compared before and after each change: when
 * the interrupt that IIR shows becomes another one, an edge is sent, also
 * where one cause was served and the next is pending already. A driver that
 * looks at IIR until it shows nothing, and one that serves a single cause per
 * interrupt, both work.
 *
 * Left out: baud rate and framing (stored, without effect), parity, framing
 * and break errors (the line has none), DMA signals. Interrupts are not gated
 * by OUT2. The modem lines say that a terminal is there and ready.
 */
#include "devices/serial.h"

#include <errno.h>
#include <linux/serial_reg.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/math.h"

#define FIFO_SIZE 16
#define FIFO_BITS 0xc0 /* of IIR, while the FIFOs are on */

#define IER_MASK (UART_IER_RDI | UART_IER_THRI | UART_IER_RLSI | UART_IER_MSI)
#define MCR_MASK                                                       \
	(UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT1 | UART_MCR_OUT2 | \
	 UART_MCR_LOOP)
#define MSR_TERMINAL (UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS)

struct serial {
	struct serial_options options; /* [c] */
	int room_fd;		       /* [c] */
	pthread_mutex_t lock;
	uint8_t ier;		 /* [l] */
	uint8_t fcr;		 /* [l] without the self-clearing bits */
	uint8_t lcr;		 /* [l] */
	uint8_t mcr;		 /* [l] */
	uint8_t msr;		 /* [l] */
	uint8_t scr;		 /* [l] */
	uint8_t divisor[2];	 /* [l] DLL, DLM */
	uint8_t line_errors;	 /* [l] LSR's error bits; reading LSR clears */
	bool thre_pending;	 /* [l] reading it from IIR clears */
	bool input_waits;	 /* [l] serial_receive() took less than all */
	uint8_t fifo[FIFO_SIZE]; /* [l] a ring */
	unsigned int fifo_first; /* [l] */
	unsigned int fifo_count; /* [l] */
};

/* --- The receiver's FIFO, or without it one holding register ------------- */

static bool fifos_on(const struct serial *serial)
{
	return serial->fcr & UART_FCR_ENABLE_FIFO;
}

static unsigned int fifo_room(const struct serial *serial)
{
	unsigned int size = fifos_on(serial) ? FIFO_SIZE : 1;

	return size - serial->fifo_count;
}

static unsigned int fifo_trigger(const struct serial *serial)
{
	static const unsigned int triggers[] = {1, 4, 8, 14};

	return fifos_on(serial) ? triggers[UART_FCR_R_TRIG_BITS(serial->fcr)]
				: 1;
}

static void fifo_push(struct serial *serial, uint8_t byte)
{
	unsigned int at = serial->fifo_first + serial->fifo_count++;

	serial->fifo[at % FIFO_SIZE] = byte;
}

/* What is read from an empty FIFO is the last byte again. */
static uint8_t fifo_pop(struct serial *serial)
{
	uint8_t byte = serial->fifo[serial->fifo_first];

	if (serial->fifo_count) {
		serial->fifo_first = (serial->fifo_first + 1) % FIFO_SIZE;
		serial->fifo_count--;
	}
	return byte;
}

static void fifo_clear(struct serial *serial)
{
	serial->fifo_first = 0;
	serial->fifo_count = 0;
}

/* --- Interrupts and the way back to main --------------------------------- */

/* IIR's identification: the pending and enabled interrupt of most weight. */
static uint8_t interrupt_id(const struct serial *serial)
{
	if (serial->ier & UART_IER_RLSI && serial->line_errors)
		return UART_IIR_RLSI;
	if (serial->ier & UART_IER_RDI && serial->fifo_count)
		return UART_IIR_RDI;
	if (serial->ier & UART_IER_THRI && serial->thre_pending)
		return UART_IIR_THRI;
	if (serial->ier & UART_IER_MSI && serial->msr & UART_MSR_ANY_DELTA)
		return UART_IIR_MSI;
	return UART_IIR_NO_INT;
}

/* Is the line from the terminal open? In loopback it is cut. */
static bool takes_input(const struct serial *serial)
{
	return serial->mcr & UART_MCR_RTS && !(serial->mcr & UART_MCR_LOOP);
}

/* After any change of state; @before is what IIR showed before it. */
static void serial_changed(struct serial *serial, uint8_t before)
{
	uint8_t now = interrupt_id(serial);

	if (now != before && now != UART_IIR_NO_INT)
		irq_raise(&serial->options.irq);
	/* Only once it is empty, so that main wakes for a FIFO full. */
	if (serial->input_waits && takes_input(serial) && !serial->fifo_count) {
		serial->input_waits = false;
		fd_event_raise(serial->room_fd);
	}
}

size_t serial_receive(struct serial *serial, const uint8_t *data, size_t length)
{
	uint8_t before;
	size_t taken = 0;

	pthread_mutex_lock(&serial->lock);
	before = interrupt_id(serial);
	if (takes_input(serial))
		taken = min_u64(length, fifo_room(serial));
	for (size_t i = 0; i < taken; i++)
		fifo_push(serial, data[i]);
	serial_changed(serial, before);
	serial->input_waits = taken < length;
	pthread_mutex_unlock(&serial->lock);
	return taken;
}

int serial_room_fd(const struct serial *serial)
{
	return serial->room_fd;
}

/* --- Registers ------------------------------------------------------------ */

static uint8_t read_iir(struct serial *serial)
{
	uint8_t id = interrupt_id(serial);

	if (id == UART_IIR_THRI)
		serial->thre_pending = false;
	/* Less than asked for and nothing more on its way: a timeout. */
	if (id == UART_IIR_RDI && serial->fifo_count < fifo_trigger(serial))
		id = UART_IIR_RX_TIMEOUT;
	return id | (fifos_on(serial) ? FIFO_BITS : 0);
}

static uint8_t read_lsr(struct serial *serial)
{
	uint8_t lsr = UART_LSR_TEMT | UART_LSR_THRE | serial->line_errors;

	serial->line_errors = 0;
	return lsr | (serial->fifo_count ? UART_LSR_DR : 0);
}

static uint8_t read_msr(struct serial *serial)
{
	uint8_t msr = serial->msr;

	serial->msr &= ~UART_MSR_ANY_DELTA;
	return msr;
}

static uint8_t register_read(struct serial *serial, unsigned int index)
{
	if (serial->lcr & UART_LCR_DLAB && index <= UART_DLM)
		return serial->divisor[index];
	switch (index) {
	case UART_RX:
		return fifo_pop(serial);
	case UART_IER:
		return serial->ier;
	case UART_IIR:
		return read_iir(serial);
	case UART_LCR:
		return serial->lcr;
	case UART_MCR:
		return serial->mcr;
	case UART_LSR:
		return read_lsr(serial);
	case UART_MSR:
		return read_msr(serial);
	default:
		return serial->scr;
	}
}

static void write_tx(struct serial *serial, uint8_t byte)
{
	const struct serial_options *options = &serial->options;

	if (!(serial->mcr & UART_MCR_LOOP))
		options->output(options->context, &byte, 1);
	else if (fifo_room(serial))
		fifo_push(serial, byte);
	else
		serial->line_errors |= UART_LSR_OE;
	serial->thre_pending = true;
}

static void write_ier(struct serial *serial, uint8_t value)
{
	/* The transmitter is empty, so enabling its interrupt raises it. */
	if (value & ~serial->ier & UART_IER_THRI)
		serial->thre_pending = true;
	serial->ier = value & IER_MASK;
}

static void write_fcr(struct serial *serial, uint8_t value)
{
	/* The other bits count only along with the one that enables. */
	if (!(value & UART_FCR_ENABLE_FIFO))
		value = 0;
	if ((value ^ serial->fcr) & UART_FCR_ENABLE_FIFO ||
	    value & UART_FCR_CLEAR_RCVR)
		fifo_clear(serial);
	serial->fcr = value & (UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_MASK);
}

/* MSR's lines: the terminal's, or in loopback those of MCR. */
static uint8_t modem_lines(uint8_t mcr)
{
	if (!(mcr & UART_MCR_LOOP))
		return MSR_TERMINAL;
	return (mcr & UART_MCR_RTS ? UART_MSR_CTS : 0) |
	       (mcr & UART_MCR_DTR ? UART_MSR_DSR : 0) |
	       (mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0) |
	       (mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0);
}

static void write_mcr(struct serial *serial, uint8_t value)
{
	uint8_t deltas = serial->msr & UART_MSR_ANY_DELTA;
	uint8_t before = serial->msr & ~UART_MSR_ANY_DELTA;
	uint8_t after;

	serial->mcr = value & MCR_MASK;
	after = modem_lines(serial->mcr);
	/* Of the ring indicator only the trailing edge is told. */
	deltas |= ((before ^ after) & MSR_TERMINAL) >> 4;
	deltas |= (before & ~after & UART_MSR_RI) >> 4;
	serial->msr = after | deltas;
}

static void register_write(struct serial *serial, unsigned int index,
			   uint8_t value)
{
	if (serial->lcr & UART_LCR_DLAB && index <= UART_DLM) {
		serial->divisor[index] = value;
		return;
	}
	switch (index) {
	case UART_TX:
		write_tx(serial, value);
		break;
	case UART_IER:
		write_ier(serial, value);
		break;
	case UART_FCR:
		write_fcr(serial, value);
		break;
	case UART_LCR:
		serial->lcr = value;
		break;
	case UART_MCR:
		write_mcr(serial, value);
		break;
	case UART_SCR:
		serial->scr = value;
		break;
	default: /* LSR and MSR are read-only */
		break;
	}
}

/* An access may be wider than the register (reg-io-width); that adds zeroes. */
static uint64_t serial_read(void *device, uint64_t offset, unsigned int size)
{
	struct serial *serial = device;
	unsigned int index = offset >> serial->options.register_shift;
	uint8_t before, value;

	(void)size;
	if (index >= SERIAL_REGISTERS)
		return 0;
	pthread_mutex_lock(&serial->lock);
	before = interrupt_id(serial);
	value = register_read(serial, index);
	serial_changed(serial, before);
	pthread_mutex_unlock(&serial->lock);
	return value;
}

static void serial_write(void *device, uint64_t offset, unsigned int size,
			 uint64_t value)
{
	struct serial *serial = device;
	unsigned int index = offset >> serial->options.register_shift;
	uint8_t before;

	(void)size;
	if (index >= SERIAL_REGISTERS)
		return;
	pthread_mutex_lock(&serial->lock);
	before = interrupt_id(serial);
	register_write(serial, index, (uint8_t)value);
	serial_changed(serial, before);
	pthread_mutex_unlock(&serial->lock);
}

const struct bus_ops serial_bus_ops = {serial_read, serial_write};

/* --- Life ----------------------------------------------------------------- */

void serial_reset(struct serial *serial)
{
	pthread_mutex_lock(&serial->lock);
	serial->ier = 0;
	serial->fcr = 0;
	serial->lcr = 0;
	serial->mcr = 0;
	serial->msr = MSR_TERMINAL;
	serial->scr = 0;
	memset(serial->divisor, 0, sizeof(serial->divisor));
	serial->line_errors = 0;
	serial->thre_pending = false;
	fifo_clear(serial);
	pthread_mutex_unlock(&serial->lock);
}

int serial_new(const struct serial_options *options, struct serial **ret_serial,
	       struct err *err)
{
	struct serial *serial = calloc(1, sizeof(*serial));

	if (!serial)
		return err_errno(err, ENOMEM, "cannot create the serial port");
	serial->options = *options;
	serial->room_fd = fd_event_new();
	if (serial->room_fd < 0) {
		int ret = err_errno(err, -serial->room_fd,
				    "cannot create the serial port");

		free(serial);
		return ret;
	}
	pthread_mutex_init(&serial->lock, NULL);
	serial_reset(serial);
	*ret_serial = serial;
	return 0;
}

void serial_free(struct serial *serial)
{
	if (!serial)
		return;
	fd_close(&serial->room_fd);
	pthread_mutex_destroy(&serial->lock);
	free(serial);
}

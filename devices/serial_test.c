/*
 * devices/serial_test.c - the UART as Linux' 8250 driver meets it: probe,
 * start-up, transmitting and receiving by interrupt; and input that waits.
 */
#include "devices/serial.h"

#include <linux/serial_reg.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "base/math.h"
#include "base/test.h"
#include "devices/test_irq.h"

/* A UART, what it sent, and how many edges its line has seen. */
struct bench {
	struct serial *serial;
	unsigned int shift;
	int irq_fd;
	char sent[64];
	size_t sent_length;
};

static void bench_output(void *context, const uint8_t *data, size_t length)
{
	struct bench *bench = context;

	for (size_t i = 0; i < length; i++)
		if (bench->sent_length < sizeof(bench->sent) - 1)
			bench->sent[bench->sent_length++] = (char)data[i];
}

static bool bench_init(struct bench *bench, unsigned int shift)
{
	struct serial_options options = {
		.register_shift = shift,
		.output = bench_output,
		.context = bench,
	};

	*bench = (struct bench){.shift = shift, .irq_fd = fd_event_new()};
	options.irq = (struct irq_line){test_irq_raise, &bench->irq_fd};
	return CHECK(!serial_new(&options, &bench->serial, NULL));
}

static void bench_fini(struct bench *bench)
{
	serial_free(bench->serial);
	fd_close(&bench->irq_fd);
}

static uint8_t in(struct bench *bench, unsigned int index)
{
	return (uint8_t)serial_bus_ops.read(bench->serial,
					    index << bench->shift, 1);
}

static void out(struct bench *bench, unsigned int index, uint8_t value)
{
	serial_bus_ops.write(bench->serial, index << bench->shift, 1, value);
}

/* The edges since the last call. */
static unsigned int edges(struct bench *bench)
{
	uint64_t count = 0;

	if (read(bench->irq_fd, &count, sizeof(count)) < 0)
		return 0;
	return (unsigned int)count;
}

static bool has_room_event(struct bench *bench)
{
	struct pollfd poll_fd = {serial_room_fd(bench->serial), POLLIN, 0};

	if (poll(&poll_fd, 1, 0) != 1)
		return false;
	fd_event_clear(poll_fd.fd);
	return true;
}

static size_t receive(struct bench *bench, const char *text)
{
	return serial_receive(bench->serial, (const uint8_t *)text,
			      strlen(text));
}

/* What a driver does when somebody opens the tty. */
static void open_tty(struct bench *bench)
{
	out(bench, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_8);
	out(bench, UART_MCR, UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2);
	out(bench, UART_IER, UART_IER_RLSI | UART_IER_RDI);
	edges(bench);
}

/* The questions by which the driver tells a 16550A from its relatives. */
static void probe(struct bench *bench)
{
	uint8_t with_64, with_64_dlab, ier;

	out(bench, UART_IER, 0);
	CHECK_EQUAL(in(bench, UART_IER), 0);
	out(bench, UART_IER, 0x0f);
	CHECK_EQUAL(in(bench, UART_IER), 0x0f);
	out(bench, UART_IER, 0);

	out(bench, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	CHECK_EQUAL(in(bench, UART_MSR) & 0xf0, UART_MSR_DCD | UART_MSR_CTS);
	out(bench, UART_MCR, 0);

	/* No extended feature register (16650, 16850, 16950). */
	out(bench, UART_LCR, UART_LCR_CONF_MODE_B);
	out(bench, UART_EFR, 0);
	out(bench, UART_LCR, 0);
	out(bench, UART_FCR, UART_FCR_ENABLE_FIFO);
	CHECK_EQUAL(in(bench, UART_IIR) >> 6, 3);
	out(bench, UART_LCR, UART_LCR_CONF_MODE_A);
	CHECK(in(bench, UART_EFR) != 0);
	out(bench, UART_LCR, UART_LCR_CONF_MODE_B);
	CHECK(in(bench, UART_EFR) != 0);
	out(bench, UART_LCR, 0);

	/* No FIFO of 64 bytes (16750). */
	out(bench, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR7_64BYTE);
	with_64 = in(bench, UART_IIR) >> 5;
	out(bench, UART_LCR, UART_LCR_CONF_MODE_A);
	out(bench, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR7_64BYTE);
	with_64_dlab = in(bench, UART_IIR) >> 5;
	out(bench, UART_LCR, 0);
	CHECK_EQUAL(with_64, 6);
	CHECK_EQUAL(with_64_dlab, 6);

	/* No unit enable bit (XScale). */
	ier = in(bench, UART_IER);
	out(bench, UART_IER, ier | 0x40);
	CHECK_EQUAL(in(bench, UART_IER) & 0x40, 0);
	out(bench, UART_IER, ier);
}

static void test_probes_as_16550a(void)
{
	for (unsigned int shift = 0; shift <= 2; shift++) {
		struct bench bench;

		if (bench_init(&bench, shift))
			probe(&bench);
		bench_fini(&bench);
	}
}

/* The driver falls back to polling by timer unless THRE comes again. */
static void test_thre_is_reasserted(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench, 0));
	out(&bench, UART_IER, UART_IER_THRI);
	CHECK_EQUAL(in(&bench, UART_IIR), UART_IIR_THRI);
	CHECK_EQUAL(in(&bench, UART_IIR), UART_IIR_NO_INT);
	out(&bench, UART_IER, 0);
	CHECK_EQUAL(in(&bench, UART_IIR), UART_IIR_NO_INT);
	out(&bench, UART_IER, UART_IER_THRI);
	CHECK_EQUAL(in(&bench, UART_LSR), UART_LSR_TEMT | UART_LSR_THRE);
	CHECK_EQUAL(in(&bench, UART_IIR), UART_IIR_THRI);
	CHECK_EQUAL(edges(&bench), 2);
	bench_fini(&bench);
}

static void test_transmits_by_interrupt(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench, 0));
	open_tty(&bench);
	out(&bench, UART_IER, UART_IER_THRI);
	CHECK_EQUAL(edges(&bench), 1);
	CHECK_EQUAL(in(&bench, UART_IIR) & 0x0f, UART_IIR_THRI);
	/* One edge for a FIFO full of bytes, not one each. */
	for (const char *c = "hello"; *c; c++)
		out(&bench, UART_TX, (uint8_t)*c);
	CHECK_EQUAL(edges(&bench), 1);
	CHECK_EQUAL(in(&bench, UART_IIR) & 0x0f, UART_IIR_THRI);
	CHECK_EQUAL(in(&bench, UART_IIR) & 0x0f, UART_IIR_NO_INT);
	CHECK_TEXT(bench.sent, "hello");
	bench_fini(&bench);
}

static void test_receives_by_interrupt(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench, 2));
	open_tty(&bench);
	CHECK_EQUAL(receive(&bench, "ab"), 2);
	CHECK_EQUAL(receive(&bench, "c"), 1);
	CHECK_EQUAL(edges(&bench), 1);
	CHECK_EQUAL(in(&bench, UART_IIR) & 0x0f, UART_IIR_RX_TIMEOUT);
	CHECK_EQUAL(receive(&bench, "defgh"), 5);
	CHECK_EQUAL(in(&bench, UART_IIR) & 0x0f, UART_IIR_RDI);
	for (char c = 'a'; c <= 'h'; c++) {
		CHECK(in(&bench, UART_LSR) & UART_LSR_DR);
		CHECK_EQUAL(in(&bench, UART_RX), c);
	}
	CHECK(!(in(&bench, UART_LSR) & UART_LSR_DR));
	CHECK_EQUAL(in(&bench, UART_IIR) & 0x0f, UART_IIR_NO_INT);
	CHECK_EQUAL(edges(&bench), 0);
	bench_fini(&bench);
}

/* Edge-triggered: a cause left pending behind another gets its own edge. */
static void test_second_cause_gets_an_edge(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench, 0));
	open_tty(&bench);
	CHECK_EQUAL(receive(&bench, "x"), 1);
	CHECK_EQUAL(edges(&bench), 1);
	out(&bench, UART_IER, UART_IER_RDI | UART_IER_THRI);
	CHECK_EQUAL(edges(&bench), 0);
	CHECK_EQUAL(in(&bench, UART_RX), 'x');
	CHECK_EQUAL(edges(&bench), 1);
	CHECK_EQUAL(in(&bench, UART_IIR) & 0x0f, UART_IIR_THRI);
	bench_fini(&bench);
}

static void test_input_waits_for_rts(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench, 0));
	CHECK_EQUAL(receive(&bench, "early"), 0);
	out(&bench, UART_FCR, UART_FCR_ENABLE_FIFO);
	CHECK(!has_room_event(&bench));
	out(&bench, UART_MCR, UART_MCR_RTS | UART_MCR_LOOP);
	CHECK(!has_room_event(&bench));
	out(&bench, UART_MCR, UART_MCR_RTS);
	CHECK(has_room_event(&bench));
	CHECK_EQUAL(receive(&bench, "early"), 5);
	CHECK(!has_room_event(&bench));
	bench_fini(&bench);
}

static void test_nothing_typed_is_lost(void)
{
	static const char text[] = "The quick brown fox jumps over the dog.";
	struct bench bench;
	char got[sizeof(text)] = "";
	size_t offered = 0, taken = 0, n;

	REQUIRE(bench_init(&bench, 0));
	open_tty(&bench);
	do {
		n = receive(&bench, text + offered);
		CHECK(n <= 16);
		offered += n;
		while (in(&bench, UART_LSR) & UART_LSR_DR)
			got[taken++] = (char)in(&bench, UART_RX);
	} while (has_room_event(&bench));
	CHECK_TEXT(got, text);
	CHECK_EQUAL(edges(&bench), 3);
	bench_fini(&bench);
}

/* Main wakes once for a FIFO full, not for every byte that is read. */
static void test_room_comes_when_empty(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench, 0));
	open_tty(&bench);
	CHECK_EQUAL(receive(&bench, "0123456789abcdefg"), 16);
	for (unsigned int i = 0; i < 16; i++) {
		CHECK(!has_room_event(&bench));
		in(&bench, UART_RX);
	}
	CHECK(has_room_event(&bench));
	bench_fini(&bench);
}

static void test_without_fifo_holds_one(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench, 0));
	out(&bench, UART_MCR, UART_MCR_RTS);
	CHECK_EQUAL(receive(&bench, "ab"), 1);
	CHECK_EQUAL(in(&bench, UART_IIR), UART_IIR_NO_INT);
	CHECK_EQUAL(in(&bench, UART_RX), 'a');
	CHECK(has_room_event(&bench));
	CHECK_EQUAL(receive(&bench, "b"), 1);
	/* Switching the FIFO on clears it, and so does its clear bit. */
	out(&bench, UART_FCR, UART_FCR_ENABLE_FIFO);
	CHECK(!(in(&bench, UART_LSR) & UART_LSR_DR));
	CHECK_EQUAL(receive(&bench, "cd"), 2);
	out(&bench, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
	CHECK(!(in(&bench, UART_LSR) & UART_LSR_DR));
	bench_fini(&bench);
}

static void test_loopback(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench, 0));
	out(&bench, UART_IER, UART_IER_RLSI);
	out(&bench, UART_MCR, UART_MCR_LOOP);
	out(&bench, UART_TX, 'l');
	CHECK_EQUAL(bench.sent_length, 0);
	CHECK_EQUAL(edges(&bench), 0);
	out(&bench, UART_TX, 'm');
	CHECK_EQUAL(edges(&bench), 1);
	CHECK_EQUAL(in(&bench, UART_IIR), UART_IIR_RLSI);
	CHECK(in(&bench, UART_LSR) & UART_LSR_OE);
	CHECK(!(in(&bench, UART_LSR) & UART_LSR_OE));
	CHECK_EQUAL(in(&bench, UART_RX), 'l');
	bench_fini(&bench);
}

static void test_modem_status(void)
{
	const uint8_t terminal = UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
	struct bench bench;

	REQUIRE(bench_init(&bench, 0));
	CHECK_EQUAL(in(&bench, UART_MSR), terminal);
	out(&bench, UART_IER, UART_IER_MSI);
	out(&bench, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT1);
	CHECK_EQUAL(edges(&bench), 1);
	CHECK_EQUAL(in(&bench, UART_IIR), UART_IIR_MSI);
	CHECK_EQUAL(in(&bench, UART_MSR), UART_MSR_RI | UART_MSR_DDCD |
						  UART_MSR_DDSR |
						  UART_MSR_DCTS);
	CHECK_EQUAL(in(&bench, UART_MSR), UART_MSR_RI);
	out(&bench, UART_MCR, UART_MCR_LOOP);
	CHECK_EQUAL(in(&bench, UART_MSR), UART_MSR_TERI);
	bench_fini(&bench);
}

static void test_scratch_and_divisor(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench, 0));
	out(&bench, UART_SCR, 0x5a);
	CHECK_EQUAL(in(&bench, UART_SCR), 0x5a);
	out(&bench, UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
	out(&bench, UART_DLL, 1);
	out(&bench, UART_DLM, 2);
	CHECK_EQUAL(in(&bench, UART_DLL), 1);
	CHECK_EQUAL(in(&bench, UART_DLM), 2);
	out(&bench, UART_LCR, UART_LCR_WLEN8);
	CHECK_EQUAL(in(&bench, UART_IER), 0);
	CHECK_EQUAL(bench.sent_length, 0);
	serial_reset(bench.serial);
	CHECK_EQUAL(in(&bench, UART_SCR), 0);
	CHECK_EQUAL(in(&bench, UART_LCR), 0);
	bench_fini(&bench);
}

#define STREAM_LENGTH 2000

/* The guest's side of test_two_threads(): polls and counts. */
static void *drain_main(void *argument)
{
	struct bench *bench = argument;
	size_t drained = 0;

	while (drained < STREAM_LENGTH) {
		if (!(in(bench, UART_LSR) & UART_LSR_DR))
			continue;
		if (in(bench, UART_RX) != (uint8_t)drained)
			return NULL;
		drained++;
	}
	return bench;
}

static void test_two_threads(void)
{
	struct bench bench;
	pthread_t thread;
	void *result;
	uint8_t byte;

	REQUIRE(bench_init(&bench, 0));
	open_tty(&bench);
	REQUIRE(!pthread_create(&thread, NULL, drain_main, &bench));
	for (size_t i = 0; i < STREAM_LENGTH; i++) {
		struct pollfd room = {serial_room_fd(bench.serial), POLLIN, 0};

		byte = (uint8_t)i;
		while (!serial_receive(bench.serial, &byte, 1)) {
			REQUIRE(poll(&room, 1, 10000) == 1);
			fd_event_clear(room.fd);
		}
	}
	pthread_join(thread, &result);
	CHECK(result);
	bench_fini(&bench);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_probes_as_16550a),
		TEST(test_thre_is_reasserted),
		TEST(test_transmits_by_interrupt),
		TEST(test_receives_by_interrupt),
		TEST(test_second_cause_gets_an_edge),
		TEST(test_input_waits_for_rts),
		TEST(test_nothing_typed_is_lost),
		TEST(test_room_comes_when_empty),
		TEST(test_without_fifo_holds_one),
		TEST(test_loopback),
		TEST(test_modem_status),
		TEST(test_scratch_and_divisor),
		TEST(test_two_threads),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

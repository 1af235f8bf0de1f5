/*
 * I/O ports: unknown ones, each size, strings of them; the UART's registers;
 * and what the firmware's tables say (only that they are there).
 */
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/string.h"
#include "runtime/test.h"
#include "runtime/x86_64/io.h"
#include "runtime/x86_64/machine.h"

#define UNKNOWN 0xe000

static volatile unsigned int interrupts;

static void unknown_ports(void)
{
	CHECK_EQUAL(in8(UNKNOWN), 0xff);
	CHECK_EQUAL(in16(UNKNOWN), 0xffff);
	CHECK_EQUAL(in32(UNKNOWN), ~0u);
	out8(UNKNOWN, 0);
	out16(UNKNOWN, 0);
	out32(UNKNOWN, 0);
	CHECK_EQUAL(in32(UNKNOWN), ~0u);
	CHECK_EQUAL(in8(0xffff), 0xff);
}

static void string_input(void)
{
	uint16_t words[8];
	void *to = words;
	uint64_t count = ARRAY_LENGTH(words);

	memset(words, 0, sizeof(words));
	asm volatile("rep insw"
		     : "+D"(to), "+c"(count)
		     : "d"((uint16_t)UNKNOWN)
		     : "memory");
	CHECK_EQUAL(count, 0);
	CHECK_EQUAL((uintptr_t)to - (uintptr_t)words, sizeof(words));
	for (unsigned int i = 0; i < ARRAY_LENGTH(words); i++)
		CHECK_EQUAL(words[i], 0xffff);
}

static void string_output(void)
{
	static const char text[] = "# this line came by rep outsb\r\n";
	const void *from = text;
	uint64_t count = sizeof(text) - 1;

	asm volatile("rep outsb"
		     : "+S"(from), "+c"(count)
		     : "d"((uint16_t)COM1)
		     : "memory");
	CHECK_EQUAL(count, 0);
}

/* An access that is wider than the device's last register. */
static void across_a_devices_end(void)
{
	in16(COM1 + COM_SCR);
	in32(COM1 + COM_LSR);
	in32(PORT_SLEEP_CONTROL);
	in32(PORT_SLEEP_CONTROL - 2);
	CHECK_EQUAL(in8(COM1 + COM_LSR) & COM_LSR_EMPTY, COM_LSR_EMPTY);
}

static void uart_scratch(void)
{
	out8(COM1 + COM_SCR, 0x5a);
	CHECK_EQUAL(in8(COM1 + COM_SCR), 0x5a);
	out8(COM1 + COM_SCR, 0xa5);
	CHECK_EQUAL(in8(COM1 + COM_SCR), 0xa5);
}

/* With DLAB set, the first two registers are the divisor. */
static void uart_divisor(void)
{
	uint8_t lcr = in8(COM1 + COM_LCR);

	out8(COM1 + COM_LCR, lcr | 0x80);
	out8(COM1, 1);
	out8(COM1 + COM_IER, 0);
	CHECK_EQUAL(in8(COM1), 1);
	CHECK_EQUAL(in8(COM1 + COM_IER), 0);
	out8(COM1 + COM_LCR, 0x03);
	CHECK_EQUAL(in8(COM1 + COM_LCR), 0x03);
}

static void uart_fifo(void)
{
	out8(COM1 + COM_IIR, 0x01);
	CHECK_EQUAL(in8(COM1 + COM_IIR) & 0xc0, 0xc0);
	out8(COM1 + COM_IIR, 0x07);
}

static void on_uart(void)
{
	/* Reading IIR takes the transmitter's interrupt back. */
	if ((in8(COM1 + COM_IIR) & 0x0f) == 0x02)
		interrupts++;
}

/* Enabling the transmitter's interrupt while it is empty raises it. */
static void uart_interrupt(void)
{
	bool came;

	interrupts = 0;
	interrupt_connect(COM_GSI, on_uart);
	out8(COM1 + COM_MCR, 0x0b); /* DTR, RTS, OUT2: the line is on */
	out8(COM1 + COM_IER, 0x02);
	interrupts_on();
	came = WAIT_UNTIL(interrupts, 5);
	interrupts_off();
	out8(COM1 + COM_IER, 0);
	CHECK(came);
}

static void start_information(void)
{
	CHECK_EQUAL(start_info.magic, HVM_START_MAGIC);
	CHECK(start_info.version >= 1);
	REQUIRE(start_info.memory_map_entries > 0);
	CHECK(machine_memory_at((uintptr_t)&machine));
}

static void firmware_tables(void)
{
	const char *rsdp = (const char *)start_info.rsdp;

	if (on_qemu())
		SKIP("QEMU runs with acpi=off");
	REQUIRE(rsdp);
	CHECK(memcmp(rsdp, "RSD PTR ", 8) == 0);
	CHECK_EQUAL(rsdp[15], 2);
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(unknown_ports),	 TEST(string_input),
		TEST(string_output),	 TEST(across_a_devices_end),
		TEST(uart_scratch),	 TEST(uart_divisor),
		TEST(uart_fifo),	 TEST(uart_interrupt),
		TEST(start_information), TEST(firmware_tables),
	};

	tests_run(tests, ARRAY_LENGTH(tests));
}

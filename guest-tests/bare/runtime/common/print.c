/*
 * Console text, one character at a time through the architecture's console.
 */
#include <stdarg.h>

#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/string.h"

#define LINE_SECONDS 10

static void put_text(const char *text)
{
	while (*text)
		console_put(*text++);
}

static void put_number(uint64_t number, unsigned int base, unsigned int width,
		       char pad)
{
	char digits[24];
	unsigned int count = 0;

	do {
		digits[count++] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number);
	while (count < width && count < sizeof(digits))
		digits[count++] = pad;
	while (count)
		console_put(digits[--count]);
}

static void put_signed(int64_t number)
{
	if (number < 0)
		console_put('-');
	put_number(number < 0 ? -(uint64_t)number : (uint64_t)number, 10, 0,
		   ' ');
}

void print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	for (; *format; format++) {
		unsigned int width = 0, longs = 0;
		char pad = ' ';

		if (*format != '%') {
			console_put(*format);
			continue;
		}
		if (*++format == '0')
			pad = '0';
		for (; *format >= '0' && *format <= '9'; format++)
			width = width * 10 + (unsigned int)(*format - '0');
		for (; *format == 'l'; format++)
			longs++;
		if (*format == 's')
			put_text(va_arg(arguments, const char *));
		else if (*format == 'c')
			console_put((char)va_arg(arguments, int));
		else if (*format == 'd')
			put_signed(longs ? va_arg(arguments, long)
					 : va_arg(arguments, int));
		else if (*format == 'u' || *format == 'x')
			put_number(longs ? va_arg(arguments, unsigned long)
					 : va_arg(arguments, unsigned int),
				   *format == 'x' ? 16 : 10, width, pad);
		else
			console_put(*format);
	}
	va_end(arguments);
}

bool read_line(char *line, size_t size)
{
	uint64_t since = clock_ticks();
	size_t length = 0;
	int c;

	for (;;) {
		c = console_get();
		if (c < 0 && clock_passed(since, LINE_SECONDS))
			return false;
		if (c < 0) {
			cpu_relax();
			continue;
		}
		if (c == '\r' || c == '\n')
			break;
		if (length + 1 < size)
			line[length++] = (char)c;
	}
	line[length] = '\0';
	return true;
}

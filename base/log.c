/* base/log.c - see log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/text.h"

/* One write per line, so that lines of several threads do not mix. */
static void log_line(const char *format, va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), format, args);
	text_disarm(text);
	fprintf(stderr, "alcor: %s\n", text);
}

void log_warning(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line(format, args);
	va_end(args);
}

void log_once(atomic_bool *said, const char *format, ...)
{
	va_list args;

	if (atomic_exchange(said, true))
		return;
	va_start(args, format);
	log_line(format, args);
	va_end(args);
}

/* base/err.c - see err.h. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static void write_text(struct err *err, const char *format, va_list args)
{
	vsnprintf(err->text, sizeof(err->text), format, args);
	text_disarm(err->text);
}

int err_set(struct err *err, int code, const char *format, ...)
{
	va_list args;

	if (err) {
		va_start(args, format);
		write_text(err, format, args);
		va_end(args);
	}
	return -code;
}

int err_errno(struct err *err, int code, const char *format, ...)
{
	va_list args;
	size_t used;

	if (err) {
		va_start(args, format);
		write_text(err, format, args);
		va_end(args);
		used = strlen(err->text);
		snprintf(err->text + used, sizeof(err->text) - used, ": %s",
			 strerror(code));
	}
	return -code;
}

void err_prefix(struct err *err, const char *format, ...)
{
	char behind[ERR_TEXT_MAX];
	va_list args;
	size_t used;

	if (!err)
		return;
	memcpy(behind, err->text, sizeof(behind));
	va_start(args, format);
	write_text(err, format, args);
	va_end(args);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", behind);
}

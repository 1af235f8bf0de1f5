/*
 * arch/cmdline.c - the command line, with the virtio devices where asked for
 * (Linux: Documentation/admin-guide/kernel-parameters.txt, virtio_mmio.device).
 */
#include "arch/cmdline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/math.h"

struct text {
	char *start;
	size_t capacity;
	size_t length; /* what it needs; past the capacity: what was cut */
};

__attribute__((format(printf, 2, 3))) static void text_append(
	struct text *text, const char *format, ...)
{
	size_t used = min_u64(text->length, text->capacity);
	va_list arguments;

	va_start(arguments, format);
	text->length += vsnprintf(text->start + used, text->capacity - used,
				  format, arguments);
	va_end(arguments);
}

static void append_virtio(struct text *text, unsigned int index,
			  uint32_t irq_base)
{
	struct arch_slot slot = arch_virtio_slot(index);

	text_append(text, "%svirtio_mmio.device=%lluK@%#" PRIx64 ":%" PRIu32,
		    text->length ? " " : "", slot.range.size / KIB,
		    slot.range.base, irq_base + slot.gsi);
}

int cmdline_build(const struct arch_board *board, uint32_t irq_base,
		  char *ret_text, size_t capacity, struct err *err)
{
	struct text text = {.start = ret_text, .capacity = capacity};

	text_append(&text, "%s", board->cmdline);
	if (board->discovery == ARCH_DISCOVERY_CMDLINE)
		for (unsigned int i = 0; i < board->virtio_count; i++)
			append_virtio(&text, i, irq_base);

	if (text.length >= capacity)
		return err_set(err, E2BIG,
			       "the kernel's command line has %zu characters; "
			       "the kernel reads %zu at most",
			       text.length, capacity - 1);
	return 0;
}

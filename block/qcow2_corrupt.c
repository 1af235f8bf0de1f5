/*
 * block/qcow2_corrupt.c - an image that turns out to be wrong.
 *
 * The rest of the program goes on: what can still be read is read, and nothing
 * is written any more, since a write through wrong tables would make it worse.
 * The corrupt bit tells every other program, until a repair removes it.
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "block/mutant.h"

/* Best effort: the image is as wrong without the bit. Version 2 has none. */
static void mark_header(struct qcow2 *qcow2)
{
	be64 bits;

	if (qcow2->image.read_only || qcow2->info.version < 3)
		return;
	qcow2->info.incompatible |= QCOW2_CORRUPT;
	bits = be64_make(qcow2->info.incompatible);
	file_write(qcow2->image.file, &bits, sizeof(bits),
		   offsetof(struct qcow2_header, incompatible_features));
	if (!MUTANT(NO_BARRIER_AFTER_CORRUPT))
		file_flush(qcow2->image.file);
}

int qcow2_corrupt(struct qcow2 *qcow2, const char *format, ...)
{
	char what[256];
	va_list args;

	if (qcow2->corrupt)
		return -EUCLEAN;
	qcow2->corrupt = true;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	log_warning("%s is corrupt: %s; %s", qcow2->image.name, what,
		    qcow2->image.read_only ? "what depends on it cannot be read"
					   : "it will not be written any more");
	mark_header(qcow2);
	return -EUCLEAN;
}

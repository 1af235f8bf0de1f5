/*
 * block/qcow2_rebase.h - giving an image another backing file.
 */
#ifndef BLOCK_QCOW2_REBASE_H
#define BLOCK_QCOW2_REBASE_H

#include "base/err.h"
#include "block/file.h"

/*
 * Writes the name and the format of a backing file into the header of the image
 * in @file, which nobody else has open; @image is its name, for messages. Both
 * may be NULL: no backing file, no format stated. The disk's contents are not
 * looked at: what is unallocated reads from the new backing file.
 */
int qcow2_rebase(struct file *file, const char *image, const char *backing,
		 const char *format, struct err *err);

#endif

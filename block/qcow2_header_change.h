/*
 * block/qcow2_header_change.h - what of an image's header can change while its
 * tables stay as they are. Private to qcow2_rebase.c and qcow2_amend.c.
 */
#ifndef BLOCK_QCOW2_HEADER_CHANGE_H
#define BLOCK_QCOW2_HEADER_CHANGE_H

#include <stdbool.h>

#include "base/err.h"
#include "block/file.h"

/* What it shall say. */
struct qcow2_header_change {
	const char *backing, *format; /* NULL: no file, none stated */
	unsigned int version;
	bool lazy_refcounts; /* version 3 */
};

/*
 * Of the image in @file, which nobody else has open; @image is its name, for
 * messages. A version 2 header has no features and a version 3 header that was
 * one none but those; all other fields and extensions are kept. A power cut
 * leaves the old header or the new one.
 */
int qcow2_header_change(struct file *file, const char *image,
			unsigned int cluster_bits,
			const struct qcow2_header_change *to, struct err *err);

#endif

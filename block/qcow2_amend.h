/*
 * block/qcow2_amend.h - changing what an image was made with.
 */
#ifndef BLOCK_QCOW2_AMEND_H
#define BLOCK_QCOW2_AMEND_H

#include <stdbool.h>

#include "base/err.h"
#include "block/file.h"

struct qcow2_amend {
	unsigned int version;	     /* 2 or 3; 0: as it is */
	unsigned int refcount_order; /* with has_refcounts */
	bool lazy_refcounts;	     /* with has_lazy */
	bool has_refcounts;
	bool has_lazy;
};

/*
 * Of the image in @file, which nobody else has open and which has no errors;
 * @image is its name, for messages. The refcounts are rewritten aside, and the
 * header after that, each in one step that a power cut leaves done or not.
 *
 * -EINVAL: this does not go together, or not with what is in the image.
 */
int qcow2_amend(struct file *file, const char *image,
		const struct qcow2_amend *amend, struct err *err);

#endif

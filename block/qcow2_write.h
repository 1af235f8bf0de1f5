/*
 * block/qcow2_write.h - the operations that change an image.
 *
 * As struct image_ops says; the image is not read-only.
 */
#ifndef BLOCK_QCOW2_WRITE_H
#define BLOCK_QCOW2_WRITE_H

#include "block/qcow2.h"

int qcow2_write(struct image *image, uint64_t offset, uint64_t length,
		struct cursor *from);
int qcow2_discard(struct image *image, uint64_t offset, uint64_t length);
int qcow2_write_zeroes(struct image *image, uint64_t offset, uint64_t length,
		       bool may_unmap);
int qcow2_flush(struct image *image);

/* --- qcow2_l2.c: slices of L2 tables that may be changed ------------------ */

struct qcow2_l2_slice {
	uint8_t *data;	 /* until the next get from the L2 cache */
	uint64_t offset; /* in the file */
	uint64_t index;	 /* of the entry for the guest offset */
	uint64_t left;	 /* entries from there to the slice's end */
};

/*
 * The slice for a guest offset, of an L2 table that nobody else refers to: if
 * need be an empty one is made, or a shared one copied.
 */
int qcow2_l2_own(struct qcow2 *qcow2, uint64_t offset,
		 struct qcow2_l2_slice *ret_slice);

/* Changes the entry at slice->index + @at. */
void qcow2_l2_set(struct qcow2 *qcow2, struct qcow2_l2_slice *slice,
		  uint64_t at, uint64_t entry);

/* An entry no longer points to this: gives up what it took. */
void qcow2_l2_release(struct qcow2 *qcow2, const struct qcow2_cluster *old);

#endif

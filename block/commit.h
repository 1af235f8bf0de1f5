/*
 * block/commit.h - an image's contents into its backing file.
 */
#ifndef BLOCK_COMMIT_H
#define BLOCK_COMMIT_H

#include "block/image.h"

/* What block_commit() does, under the disk's lock. */
int commit_image(struct image *top, const struct block_commit *how,
		 struct err *err);

#endif

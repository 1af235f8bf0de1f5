/*
 * block/rebase.h - an image that is to have another backing file.
 */
#ifndef BLOCK_REBASE_H
#define BLOCK_REBASE_H

#include "block/image.h"

/* What block_rebase() does, under the disk's lock. */
int rebase_image(struct image *top, struct image *backing,
		 int (*progress)(void *context, uint64_t done, uint64_t total),
		 void *context);

#endif

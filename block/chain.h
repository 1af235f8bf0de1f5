/*
 * block/chain.h - a disk's files: the image, what backs it, and an overlay.
 */
#ifndef BLOCK_CHAIN_H
#define BLOCK_CHAIN_H

#include "block/image.h"

/* Opens all of them as block_open() says; the top one is returned. */
int chain_open(const struct block_options *options, struct image **ret_top,
	       struct err *err);

#endif

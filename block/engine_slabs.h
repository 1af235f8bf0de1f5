/*
 * block/engine_slabs.h - memory that is registered with an io_uring, in slabs,
 * as the kernel bounds their size. Private to block/engine_uring.c.
 *
 * I/O past the page cache has to pin its buffers each time, but for these. The
 * page cache is copied from no quicker, so prompt.h does without.
 */
#ifndef BLOCK_ENGINE_SLABS_H
#define BLOCK_ENGINE_SLABS_H

#include <liburing.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "block/queue.h"

/* A row of slabs; the last may be smaller. */
struct slab_row {
	uint8_t *start;
	uint64_t length;
	unsigned int first; /* slab's index as registered */
};

struct slabs {
	struct slab_row rows[BLOCK_PINNED_MAX];
	unsigned int row_count;
	unsigned int count;
};

/* For the first BLOCK_PINNED_MAX pieces of @memory, none of them empty. */
void slabs_init(struct slabs *slabs, const struct iovec *memory, size_t count);

/* Not being able to, as by the limit of locked memory, leaves none. */
void slabs_register(struct slabs *slabs, struct io_uring *ring);

/* The index of the slab that a piece is in; -1: it is in none, or in two. */
int slabs_find(const struct slabs *slabs, const struct iovec *piece);

#endif

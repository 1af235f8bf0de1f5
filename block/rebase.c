/*
 * block/rebase.c - keeping a disk's contents over another backing file; see
 * rebase.h.
 *
 * What the image gets is what it shows already, so that at any time the disk
 * reads the same over its old backing file, and, when all of it is durable,
 * over the new one.
 */
#include "block/rebase.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "block/mutant.h"

/* What is compared at a time: a part of a cluster is copied with the rest. */
#define PIECE (64 * KIB)

/* Not too much at once: writing changes what was found. */
#define CHUNK (1 * MIB)

struct rebase {
	struct image *top;
	struct image *backing; /* the new one; NULL: there is none */
	uint8_t old[PIECE], new[PIECE];
};

static int keep_piece(struct rebase *rebase, uint64_t offset, uint64_t length)
{
	struct iovec iov = {rebase->old, length};
	struct cursor from = cursor_make(&iov, 1);
	int ret;

	ret = image_read_padded(rebase->top, offset, length, rebase->old);
	memset(rebase->new, 0, length);
	if (!ret && rebase->backing)
		ret = image_read_padded(rebase->backing, offset, length,
					rebase->new);
	if (ret || !memcmp(rebase->old, rebase->new, length))
		return ret;
	return image_write(rebase->top, offset, length, &from);
}

/* The image has nothing of the range. */
static int keep_range(struct rebase *rebase, uint64_t offset, uint64_t length)
{
	uint64_t part;
	int ret = 0;

	for (; length && !ret; offset += part, length -= part) {
		part = min_u64(length, PIECE - offset % PIECE);
		ret = keep_piece(rebase, offset, part);
	}
	return ret;
}

static int keep_all(struct rebase *rebase,
		    int (*progress)(void *context, uint64_t done,
				    uint64_t total),
		    void *context)
{
	struct image *top = rebase->top;
	struct extent extent;
	int ret = 0;

	for (uint64_t at = 0; at < top->size && !ret; at += extent.length) {
		ret = image_find(top, at, min_u64(top->size - at, CHUNK),
				 &extent);
		if (!ret && extent.image != top)
			ret = keep_range(rebase, at, extent.length);
		if (!ret && progress)
			ret = progress(context, at + extent.length, top->size);
	}
	if (MUTANT(NO_BARRIER_BEFORE_REBASE))
		return ret;
	return ret ? ret : top->ops->flush(top);
}

int rebase_image(struct image *top, struct image *backing,
		 int (*progress)(void *context, uint64_t done, uint64_t total),
		 void *context)
{
	struct rebase *rebase = malloc(sizeof(*rebase));
	int ret;

	if (!rebase)
		return -ENOMEM;
	rebase->top = top;
	rebase->backing = backing;
	ret = keep_all(rebase, progress, context);
	free(rebase);
	return ret;
}

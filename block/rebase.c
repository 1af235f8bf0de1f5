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

/*
 * What the tables know to be zeroes need not be written, if the image has a way
 * to say so whatever lies beneath.
 */
static int keep_zeroes(struct rebase *rebase, uint64_t offset, uint64_t length,
		       bool *ret_kept)
{
	struct image *top = rebase->top;
	struct extent extent;
	int ret = top->ops->write_zeroes(top, offset, length, true);

	if (!ret)
		ret = image_find(top, offset, length, &extent);
	*ret_kept = !ret && extent.image == top;
	return ret;
}

static int keep_piece(struct rebase *rebase, uint64_t offset, uint64_t length)
{
	bool kept = false;
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
	if (image_is_zero(rebase->top, offset, length))
		ret = keep_zeroes(rebase, offset, length, &kept);
	if (ret || kept)
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
	bool explicit_zeroes = top->explicit_zeroes;
	int ret;

	if (!rebase)
		return -ENOMEM;
	rebase->top = top;
	rebase->backing = backing;
	/* What is a hole now may come to lie over data. */
	top->explicit_zeroes = true;
	ret = keep_all(rebase, progress, context);
	top->explicit_zeroes = explicit_zeroes;
	free(rebase);
	return ret;
}

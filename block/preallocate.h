/*
 * block/preallocate.h - room for all of a new image, or of a part of a file.
 */
#ifndef BLOCK_PREALLOCATE_H
#define BLOCK_PREALLOCATE_H

#include <stdatomic.h>

#include "block/image.h"

enum preallocation {
	PREALLOCATE_NONE,
	PREALLOCATE_METADATA, /* the tables alone; clusters are holes */
	PREALLOCATE_FALLOC,   /* the host reserves the space, too */
	PREALLOCATE_FULL,     /* zeroes are written */
};

/*
 * The image, open for writing, has no backing file and was not written yet. On
 * failure some of it may be allocated, and all of it still reads as zeroes.
 * -ECANCELED soon after @stop is set.
 */
int qcow2_preallocate(struct image *image, enum preallocation how,
		      const atomic_bool *stop);

/* The same for a range of a file, which grows to hold it. */
int file_preallocate(struct file *file, uint64_t offset, uint64_t length,
		     enum preallocation how, const atomic_bool *stop);

#endif

/*
 * block/img_convert.h - copying a disk into another, on all CPUs.
 * Private to block/img_convert*.c and img_dd.c.
 */
#ifndef BLOCK_IMG_CONVERT_H
#define BLOCK_IMG_CONVERT_H

#include <stdatomic.h>

#include "block/img_create.h"
#include "block/img_disk.h"
#include "block/img_progress.h"
#include "block/qcow2_format.h"

#define CONVERT_SOURCES_MAX 64
#define CONVERT_WORKERS_MAX 16

/* Shorter runs of zeroes are copied like data, unless said. */
#define CONVERT_SPARSE_SIZE 4096

struct convert {
	/* [c] while it runs */
	struct img_disk sources[CONVERT_SOURCES_MAX]; /* one behind the other */
	size_t source_count;
	struct img_disk target;
	uint64_t skip; /* at the front of the sources */
	uint64_t size; /* of what is copied */
	uint64_t unit; /* a piece is a multiple of it: a cluster */
	uint64_t
		sparse_size; /* runs of zeroes are found from here on; 0: not */
	bool target_is_zero; /* zeroes need not be written */
	bool target_has_backing; /* as the source has: what the source's top
				    lacks is not copied */
	bool compress;
	enum qcow2_compression compression;
	unsigned int workers;
	const atomic_bool *stop; /* set by a signal: end soon */
	struct img_progress *progress;
};

/*
 * Copies all of it. -ECANCELED when it was stopped. *ret_offset: where an error
 * was; *ret_reading: which side's it was.
 */
int convert_copy(struct convert *convert, uint64_t *ret_offset,
		 bool *ret_reading);

/* A copy with all around it. */
struct convert_job {
	const struct img_args *args; /* -t, -p, -q, --target-is-zero ... */
	struct convert convert;	     /* the sources are open */
	struct img_create create;    /* the target */
	bool must_create;	     /* else it is there */
	/* Its own: */
	struct img_progress progress;
	bool is_made; /* the target is ours to remove */
};

/*
 * Makes the target, fills it, and tells what goes wrong; an exit status. Of a
 * target that was made here nothing is left then, so that no half of an image
 * is taken for a whole one; the same if a signal ends it, and us.
 */
int convert_job_run(struct convert_job *job);

/* Closes the sources, too. */
void convert_job_fini(struct convert_job *job);

#endif

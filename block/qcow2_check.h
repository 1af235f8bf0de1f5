/*
 * block/qcow2_check.h - is an image consistent, and making it so again.
 */
#ifndef BLOCK_QCOW2_CHECK_H
#define BLOCK_QCOW2_CHECK_H

#include <stdint.h>

#include "base/err.h"
#include "block/file.h"

enum qcow2_fix {
	QCOW2_FIX_LEAKS = 1 << 0,
	QCOW2_FIX_ERRORS = 1 << 1, /* and leaks */
};

struct qcow2_check_options {
	const char *name; /* of the image, for messages */
	unsigned int fix; /* of enum qcow2_fix; 0: only look */
	/* One finding, in the words of qemu-img. NULL: nobody listens. */
	void (*tell)(void *context, const char *line);
	void *context;
};

/* What "qemu-img check" counts. */
struct qcow2_check_result {
	uint64_t corruptions;  /* left */
	uint64_t leaks;	       /* clusters, left */
	uint64_t check_errors; /* what could not be judged */
	uint64_t corruptions_fixed;
	uint64_t leaks_fixed;
	uint64_t allocated_clusters;
	uint64_t total_clusters; /* of the disk */
	uint64_t fragmented_clusters;
	uint64_t compressed_clusters;
	uint64_t image_end_offset; /* bytes: behind the last cluster in use */
};

/*
 * Judges the image in @file, which nobody else has open, and repairs it if
 * options->fix says so; then @file must be writable. A repair survives power
 * cuts: the image is the old one or the new one.
 *
 * Once all is right, a repair also clears the dirty and the corrupt bit. What
 * cannot be followed - pointers out of the file or to no cluster's start - is
 * given up by FIX_ERRORS: such clusters read as zeroes, or what would hang from
 * a lost L2 table as if it were unallocated.
 *
 * 0 whatever is found; fails, with a sentence, where the header is too wrong to
 * go on from, or the host says no. *ret_result holds the counts so far then.
 */
int qcow2_check(struct file *file, const struct qcow2_check_options *options,
		struct qcow2_check_result *ret_result, struct err *err);

#endif

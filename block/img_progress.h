/*
 * block/img_progress.h - how far a long operation has come, on a terminal or
 * where -p asks for it, in qemu-img's form. Called by that name, only with -p.
 */
#ifndef BLOCK_IMG_PROGRESS_H
#define BLOCK_IMG_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "block/img_options.h"

struct img_progress {
	bool on;
	uint64_t total;
	int last_percent; /* that was shown */
};

/* By the options -p and -q; @total is what done will be at the end. */
void img_progress_start(struct img_progress *progress,
			const struct img_args *args, uint64_t total);
void img_progress_show(struct img_progress *progress, uint64_t done);
void img_progress_stop(struct img_progress *progress);

#endif

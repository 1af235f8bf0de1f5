/*
 * block/prompt.h - I/O that a queue's own thread does, where it takes no time.
 *
 * What the page cache has is copied by one system call, without the way through
 * an engine: RWF_NOWAIT answers at once, whether it can. Files without that
 * (those in memory; writes to most file systems) would be handed to a thread
 * of the kernel by an io_uring, which costs several times the copy: such calls
 * are made in place as well, as long as they turn out to be quick.
 */
#ifndef BLOCK_PROMPT_H
#define BLOCK_PROMPT_H

#include "block/part.h"

/* A thread's experience with calls that may wait. Starts as zeroes. */
struct pace {
	uint64_t wary_until_nsec;  /* CLOCK_MONOTONIC */
	uint64_t watch_until_nsec; /* sleeps are counted */
	long sleeps;		   /* of the thread so far... */
	bool is_counted;	   /* ...and no more, but in such calls */
};

/*
 * Is such a call likely to be quick? Then it is made, and pace_end() is told
 * *ret_start.
 */
bool pace_begin(struct pace *pace, uint64_t bytes, uint64_t *ret_start);
void pace_end(struct pace *pace, uint64_t start);

/* The thread has slept otherwise. */
static inline void pace_slept(struct pace *pace)
{
	pace->is_counted = false;
}

/* A queue's experience with host files. Starts as zeroes. */
struct prompt {
	unsigned int backoff; /* tries left out after the next miss */
	unsigned int skip;    /* tries still to leave out */
	struct pace pace;     /* where there is no RWF_NOWAIT */
};

/*
 * Tries to do the rest of a host part here. @eager: even if an engine would do
 * it for no more than this costs. PART_MORE: some or all of it is left.
 */
enum part_state prompt_try(struct prompt *prompt, struct part *part,
			   bool eager);

#endif

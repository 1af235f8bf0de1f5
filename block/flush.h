/*
 * block/flush.h - one flush for all who ask for one at the same time.
 *
 * A flush that is under way does not count for who asks now: what he wants to
 * be durable may have been written after it began. So he waits for the next
 * one, with all others who ask until that begins; one of them does it.
 */
#ifndef BLOCK_FLUSH_H
#define BLOCK_FLUSH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct flush_group {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	uint64_t begun_count; /* [l] */
	uint64_t ended_count; /* [l] one less while one is under way */
	int result;	      /* [l] of the last that has ended */
};

void flush_group_init(struct flush_group *group);
void flush_group_fini(struct flush_group *group);

/*
 * Returns what @flush returned in a call that began after this one; @flush is
 * never called twice at a time. Any thread.
 */
int flush_group_run(struct flush_group *group, int (*flush)(void *context),
		    void *context);

#endif

/*
 * block/workers.h - a few threads that do what has to wait: whatever of a disk
 * is not known from memory, and host I/O where no engine does it.
 *
 * The first is made early, so that no work finds none; others when there is
 * work for them. They stay until the end.
 *
 * Threads: all functions may be called by any, but init and fini.
 */
#ifndef BLOCK_WORKERS_H
#define BLOCK_WORKERS_H

#include <pthread.h>
#include <stdbool.h>

#define WORKERS_MAX 16

struct worker_job {
	void (*run)(struct worker_job *job); /* may free the job */
	struct worker_job *next;	     /* the pool's own */
};

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t wanted;	  /* with @lock: there is a job, or all end */
	struct worker_job *first; /* [l] jobs that nobody has begun... */
	struct worker_job **end;  /* [l] where the next one goes */
	unsigned int waiting;	  /* [l] ...their number */
	unsigned int idle;	  /* [l] threads that wait for one */
	unsigned int limit;	  /* [l] how many threads there may be */
	unsigned int count;	  /* [l] threads */
	bool quits;		  /* [l] */
	pthread_t threads[WORKERS_MAX];
};

void workers_init(struct workers *workers);

/*
 * Allows for up to @limit of them, or as many as there are CPUs, if that is
 * more than it was; and makes the first one: nothing may be submitted before.
 * -errno where the host has no thread to give.
 */
int workers_allow(struct workers *workers, unsigned int limit);

/* Does what is left and ends the threads. */
void workers_fini(struct workers *workers);

/* Has the job run by one of the threads. */
void workers_submit(struct workers *workers, struct worker_job *job);

/*
 * The same for work that may as well be left: false, and nothing is done, where
 * no thread has time for it.
 */
bool workers_offer(struct workers *workers, struct worker_job *job);

#endif

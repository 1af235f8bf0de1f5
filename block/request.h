/*
 * block/request.h - a queue from the inside: what block/queue.c (a queue and
 * its life) and block/request.c (how a request is done) share.
 */
#ifndef BLOCK_REQUEST_H
#define BLOCK_REQUEST_H

#include <pthread.h>
#include <stdatomic.h>

#include "block/engine.h"
#include "block/fast.h"
#include "block/prompt.h"
#include "block/queue.h"

struct request_list {
	struct block_request *first;
	struct block_request **end; /* where the next one goes */
};

struct block_queue {
	struct block *block;	    /* [c] */
	struct part *parts;	    /* [c] all there are, owned */
	int events[ENGINE_EVENTS];  /* [c] from the first run on */
	bool is_first_run;	    /* [q] nothing is enabled yet */
	bool is_quiet;		    /* [c] says nothing of its engine */
	struct engine *threads;	    /* [c] owned */
	struct engine *engine;	    /* [q] owned; may be threads */
	struct prompt prompt;	    /* [q] */
	struct pace slow_pace;	    /* [q] of workers' parts done here */
	struct part *free_parts;    /* [q] */
	struct request_list active; /* [q] something of it is not begun */
	size_t in_flight;	    /* [q] requests */
	size_t inside;		    /* [q] requests, of the disk's gate */
	uint64_t ended;		    /* [q] requests */
	uint64_t next_number;	    /* [q] */
	uint64_t cancelled_below;   /* [q] requests with lower numbers */
	struct block_queue_statistics statistics; /* [q] without kicks */
	pthread_mutex_t lock;
	struct part_list finished; /* [l] by workers */
	atomic_bool has_finished;  /* [a] it is not empty */
};

void request_list_init(struct request_list *list);
void request_list_append(struct request_list *list,
			 struct block_request *request);
/* NULL: there is none. */
struct block_request *request_list_take(struct request_list *list);

/*
 * Begins what is next of an active request: a piece of it, or less where the
 * parts run out. There must be a free one.
 */
void request_begin(struct block_queue *queue, struct block_request *request);

/* A part came back from the engine, or from a worker. */
void request_part_moved(struct block_queue *queue, struct part *part);
void request_part_finished(struct block_queue *queue, struct part *part);

#endif

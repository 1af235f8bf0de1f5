/*
 * block/queue.h - requests to a disk, many at a time.
 *
 * A queue belongs to one thread, the one that runs it first: that thread hands
 * requests in with block_queue_submit(), which never waits, and hears of their
 * ends in block_queue_run(), which does all the work and may sleep. A disk may
 * have any number of queues, beside the calls of block.h.
 *
 *	block_queue_submit(queue, &request);	any number of them
 *	block_queue_run(queue, true);		calls request.done()
 *
 * Order: requests that are under way at the same time are done in any order,
 * and where two of them overlap and one is a write, either may come first. A
 * flush covers the writes that had ended when it was submitted.
 */
#ifndef BLOCK_QUEUE_H
#define BLOCK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "block/block.h"
#include "block/cursor.h"
#include "block/gate.h"

enum block_operation {
	BLOCK_READ,
	BLOCK_WRITE,
	BLOCK_FLUSH, /* no range */
	BLOCK_DISCARD,
	BLOCK_WRITE_ZEROES,
};

/*
 * Zeroed, then filled in by the caller, whose it is again when done() is
 * called. Range and errors are those of block.h's call of the same name.
 */
struct block_request {
	enum block_operation operation;
	bool may_unmap; /* WRITE_ZEROES */
	uint64_t offset;
	uint64_t length;	 /* of a READ or WRITE: the iovec's */
	const struct iovec *iov; /* READ, WRITE; neither it nor what it */
	size_t iov_count;	 /* points to may go before done() */
	/*
	 * @result is 0 or -errno. May submit requests, this one too; may not
	 * run or free the queue.
	 */
	void (*done)(struct block_request *request, int result);

	/* The queue's own. */
	struct block_request *next; /* in a list of it */
	struct cursor cursor;	    /* of what is not begun yet */
	uint64_t position;	    /* bytes that are begun */
	uint64_t number;	    /* counts up */
	struct gate_pass pass;	    /* valid while mapped > 0 */
	unsigned int mapped;	    /* parts that need the pass */
	unsigned int pending;	    /* parts under way */
	int result;		    /* the first error */
};

/* How requests reach the host. */
enum block_engine {
	BLOCK_ENGINE_AUTO, /* what works best here */
	BLOCK_ENGINE_URING,
	BLOCK_ENGINE_THREADS,
};

struct block_queue_options {
	unsigned int depth; /* of the host's I/O; 0: the default */
	enum block_engine engine;
	bool quiet; /* says nothing of the engine that AUTO becomes */
	/*
	 * Memory that buffers will mostly be in, and that is never given back
	 * to the host anyway, like huge pages: it gets pinned, where that may
	 * be, so that I/O past the page cache need not do so each time, until
	 * block_queue_free(); or somewhat later, if that is called by another
	 * than the queue's thread. NULL: none.
	 */
	const struct iovec *pinned;
	size_t pinned_count; /* up to BLOCK_PINNED_MAX */
};

#define BLOCK_PINNED_MAX 4

struct block_queue;

/*
 * Fails with a sentence where the host refuses, as an engine that was asked
 * for by name. @block is borrowed until block_queue_free(). Any thread may
 * make a queue.
 */
int block_queue_new(struct block *block,
		    const struct block_queue_options *options,
		    struct block_queue **ret_queue, struct err *err);

/*
 * Cancels and ends what is under way: done() is called for all of it, and may
 * not submit any more. NULL is none. The queue's thread, or any if nothing is
 * under way.
 */
void block_queue_free(struct block_queue *queue);

/* "io_uring" or "threads". */
const char *block_queue_engine(const struct block_queue *queue);

/*
 * Lets the event (an eventfd) @fd wake block_queue_run(), which sets it back
 * to zero. Before the first run, once. Nobody else may read the event.
 */
void block_queue_watch(struct block_queue *queue, int fd);

/* Takes the request up. Nothing is checked or done before the next run. */
void block_queue_submit(struct block_queue *queue,
			struct block_request *request);

/*
 * Goes on with all requests, and calls done() of each that has ended. @wait:
 * if none has, sleeps until one does, or the watched event is raised. May
 * return early; without @wait, does not sleep.
 */
void block_queue_run(struct block_queue *queue, bool wait);

/*
 * What was submitted so far ends soon, with -ECANCELED if a part of it was not
 * begun: a request may be as long as the disk, and goes in pieces. As ever,
 * it ends in block_queue_run().
 */
void block_queue_cancel(struct block_queue *queue);

/* Requests submitted and not done. */
size_t block_queue_in_flight(const struct block_queue *queue);

struct block_queue_statistics {
	uint64_t kicks; /* times that the watched event was raised */
	/*
	 * Requests go in parts, each of a range that lies in one piece. What is
	 * zeroes, and what has been decompressed before, is none.
	 */
	uint64_t at_once;    /* done by the queue's own thread, on the spot */
	uint64_t by_engine;  /* handed to the host, and perhaps... */
	uint64_t by_workers; /* ...to a worker after that */
};

/*
 * Since the queue was made. On its thread, or on any while none runs it. A kick
 * that comes meanwhile may wake nobody.
 */
void block_queue_statistics(struct block_queue *queue,
			    struct block_queue_statistics *ret_statistics);

#endif

/*
 * block/engine.h - how a queue's reads and writes of host files get to the
 * kernel: by an io_uring, or not at all, so that threads have to do them.
 * Private to block/queue.c and block/engine_*.c.
 *
 * An engine is a const ops table and a struct that begins with a struct
 * engine. It sleeps for its queue, too: it knows the queue's events.
 *
 * Threads: an engine is made on any, then belongs to the thread that enables
 * it; free() too, if something may be under way.
 */
#ifndef BLOCK_ENGINE_H
#define BLOCK_ENGINE_H

#include "base/err.h"
#include "block/part.h"

enum engine_event {
	ENGINE_EVENT_KICK,     /* block_queue_watch() */
	ENGINE_EVENT_FINISHED, /* by a worker */
	ENGINE_EVENTS,
};

/* As long as the longest chain, with an overlay and room to spare. */
#define ENGINE_FILES_MAX 32

struct engine_options {
	unsigned int depth; /* parts under way at most */
	bool read_only;
	const struct file **files; /* by their numbers */
	size_t file_count;
	const struct iovec *pinned; /* see queue.h */
	size_t pinned_count;
};

struct engine;

struct engine_ops {
	/*
	 * Its thread takes the engine over, before all calls below. An eventfd
	 * or -1 for each event; nobody else reads them.
	 */
	int (*enable)(struct engine *engine, const int events[ENGINE_EVENTS]);
	/*
	 * Takes up the read or write of as much of the part as goes in one
	 * call, for the next run. False: the engine does not do such things.
	 */
	bool (*start)(struct engine *engine, struct part *part);
	/*
	 * Gets going what was started. @wait: sleeps until a part comes back
	 * or an event is raised. Appends what came back, with `moved` set.
	 */
	void (*run)(struct engine *engine, bool wait, struct part_list *back);
	void (*free)(struct engine *engine);
};

struct engine {
	const struct engine_ops *ops;
	const char *name;
	bool does_io;	/* start() is of use */
	uint64_t kicks; /* that it has taken from its event */
};

/*
 * io_uring. -ENOTSUP, -EPERM and so on with a sentence where the kernel lacks
 * what it takes, or forbids it.
 */
int engine_uring_new(const struct engine_options *options,
		     struct engine **ret_engine, struct err *err);

/* Does nothing but sleep. NULL: out of memory. */
struct engine *engine_threads_new(void);

#endif

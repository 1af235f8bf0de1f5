/*
 * block/engine_threads.c - where there is no io_uring: workers do the I/O, by
 * the blocking calls, and their completions wake the queue's thread.
 */
#include "block/engine.h"

#include <poll.h>
#include <stdlib.h>

#include "base/fd.h"

struct engine_threads {
	struct engine engine;
	struct pollfd events[ENGINE_EVENTS]; /* [q] */
};

static struct engine_threads *engine_threads_of(struct engine *engine)
{
	return (struct engine_threads *)engine;
}

static int engine_threads_enable(struct engine *engine,
				 const int events[ENGINE_EVENTS])
{
	struct engine_threads *threads = engine_threads_of(engine);

	for (int i = 0; i < ENGINE_EVENTS; i++)
		threads->events[i] = (struct pollfd){
			.fd = events[i],
			.events = POLLIN,
		};
	return 0;
}

static bool engine_threads_start(struct engine *engine, struct part *part)
{
	(void)engine;
	(void)part;
	return false;
}

static void engine_threads_run(struct engine *engine, bool wait,
			       struct part_list *back)
{
	struct engine_threads *threads = engine_threads_of(engine);
	uint64_t raised;

	(void)back;
	if (!wait || poll(threads->events, ENGINE_EVENTS, -1) <= 0)
		return;
	for (int i = 0; i < ENGINE_EVENTS; i++) {
		if (!(threads->events[i].revents & POLLIN))
			continue;
		raised = fd_event_clear(threads->events[i].fd);
		if (i == ENGINE_EVENT_KICK)
			engine->kicks += raised;
	}
}

static void engine_threads_free(struct engine *engine)
{
	free(engine);
}

static const struct engine_ops engine_threads_ops = {
	.enable = engine_threads_enable,
	.start = engine_threads_start,
	.run = engine_threads_run,
	.free = engine_threads_free,
};

struct engine *engine_threads_new(void)
{
	struct engine_threads *threads = calloc(1, sizeof(*threads));

	if (!threads)
		return NULL;
	threads->engine.ops = &engine_threads_ops;
	threads->engine.name = "threads";
	return &threads->engine;
}

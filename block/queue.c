/*
 * block/queue.c - a queue's life, and its runs; see queue.h.
 *
 * A run: what workers have finished comes back; requests that have something to
 * begin begin it (request.c), and perhaps end at once; the engine gets going
 * what it was given, and gives back what has ended, or sleeps.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/math.h"
#include "block/request.h"

#define DEPTH_DEFAULT 128
#define DEPTH_MAX     4096

/* Without an engine, this many threads at a time do the I/O. */
#define THREADS 16

/* As many looks into memory as a CPU has under way, and some more. */
#define EXPECTED_MAX 32

/* --- Engines -------------------------------------------------------------- */

static int use_uring(struct block_queue *queue,
		     const struct block_queue_options *how, unsigned int depth,
		     struct err *err)
{
	const struct file *files[ENGINE_FILES_MAX];
	struct engine_options options = {
		.depth = depth,
		.pinned = how->pinned,
		.pinned_count = how->pinned_count,
		.read_only = block_is_read_only(queue->block),
		.files = files,
	};

	options.file_count = block_files(queue->block, files,
					 ARRAY_LENGTH(files));
	return engine_uring_new(&options, &queue->engine, err);
}

static void say_threads(const struct block_queue *queue, const char *why)
{
	static atomic_bool said;

	if (!queue->is_quiet)
		log_once(&said, "threads serve the disks: %s", why);
}

/* A queue has threads to fall back on, whatever engine was chosen. */
static int choose_engine(struct block_queue *queue,
			 const struct block_queue_options *options,
			 unsigned int depth, struct err *err)
{
	struct err why;

	queue->is_quiet = options->quiet;
	queue->threads = engine_threads_new();
	if (!queue->threads)
		return err_set(err, ENOMEM, "out of memory");
	queue->engine = queue->threads;
	if (options->engine == BLOCK_ENGINE_URING)
		return use_uring(queue, options, depth, err);
	if (options->engine == BLOCK_ENGINE_AUTO &&
	    use_uring(queue, options, depth, &why))
		say_threads(queue, why.text);
	return 0;
}

static int allow_workers(struct block_queue *queue, struct err *err)
{
	unsigned int limit = queue->engine->does_io ? 0 : THREADS;
	int ret = workers_allow(block_workers(queue->block), limit);

	return ret ? err_errno(err, -ret, "cannot start a disk's threads") : 0;
}

/* --- Life ----------------------------------------------------------------- */

static int make_parts(struct block_queue *queue, unsigned int depth)
{
	queue->parts = calloc(depth, sizeof(queue->parts[0]));
	if (!queue->parts)
		return -ENOMEM;
	for (unsigned int i = depth; i-- > 0;) {
		queue->parts[i].queue = queue;
		queue->parts[i].next = queue->free_parts;
		queue->free_parts = &queue->parts[i];
	}
	return 0;
}

/* What fails half-way is cleaned up by block_queue_free(). */
static int queue_init(struct block_queue *queue, struct block *block,
		      const struct block_queue_options *options,
		      struct err *err)
{
	unsigned int depth = options->depth ? options->depth : DEPTH_DEFAULT;
	int ret;

	queue->block = block;
	queue->events[ENGINE_EVENT_KICK] = -1;
	queue->is_first_run = true;
	request_list_init(&queue->active);
	part_list_init(&queue->finished);
	pthread_mutex_init(&queue->lock, NULL);
	queue->events[ENGINE_EVENT_FINISHED] = fd_event_new();
	if (queue->events[ENGINE_EVENT_FINISHED] < 0)
		return err_errno(err, -queue->events[ENGINE_EVENT_FINISHED],
				 "cannot make a disk's event");
	depth = (unsigned int)min_u64(depth, DEPTH_MAX);
	if (make_parts(queue, depth))
		return err_set(err, ENOMEM, "out of memory");
	ret = choose_engine(queue, options, depth, err);
	return ret ? ret : allow_workers(queue, err);
}

int block_queue_new(struct block *block,
		    const struct block_queue_options *options,
		    struct block_queue **ret_queue, struct err *err)
{
	struct block_queue *queue = calloc(1, sizeof(*queue));
	int ret;

	if (!queue)
		return err_set(err, ENOMEM, "out of memory");
	ret = queue_init(queue, block, options, err);
	if (ret) {
		block_queue_free(queue);
		return ret;
	}
	*ret_queue = queue;
	return 0;
}

void block_queue_free(struct block_queue *queue)
{
	if (!queue)
		return;
	block_queue_cancel(queue);
	while (queue->in_flight)
		block_queue_run(queue, true);
	if (queue->engine != queue->threads)
		queue->engine->ops->free(queue->engine);
	if (queue->threads)
		queue->threads->ops->free(queue->threads);
	fd_close(&queue->events[ENGINE_EVENT_FINISHED]);
	pthread_mutex_destroy(&queue->lock);
	free(queue->parts);
	free(queue);
}

const char *block_queue_engine(const struct block_queue *queue)
{
	return queue->engine->name;
}

void block_queue_watch(struct block_queue *queue, int fd)
{
	assert(queue->is_first_run);
	queue->events[ENGINE_EVENT_KICK] = fd;
}

void block_queue_submit(struct block_queue *queue,
			struct block_request *request)
{
	request->cursor = cursor_make(request->iov, request->iov_count);
	request->position = 0;
	request->number = queue->next_number++;
	request->result = 0;
	queue->in_flight++;
	request_list_append(&queue->active, request);
}

void block_queue_cancel(struct block_queue *queue)
{
	queue->cancelled_below = queue->next_number;
}

size_t block_queue_in_flight(const struct block_queue *queue)
{
	return queue->in_flight;
}

void block_queue_statistics(struct block_queue *queue,
			    struct block_queue_statistics *ret_statistics)
{
	int kick_fd = queue->events[ENGINE_EVENT_KICK];

	if (kick_fd >= 0)
		queue->engine->kicks += fd_event_clear(kick_fd);
	*ret_statistics = queue->statistics;
	ret_statistics->kicks = queue->engine->kicks;
}

/* --- Runs ----------------------------------------------------------------- */

/* What could be made may still be refused to the thread that is to use it. */
static void enable(struct block_queue *queue)
{
	int ret = queue->engine->ops->enable(queue->engine, queue->events);

	queue->is_first_run = false;
	if (!ret)
		return;
	say_threads(queue, strerror(-ret));
	queue->engine->ops->free(queue->engine);
	queue->engine = queue->threads;
	queue->engine->ops->enable(queue->engine, queue->events);
}

static void take_finished(struct block_queue *queue)
{
	struct part_list finished;
	struct part *part;

	if (!atomic_load(&queue->has_finished))
		return;
	pthread_mutex_lock(&queue->lock);
	part_list_move(&finished, &queue->finished);
	atomic_store(&queue->has_finished, false);
	pthread_mutex_unlock(&queue->lock);
	while ((part = part_list_take(&finished)))
		request_part_finished(queue, part);
}

/*
 * Each request's first look into the map may wait for memory. Those of several
 * requests wait at once.
 */
static void expect_active(struct block_queue *queue)
{
	struct block_request *request = queue->active.first;
	struct block_pass pass;

	if (!request || !request->next || !block_begin(queue->block, &pass))
		return;
	for (int i = 0; request && i < EXPECTED_MAX; i++) {
		block_expect(queue->block, request->offset + request->position);
		request = request->next;
	}
	block_end(queue->block, pass);
}

/* What done() submits meanwhile is for the next run. */
static void begin_active(struct block_queue *queue)
{
	uint64_t limit = queue->in_flight;
	struct block_request *request;

	expect_active(queue);
	while (limit-- && queue->free_parts) {
		request = request_list_take(&queue->active);
		if (!request)
			break;
		request_begin(queue, request);
	}
}

void block_queue_run(struct block_queue *queue, bool wait)
{
	uint64_t ended = queue->ended;
	struct part_list back;
	struct part *part;

	if (queue->is_first_run)
		enable(queue);
	take_finished(queue);
	begin_active(queue);
	if (queue->ended != ended || (queue->active.first && queue->free_parts))
		wait = false;
	if (wait) {
		pace_slept(&queue->prompt.pace);
		pace_slept(&queue->slow_pace);
	}
	part_list_init(&back);
	queue->engine->ops->run(queue->engine, wait, &back);
	while ((part = part_list_take(&back)))
		request_part_moved(queue, part);
	take_finished(queue);
}

/*
 * devices/virtio_blk_queue.c - see virtio_blk_queue.h.
 *
 * The life of a request: the kick wakes the thread; virtqueue_pop() gives the
 * chain, into a task of the pool; virtio_blk_request_parse() says what is
 * asked; virtio_blk_execute() hands it to the block layer; when that is done
 * the status byte is written and the chain goes to the used ring, and after
 * each turn the driver gets one interrupt, if it wants one.
 *
 * Spinning: where the host has a CPU for it, the thread looks at the ring for a
 * moment before it sleeps. A request that comes then costs no exit for its
 * doorbell and no wake-up. The moment grows while that works and shrinks to
 * nothing while it does not, so an idle or slow guest costs nothing.
 *
 * Stopping: `running` goes false and the kick event wakes the thread. It
 * answers nothing any more, waits for the block layer to let go of the guest's
 * memory, and then says that it is not busy: what _wait waits for.
 */
#include "devices/virtio_blk_queue.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/math.h"
#include "base/relax.h"
#include "base/thread.h"

/* How long to spin: from the one, doubled up to the other. */
#define SPIN_NS_MIN 4000
#define SPIN_NS_MAX 64000

/* A request under way; as many as were ever needed at a time are kept. */
struct task {
	struct virtio_blk_job job; /* is first */
	struct virtio_blk_queue *queue;
	struct task *next; /* in the list of free ones */
	struct virtqueue_chain chain;
};

static_assert(offsetof(struct task, job) == 0, "on_job_done() casts");

struct virtio_blk_queue {
	struct virtio_blk_queue_options options; /* [c] */
	struct virtqueue *ring;			 /* [c] see virtqueue.h */
	int kick_fd;				 /* [c] */
	pthread_t thread;			 /* [c] */
	bool has_thread;			 /* [c] */
	atomic_bool running; /* [a] changed under the lock: may serve */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool quits;	/* [l] */
	bool busy;	/* [l] the thread may touch guest memory */
	uint64_t stops; /* [l] each has raised the kick event */

	struct block_queue *requests;		 /* [q] */
	struct task *free_tasks;		 /* [q] */
	unsigned int active_count;		 /* [q] not free */
	uint64_t spin_ns;			 /* [q] 0: not now */
	struct virtio_blk_statistics statistics; /* [q] */
};

/* --- Tasks ---------------------------------------------------------------- */

static void on_job_done(struct virtio_blk_job *job, int ret, size_t written);

/* One more; NULL: there is no memory for it. */
static struct task *task_new(struct virtio_blk_queue *queue)
{
	struct task *task = calloc(1, sizeof(*task));

	if (!task)
		return NULL;
	if (virtqueue_chain_init(&task->chain,
				 queue->options.device->queue_size_max)) {
		free(task);
		return NULL;
	}
	task->queue = queue;
	task->job = (struct virtio_blk_job){
		.target = queue->options.target,
		.queue = queue->requests,
		.done = on_job_done,
	};
	return task;
}

/* More cannot be in the ring. */
static bool all_are_active(const struct virtio_blk_queue *queue)
{
	return queue->active_count == queue->options.device->queue_size_max;
}

/* NULL: all that may be are under way, or there is no memory for more. */
static struct task *task_take(struct virtio_blk_queue *queue)
{
	struct task *task = queue->free_tasks;

	if (task)
		queue->free_tasks = task->next;
	else if (!all_are_active(queue))
		task = task_new(queue);
	if (task)
		queue->active_count++;
	return task;
}

static void task_put(struct task *task)
{
	struct virtio_blk_queue *queue = task->queue;

	task->next = queue->free_tasks;
	queue->free_tasks = task;
	queue->active_count--;
}

static void tasks_free(struct virtio_blk_queue *queue)
{
	struct task *task;

	while ((task = queue->free_tasks)) {
		queue->free_tasks = task->next;
		virtqueue_chain_fini(&task->chain);
		free(task);
	}
}

/* --- Requests, on the queue's thread -------------------------------------- */

static void on_job_done(struct virtio_blk_job *job, int ret, size_t written)
{
	struct task *task = (struct task *)job;
	struct virtio_blk_queue *queue = task->queue;

	if (atomic_load(&queue->running)) {
		/* The status counts as written only behind all the rest. */
		if (written == job->request.to_driver.length)
			written++;
		else
			written = 0;
		*job->request.status = virtio_blk_request_status(ret);
		virtqueue_push(queue->ring, task->chain.head, written);
		virtio_blk_statistics_note(&queue->statistics, &job->request,
					   ret);
	}
	task_put(task);
}

/* 1: the ring's next request is under way; 0: there is none; or -EPROTO. */
static int begin_next(struct virtio_blk_queue *queue, struct task *task)
{
	int ret = virtqueue_pop(queue->ring, &task->chain);

	if (ret <= 0)
		return ret;
	ret = virtio_blk_request_parse(&task->chain, &task->job.request);
	if (ret)
		return ret;
	virtio_blk_execute(&task->job);
	return 1;
}

/* Begins what is in the ring. How much that was, or -EPROTO. */
static int fetch(struct virtio_blk_queue *queue)
{
	struct task *task;
	int count = 0, ret;

	while (atomic_load(&queue->running) && (task = task_take(queue))) {
		ret = begin_next(queue, task);
		if (ret <= 0) {
			task_put(task);
			return ret ? ret : count;
		}
		count++;
	}
	return count;
}

static void publish(struct virtio_blk_queue *queue)
{
	if (!virtqueue_publish(queue->ring))
		return;
	virtio_interrupt(queue->options.device);
	queue->statistics.interrupts++;
}

/* Is it certain that a kick comes for whatever the ring will hold? */
static bool may_sleep(struct virtio_blk_queue *queue)
{
	return all_are_active(queue) || !virtqueue_arm_kick(queue->ring);
}

/* Waits for the ring while that is likely to be short; did something come? */
static bool spin(struct virtio_blk_queue *queue)
{
	uint64_t end;

	if (!queue->spin_ns || queue->active_count)
		return false;
	queue->statistics.spins++;
	end = clock_now_nsec() + queue->spin_ns;
	do {
		for (unsigned int i = 0; i < 32; i++) {
			if (virtqueue_has_more(queue->ring)) {
				queue->statistics.spins_won++;
				return true;
			}
			cpu_relax();
		}
	} while (atomic_load(&queue->running) && clock_now_nsec() < end);
	queue->spin_ns /= 2;
	if (queue->spin_ns < SPIN_NS_MIN)
		queue->spin_ns = 0;
	return false;
}

/* Sleeps until something ends or a kick comes, and learns from how long. */
static void sleep_in_run(struct virtio_blk_queue *queue)
{
	bool idle = queue->options.may_spin && !queue->active_count;
	uint64_t since = idle ? clock_now_nsec() : 0;

	queue->statistics.sleeps++;
	block_queue_run(queue->requests, true);
	if (idle && clock_now_nsec() - since < SPIN_NS_MAX)
		queue->spin_ns =
			min_u64(SPIN_NS_MAX,
				max_u64(SPIN_NS_MIN, 2 * queue->spin_ns));
}

/* What there is at most is reached before something of it ends. */
static void note_active(struct virtio_blk_queue *queue)
{
	unsigned int *most = &queue->statistics.most_at_a_time;

	if (queue->active_count > *most)
		*most = queue->active_count;
}

static void serve(struct virtio_blk_queue *queue)
{
	unsigned int active;
	int fetched;

	while (atomic_load(&queue->running)) {
		virtqueue_disarm_kick(queue->ring);
		fetched = fetch(queue);
		if (fetched < 0) {
			atomic_store(&queue->running, false);
			virtio_needs_reset(queue->options.device);
			return;
		}
		active = queue->active_count;
		note_active(queue);
		block_queue_run(queue->requests, false);
		publish(queue);
		/* As long as there is progress there is likely to be more. */
		if (fetched || queue->active_count < active || spin(queue) ||
		    !may_sleep(queue))
			continue;
		/* That run may have taken the event by which we are stopped. */
		if (!atomic_load(&queue->running))
			return;
		sleep_in_run(queue);
		publish(queue);
	}
}

/* Nothing is answered any more; the block layer lets go of guest memory. */
static void drain(struct virtio_blk_queue *queue)
{
	while (queue->active_count) {
		/* Each time: the end of one part may have begun another. */
		block_queue_cancel(queue->requests);
		block_queue_run(queue->requests, true);
	}
}

/* Sleeps until it is started; false: it is to end. */
static bool wait_for_start(struct virtio_blk_queue *queue)
{
	bool goes_on;

	pthread_mutex_lock(&queue->lock);
	queue->statistics.cpu_nsec = clock_thread_nsec();
	queue->busy = false;
	pthread_cond_broadcast(&queue->changed);
	while (!atomic_load(&queue->running) && !queue->quits)
		pthread_cond_wait(&queue->changed, &queue->lock);
	goes_on = !queue->quits;
	queue->busy = goes_on;
	pthread_mutex_unlock(&queue->lock);
	return goes_on;
}

static void *queue_main(void *argument)
{
	struct virtio_blk_queue *queue = argument;
	char name[32];

	snprintf(name, sizeof(name), "disk/%u.%u", queue->options.disk_index,
		 queue->options.index);
	pthread_setname_np(pthread_self(), name);
	while (wait_for_start(queue)) {
		serve(queue);
		drain(queue);
	}
	/* By its own thread, so that the guest's memory is not pinned later. */
	block_queue_free(queue->requests);
	queue->requests = NULL;
	return NULL;
}

/* --- Start and stop ------------------------------------------------------- */

int virtio_blk_queue_kick_fd(const struct virtio_blk_queue *queue)
{
	return queue->kick_fd;
}

void virtio_blk_queue_start(struct virtio_blk_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	atomic_store(&queue->running, true);
	pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
}

void virtio_blk_queue_stop(struct virtio_blk_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	atomic_store(&queue->running, false);
	queue->stops++;
	pthread_mutex_unlock(&queue->lock);
	fd_event_raise(queue->kick_fd);
}

void virtio_blk_queue_wait(struct virtio_blk_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	while (queue->busy)
		pthread_cond_wait(&queue->changed, &queue->lock);
	pthread_mutex_unlock(&queue->lock);
}

void virtio_blk_queue_add_statistics(struct virtio_blk_queue *queue,
				     struct virtio_blk_statistics *sum)
{
	struct virtio_blk_statistics *statistics = &queue->statistics;

	pthread_mutex_lock(&queue->lock);
	block_queue_statistics(queue->requests, &statistics->queue);
	statistics->queue.kicks -= queue->stops;
	statistics->engine = block_queue_engine(queue->requests);
	virtio_blk_statistics_add(sum, statistics);
	pthread_mutex_unlock(&queue->lock);
}

/* --- Life ----------------------------------------------------------------- */

static int start_thread(struct virtio_blk_queue *queue, struct err *err)
{
	int ret = thread_start(&queue->thread, queue_main, queue);

	queue->has_thread = !ret;
	return ret ? err_errno(err, -ret, "cannot start a disk's thread") : 0;
}

int virtio_blk_queue_new(const struct virtio_blk_queue_options *options,
			 struct virtio_blk_queue **ret_queue, struct err *err)
{
	const struct block_queue_options how = {
		.pinned = options->pinned,
		.pinned_count = options->pinned_count,
	};
	struct virtio_blk_queue *queue = calloc(1, sizeof(*queue));
	int ret;

	if (!queue)
		return err_errno(err, ENOMEM, "cannot create a disk's queue");
	queue->options = *options;
	queue->ring = &options->device->queues[options->index];
	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->changed, NULL);
	queue->kick_fd = fd_event_new();
	ret = queue->kick_fd < 0 ? err_errno(err, -queue->kick_fd,
					     "cannot create a disk's queue")
				 : 0;
	if (!ret)
		ret = block_queue_new(options->target->disk, &how,
				      &queue->requests, err);
	if (!ret) {
		block_queue_watch(queue->requests, queue->kick_fd);
		ret = start_thread(queue, err);
	}
	if (ret)
		virtio_blk_queue_free(queue);
	else
		*ret_queue = queue;
	return ret;
}

void virtio_blk_queue_free(struct virtio_blk_queue *queue)
{
	if (!queue)
		return;
	if (queue->has_thread) {
		pthread_mutex_lock(&queue->lock);
		queue->quits = true;
		pthread_cond_broadcast(&queue->changed);
		pthread_mutex_unlock(&queue->lock);
		pthread_join(queue->thread, NULL);
	}
	block_queue_free(queue->requests);
	tasks_free(queue);
	fd_close(&queue->kick_fd);
	pthread_cond_destroy(&queue->changed);
	pthread_mutex_destroy(&queue->lock);
	free(queue);
}

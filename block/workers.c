/* block/workers.c - see workers.h. */
#include "block/workers.h"

#include <assert.h>
#include <stddef.h>
#include <unistd.h>

#include "base/thread.h"

void workers_init(struct workers *workers)
{
	*workers = (struct workers){0};
	workers->end = &workers->first;
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->wanted, NULL);
}

/* Under the lock. NULL: it is time to end. */
static struct worker_job *take_job(struct workers *workers)
{
	struct worker_job *job;

	workers->idle++;
	while (!workers->first && !workers->quits)
		pthread_cond_wait(&workers->wanted, &workers->lock);
	workers->idle--;
	job = workers->first;
	if (!job)
		return NULL;
	workers->first = job->next;
	if (!workers->first)
		workers->end = &workers->first;
	workers->waiting--;
	return job;
}

static void *worker_main(void *argument)
{
	struct workers *workers = argument;
	struct worker_job *job;

	pthread_setname_np(pthread_self(), "disk worker");
	pthread_mutex_lock(&workers->lock);
	while ((job = take_job(workers))) {
		pthread_mutex_unlock(&workers->lock);
		job->run(job);
		pthread_mutex_lock(&workers->lock);
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

void workers_fini(struct workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	workers->quits = true;
	pthread_cond_broadcast(&workers->wanted);
	pthread_mutex_unlock(&workers->lock);
	for (unsigned int i = 0; i < workers->count; i++)
		pthread_join(workers->threads[i], NULL);
	pthread_cond_destroy(&workers->wanted);
	pthread_mutex_destroy(&workers->lock);
}

/* Under the lock. */
static int hire(struct workers *workers)
{
	int ret = thread_start(&workers->threads[workers->count], worker_main,
			       workers);

	if (!ret)
		workers->count++;
	return ret;
}

int workers_allow(struct workers *workers, unsigned int limit)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int ret = 0;

	if (cpus > (long)limit)
		limit = (unsigned int)cpus;
	if (limit > WORKERS_MAX)
		limit = WORKERS_MAX;
	pthread_mutex_lock(&workers->lock);
	if (limit > workers->limit)
		workers->limit = limit;
	if (!workers->count)
		ret = hire(workers);
	pthread_mutex_unlock(&workers->lock);
	return ret;
}

/*
 * Under the lock. Where no more threads are to be had, those that are there do
 * it later.
 */
static void add_job(struct workers *workers, struct worker_job *job)
{
	assert(workers->count);
	job->next = NULL;
	*workers->end = job;
	workers->end = &job->next;
	workers->waiting++;
	if (workers->waiting > workers->idle && workers->count < workers->limit)
		hire(workers);
}

void workers_submit(struct workers *workers, struct worker_job *job)
{
	pthread_mutex_lock(&workers->lock);
	add_job(workers, job);
	pthread_mutex_unlock(&workers->lock);
	/* Who wakes wants the lock. */
	pthread_cond_signal(&workers->wanted);
}

/* One thread is left alone: what it would do ahead, others need done now. */
bool workers_offer(struct workers *workers, struct worker_job *job)
{
	unsigned int free;
	bool has_time;

	pthread_mutex_lock(&workers->lock);
	free = workers->idle + workers->limit - workers->count;
	has_time = workers->count && workers->limit > 1 && !workers->quits &&
		   workers->waiting < free;
	if (has_time)
		add_job(workers, job);
	pthread_mutex_unlock(&workers->lock);
	if (has_time)
		pthread_cond_signal(&workers->wanted);
	return has_time;
}

/* block/flush.c - see flush.h. */
#include "block/flush.h"

void flush_group_init(struct flush_group *group)
{
	*group = (struct flush_group){0};
	pthread_mutex_init(&group->lock, NULL);
	pthread_cond_init(&group->ended, NULL);
}

void flush_group_fini(struct flush_group *group)
{
	pthread_cond_destroy(&group->ended);
	pthread_mutex_destroy(&group->lock);
}

/* Under the lock, which it gives up meanwhile. */
static void flush_once(struct flush_group *group, int (*flush)(void *context),
		       void *context)
{
	int ret;

	group->begun_count++;
	pthread_mutex_unlock(&group->lock);
	ret = flush(context);
	pthread_mutex_lock(&group->lock);
	group->ended_count++;
	group->result = ret;
	pthread_cond_broadcast(&group->ended);
}

/*
 * If a later one has ended as well, its result is as good: it made durable what
 * the earlier one did not, or could not.
 */
int flush_group_run(struct flush_group *group, int (*flush)(void *context),
		    void *context)
{
	uint64_t wanted;
	int ret;

	pthread_mutex_lock(&group->lock);
	wanted = group->begun_count + 1;
	while (group->ended_count < wanted) {
		if (group->ended_count == group->begun_count)
			flush_once(group, flush, context);
		else
			pthread_cond_wait(&group->ended, &group->lock);
	}
	ret = group->result;
	pthread_mutex_unlock(&group->lock);
	return ret;
}

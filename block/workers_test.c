/* block/workers_test.c - threads that are made when there is work for them. */
#include "block/workers.h"

#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/math.h"
#include "base/test.h"

#define JOBS 8

struct job {
	struct worker_job job; /* is first */
	sem_t *begun, *go_on;  /* NULL: it does not wait */
	atomic_int *ended;
	bool had_signals;
};

static void run(struct worker_job *worker_job)
{
	struct job *job = (struct job *)worker_job;
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	job->had_signals = !sigismember(&mask, SIGTERM);
	if (job->begun) {
		sem_post(job->begun);
		sem_wait(job->go_on);
	}
	atomic_fetch_add(job->ended, 1);
}

/* All of them wait in run() until they are let go. */
static void as_many_as_allowed_run_at_once(void)
{
	struct workers workers;
	struct job jobs[JOBS];
	atomic_int ended = 0;
	sem_t begun, go_on;

	workers_init(&workers);
	sem_init(&begun, 0, 0);
	sem_init(&go_on, 0, 0);
	REQUIRE(!workers_allow(&workers, 4));
	CHECK_EQUAL(workers.count, 1);
	for (int i = 0; i < JOBS; i++) {
		jobs[i] = (struct job){
			.job = {.run = run},
			.begun = &begun,
			.go_on = &go_on,
			.ended = &ended,
		};
		workers_submit(&workers, &jobs[i].job);
	}
	for (int i = 0; i < 4; i++)
		sem_wait(&begun);
	CHECK_EQUAL(atomic_load(&ended), 0);
	CHECK(workers.count >= 4 && workers.count <= WORKERS_MAX);
	for (int i = 0; i < JOBS; i++)
		sem_post(&go_on);
	workers_fini(&workers);
	CHECK_EQUAL(atomic_load(&ended), JOBS);
	for (int i = 0; i < JOBS; i++)
		CHECK(!jobs[i].had_signals);
	sem_destroy(&begun);
	sem_destroy(&go_on);
}

static void one_is_enough_for_one_job_after_the_other(void)
{
	struct workers workers;
	atomic_int ended = 0;
	struct job job = {.job = {.run = run}, .ended = &ended};

	workers_init(&workers);
	REQUIRE(!workers_allow(&workers, 1));
	for (int i = 0; i < 5; i++) {
		workers_submit(&workers, &job.job);
		while (atomic_load(&ended) <= i)
			sched_yield();
	}
	CHECK(workers.count <= 2);
	workers_fini(&workers);
}

static void none_is_made_without_need(void)
{
	struct workers workers;

	workers_init(&workers);
	CHECK_EQUAL(workers.count, 0);
	workers_fini(&workers);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(as_many_as_allowed_run_at_once),
		TEST(one_is_enough_for_one_job_after_the_other),
		TEST(none_is_made_without_need),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

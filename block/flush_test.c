/*
 * block/flush_test.c - who shares a flush with whom.
 */
#include "block/flush.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/test.h"

#define THREADS 6

struct disk {
	struct flush_group group;
	atomic_uint begun, under_way;
	atomic_bool held; /* a flush does not end before this is over */
	atomic_bool overlapped;
	int result;
};

static int flush(void *context)
{
	struct disk *disk = context;

	if (atomic_fetch_add(&disk->under_way, 1))
		atomic_store(&disk->overlapped, true);
	atomic_fetch_add(&disk->begun, 1);
	while (atomic_load(&disk->held))
		usleep(100);
	atomic_fetch_sub(&disk->under_way, 1);
	return disk->result;
}

static void *ask(void *context)
{
	struct disk *disk = context;

	return (void *)(intptr_t)flush_group_run(&disk->group, flush, disk);
}

static void one_alone_is_one(void)
{
	struct disk disk = {0};

	flush_group_init(&disk.group);
	for (unsigned int i = 1; i < 4; i++) {
		CHECK_EQUAL(flush_group_run(&disk.group, flush, &disk), 0);
		CHECK_EQUAL(disk.begun, i);
	}
	disk.result = -EIO;
	CHECK_EQUAL(flush_group_run(&disk.group, flush, &disk), -EIO);
	flush_group_fini(&disk.group);
}

/*
 * While the first is under way, others ask; how many flushes that took. Whoever
 * a busy machine let ask too late needs one more.
 */
static unsigned int count_flushes(void)
{
	struct disk disk = {0};
	pthread_t threads[THREADS];
	void *ret;

	flush_group_init(&disk.group);
	atomic_store(&disk.held, true);
	pthread_create(&threads[0], NULL, ask, &disk);
	while (!atomic_load(&disk.begun))
		usleep(100);
	for (unsigned int i = 1; i < THREADS; i++)
		pthread_create(&threads[i], NULL, ask, &disk);
	usleep(1000 * THREADS); /* so that they have asked, most likely */
	CHECK_EQUAL(disk.begun, 1);
	atomic_store(&disk.held, false);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &ret);
		CHECK_EQUAL((intptr_t)ret, 0);
	}
	CHECK(disk.begun >= 2);
	CHECK(!disk.overlapped);
	flush_group_fini(&disk.group);
	return disk.begun;
}

/* All who ask meanwhile need one more, together. */
static void those_who_wait_share_the_next(void)
{
	unsigned int tries = 0;

	while (!test_failed && tries < 100 && count_flushes() > 2)
		tries++;
	CHECK(tries < 100);
}

static void *ask_often(void *context)
{
	for (unsigned int i = 0; i < 1000; i++)
		ask(context);
	return NULL;
}

static void nobody_waits_for_ever(void)
{
	struct disk disk = {0};
	pthread_t threads[THREADS];

	flush_group_init(&disk.group);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, ask_often, &disk);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK(disk.begun <= THREADS * 1000);
	CHECK(!disk.overlapped);
	flush_group_fini(&disk.group);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(one_alone_is_one),
		TEST(those_who_wait_share_the_next),
		TEST(nobody_waits_for_ever),
	};

	return test_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}

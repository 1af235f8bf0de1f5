/* vmm/loop_test.c - sources that are ready, disarmed, removed and replaced. */
#include "vmm/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/math.h"
#include "base/test.h"

/* An event source that counts its calls. */
struct counter {
	struct loop *loop;
	int fd;
	unsigned int calls;
	int remove_fd; /* is taken out of the loop when called; -1: none */
};

static void count(void *context)
{
	struct counter *counter = context;

	counter->calls++;
	fd_event_clear(counter->fd);
	if (counter->remove_fd >= 0)
		loop_remove(counter->loop, counter->remove_fd);
}

static struct counter new_counter(struct loop *loop)
{
	struct counter counter = {loop, fd_event_new(), 0, -1};

	if (counter.fd < 0)
		abort();
	return counter;
}

static void ready_sources_are_called(void)
{
	struct loop loop;
	struct counter a, b;

	REQUIRE(!loop_init(&loop, NULL));
	a = new_counter(&loop);
	b = new_counter(&loop);
	CHECK_EQUAL(loop_add(&loop, a.fd, EPOLLIN, count, &a), 0);
	CHECK_EQUAL(loop_add(&loop, b.fd, EPOLLIN, count, &b), 0);
	fd_event_raise(a.fd);
	loop_run_once(&loop);
	CHECK_EQUAL(a.calls, 1);
	CHECK_EQUAL(b.calls, 0);
	fd_event_raise(a.fd);
	fd_event_raise(b.fd);
	loop_run_once(&loop);
	CHECK_EQUAL(a.calls, 2);
	CHECK_EQUAL(b.calls, 1);
	fd_close(&a.fd);
	fd_close(&b.fd);
	loop_fini(&loop);
}

static void oneshot_sources_wait_to_be_armed(void)
{
	struct loop loop;
	struct counter once, other;

	REQUIRE(!loop_init(&loop, NULL));
	once = new_counter(&loop);
	other = new_counter(&loop);
	loop_add(&loop, once.fd, EPOLLIN | EPOLLONESHOT, count, &once);
	loop_add(&loop, other.fd, EPOLLIN, count, &other);
	fd_event_raise(once.fd);
	loop_run_once(&loop);
	fd_event_raise(once.fd);
	fd_event_raise(other.fd);
	loop_run_once(&loop);
	CHECK_EQUAL(once.calls, 1);
	CHECK_EQUAL(other.calls, 1);
	loop_arm(&loop, once.fd, EPOLLIN | EPOLLONESHOT);
	loop_run_once(&loop);
	CHECK_EQUAL(once.calls, 2);
	fd_close(&once.fd);
	fd_close(&other.fd);
	loop_fini(&loop);
}

/* Both are ready; whichever is called first takes the other one out. */
static void removed_sources_are_not_called(void)
{
	struct loop loop;
	struct counter a, b;

	REQUIRE(!loop_init(&loop, NULL));
	a = new_counter(&loop);
	b = new_counter(&loop);
	a.remove_fd = b.fd;
	b.remove_fd = a.fd;
	loop_add(&loop, a.fd, EPOLLIN, count, &a);
	loop_add(&loop, b.fd, EPOLLIN, count, &b);
	fd_event_raise(a.fd);
	fd_event_raise(b.fd);
	loop_run_once(&loop);
	CHECK_EQUAL(a.calls + b.calls, 1);
	fd_close(&a.fd);
	fd_close(&b.fd);
	loop_fini(&loop);
}

/* Lives come and go; the places of what was removed are used again. */
static void places_are_used_again(void)
{
	struct loop loop;
	struct counter counter;

	REQUIRE(!loop_init(&loop, NULL));
	for (unsigned int i = 0; i < 10 * LOOP_SOURCES_MAX; i++) {
		counter = new_counter(&loop);
		REQUIRE(!loop_add(&loop, counter.fd, EPOLLIN, count, &counter));
		fd_event_raise(counter.fd);
		loop_run_once(&loop);
		CHECK_EQUAL(counter.calls, 1);
		loop_remove(&loop, counter.fd);
		fd_close(&counter.fd);
	}
	CHECK(loop.count <= 1);
	loop_fini(&loop);
}

static void what_cannot_be_waited_for(void)
{
	int file = memfd_create("loop_test", MFD_CLOEXEC);
	struct counter counter;
	struct loop loop;

	REQUIRE(!loop_init(&loop, NULL));
	counter = new_counter(&loop);
	CHECK_EQUAL(loop_add(&loop, -1, EPOLLIN, count, &counter), 0);
	CHECK_EQUAL(loop_add(&loop, file, EPOLLIN, count, &counter), -EPERM);
	CHECK_EQUAL(loop.count, 0);
	loop_arm(&loop, file, EPOLLIN); /* harmless */
	loop_arm(&loop, -1, EPOLLIN);
	loop_remove(&loop, file);
	loop_remove(&loop, -1);
	fd_close(&counter.fd);
	fd_close(&file);
	loop_fini(&loop);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(ready_sources_are_called),
		TEST(oneshot_sources_wait_to_be_armed),
		TEST(removed_sources_are_not_called),
		TEST(places_are_used_again),
		TEST(what_cannot_be_waited_for),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

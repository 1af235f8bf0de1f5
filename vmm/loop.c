/* vmm/loop.c - see loop.h. */
#include "vmm/loop.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>

#include "base/fd.h"

int loop_init(struct loop *loop, struct err *err)
{
	*loop = (struct loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
	if (loop->epoll_fd < 0)
		return err_errno(err, errno, "cannot make an epoll descriptor");
	return 0;
}

void loop_fini(struct loop *loop)
{
	fd_close(&loop->epoll_fd);
}

/* -1 finds a free place. */
static unsigned int find_source(const struct loop *loop, int fd)
{
	unsigned int i = 0;

	while (i < loop->count && loop->sources[i].fd != fd)
		i++;
	return i;
}

int loop_add(struct loop *loop, int fd, uint32_t events,
	     void (*ready)(void *context), void *context)
{
	unsigned int index = find_source(loop, -1);
	struct epoll_event event = {.events = events, .data.u32 = index};

	if (fd < 0)
		return 0;
	assert(index < LOOP_SOURCES_MAX);
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	loop->sources[index] = (struct loop_source){fd, ready, context};
	if (index == loop->count)
		loop->count++;
	return 0;
}

void loop_arm(struct loop *loop, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events,
				    .data.u32 = find_source(loop, fd)};

	epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event);
}

void loop_remove(struct loop *loop, int fd)
{
	unsigned int index = find_source(loop, fd);

	if (fd < 0 || index == loop->count)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	loop->sources[index].fd = -1;
}

void loop_run_once(struct loop *loop)
{
	struct epoll_event events[LOOP_SOURCES_MAX];
	const struct loop_source *source;
	int count = epoll_wait(loop->epoll_fd, events, LOOP_SOURCES_MAX, -1);

	for (int i = 0; i < count; i++) {
		source = &loop->sources[events[i].data.u32];
		if (source->fd >= 0) /* one before it may have removed it */
			source->ready(source->context);
	}
}

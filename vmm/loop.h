/*
 * vmm/loop.h - main's event loop: a few descriptors and what to do when each
 * is ready. On main only.
 */
#ifndef VMM_LOOP_H
#define VMM_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define LOOP_SOURCES_MAX 16

struct loop_source {
	int fd;
	void (*ready)(void *context);
	void *context;
};

struct loop {
	int epoll_fd;
	unsigned int count;
	struct loop_source sources[LOOP_SOURCES_MAX];
};

int loop_init(struct loop *loop, struct err *err);
void loop_fini(struct loop *loop);

/*
 * Calls @ready whenever @fd has one of @events (EPOLLIN, EPOLLOUT; with
 * EPOLLONESHOT only once, until loop_arm()). -EPERM for a file that is always
 * ready, such as a regular one. Without an fd (-1) there is nothing to do.
 */
int loop_add(struct loop *loop, int fd, uint32_t events,
	     void (*ready)(void *context), void *context);

/* Waits for a source again that EPOLLONESHOT has disarmed. */
void loop_arm(struct loop *loop, int fd, uint32_t events);
void loop_remove(struct loop *loop, int fd);

/* Waits until something is ready and calls what is due. */
void loop_run_once(struct loop *loop);

#endif

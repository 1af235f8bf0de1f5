/*
 * base/thread.h - threads of the program's own, which no signal reaches.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/* pthread_create(), for a thread that never runs a signal handler. -errno. */
int thread_start(pthread_t *ret_thread, void *(*run)(void *argument),
		 void *argument);

#endif

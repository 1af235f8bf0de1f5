/*
 * base/thread.h - threads of the program's own.
 *
 * Their stacks are small. The C library's usual 8 MiB would be dear where huge
 * pages are given unasked: a stack that lies well gets one of 2 MiB at once.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/* pthread_create(). -errno. */
int thread_create(pthread_t *ret_thread, void *(*run)(void *argument),
		  void *argument);

/* The same, for a thread that never runs a signal handler. */
int thread_start(pthread_t *ret_thread, void *(*run)(void *argument),
		 void *argument);

#endif

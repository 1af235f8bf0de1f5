/* base/thread.c - see thread.h. */
#include "base/thread.h"

#include <signal.h>

#include "base/math.h"

/* Tens of times what any thread uses; and sanitizers need more. */
#define STACK_SIZE (512 * KIB)

int thread_create(pthread_t *ret_thread, void *(*run)(void *argument),
		  void *argument)
{
	pthread_attr_t attributes;
	int ret;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	ret = pthread_create(ret_thread, &attributes, run, argument);
	pthread_attr_destroy(&attributes);
	return -ret;
}

/* The new thread inherits a mask under which no signal ever reaches it. */
int thread_start(pthread_t *ret_thread, void *(*run)(void *argument),
		 void *argument)
{
	sigset_t all, before;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = thread_create(ret_thread, run, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ret;
}

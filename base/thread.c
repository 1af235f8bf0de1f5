/* base/thread.c - see thread.h. */
#include "base/thread.h"

#include <signal.h>

/* The new thread inherits a mask under which no signal ever reaches it. */
int thread_start(pthread_t *ret_thread, void *(*run)(void *argument),
		 void *argument)
{
	sigset_t all, before;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(ret_thread, NULL, run, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -ret;
}

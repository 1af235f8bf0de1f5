/* block/img_stop.c - see img_stop.h. */
#include "block/img_stop.h"

#include <signal.h>
#include <stddef.h>

#include "base/math.h"

atomic_bool img_stop;

static volatile sig_atomic_t signal_that_came;

static void on_signal(int number)
{
	signal_that_came = number;
	atomic_store(&img_stop, true);
}

void img_stop_catch(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal}, old;

	action.sa_flags = SA_RESTART;
	for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
		if (!sigaction(numbers[i], NULL, &old) &&
		    old.sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
}

void img_stop_finish(void)
{
	if (!signal_that_came)
		return;
	signal(signal_that_came, SIG_DFL);
	raise(signal_that_came);
}

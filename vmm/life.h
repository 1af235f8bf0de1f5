/*
 * vmm/life.h - main while a machine lives: the event loop that passes on what
 * comes from outside - console, signals, time - until the ending is decided.
 *
 * One for all lives of the machine: what was typed before a reset and not yet
 * taken reaches the next life, and --timeout counts over all of them.
 */
#ifndef VMM_LIFE_H
#define VMM_LIFE_H

#include "vmm/console.h"
#include "vmm/loop.h"
#include "vmm/machine.h"

struct life {
	struct loop loop;
	struct console *console; /* borrowed */
	struct machine *machine; /* borrowed; the present one */
	int signal_fd, timer_fd;
	int idle_fd;		 /* a timer: now and then */
	bool input_always_ready; /* a file: nothing to wait for */
	bool input_ended;
	bool button_pressed; /* by a SIGTERM in this life */
};

/*
 * Takes over the signals that end programs (those that are not ignored);
 * threads started later inherit that. @timeout_ms counts from here; 0: none.
 */
int life_init(struct life *life, struct console *console, uint64_t timeout_ms,
	      struct err *err);
void life_fini(struct life *life);

/* Starts the machine and returns when its ending is decided. */
int life_run(struct life *life, struct machine *machine, struct err *err);

#endif

/*
 * vmm/ending.h - why the machine ends: decided once, by whoever is first.
 *
 * Devices, vCPUs and main all may end the machine. The first decision counts;
 * it raises an event that main waits for, and vCPU threads see it before they
 * enter the guest again, so that nothing runs on after a power-off.
 */
#ifndef VMM_ENDING_H
#define VMM_ENDING_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum ending_kind {
	ENDING_POWER_OFF,
	ENDING_RESET,
	ENDING_PANICKED,
	ENDING_DEBUG_EXIT,  /* value: what the guest wrote */
	ENDING_CRASHED,	    /* the vCPU's report says how */
	ENDING_HOST_FAILED, /* value: errno */
	ENDING_TIMEOUT,
	ENDING_SIGNAL, /* value: its number */
	ENDING_QUIT,   /* the person at the console wants no more */
};

struct ending {
	int event_fd;	     /* [c] raised when decided */
	atomic_bool decided; /* [a] */
	pthread_mutex_t lock;
	enum ending_kind kind; /* [l] constant once decided */
	uint32_t value;	       /* [l] constant once decided */
};

int ending_init(struct ending *ending, struct err *err);
void ending_fini(struct ending *ending);

/* Any thread. Nothing, if it is decided already. */
void ending_decide(struct ending *ending, enum ending_kind kind,
		   uint32_t value);

/* Any thread, without a lock. */
bool ending_is_decided(const struct ending *ending);

/* alcor's exit status (status.h) for a decided ending. */
int ending_status(const struct ending *ending);

#endif

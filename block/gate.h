/*
 * block/gate.h - who is inside? Requests come and go without waiting for each
 * other; a change that must outlive those that may still see the old state asks
 * for a ticket, and finds out when all who were inside then have left.
 *
 * Entering and leaving is one atomic addition each, to a cache line that
 * threads rarely share. A request may leave on another thread than it entered
 * on; its pass says where it was counted.
 *
 * Order: whoever enters after a ticket was taken sees, by sequentially
 * consistent loads, what was stored by sequentially consistent stores before
 * that. So a pointer that is removed before taking a ticket is followed by
 * nobody once the ticket has passed.
 *
 * Threads: gate_enter(), gate_leave() any; the rest, unless it says otherwise,
 * under one lock of the caller's, who must not be inside.
 */
#ifndef BLOCK_GATE_H
#define BLOCK_GATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define GATE_LINE 64 /* bytes that CPUs hand each other as a whole */

/* More threads than this share slots, which only makes them slower. */
#define GATE_SLOTS 16

/* How many are inside, and in the bits above how many ever came in. */
#define GATE_INSIDE_BITS 24

struct gate_slot {
	_Alignas(GATE_LINE) _Atomic uint64_t counts[2]; /* [a] by phase */
};

struct gate {
	atomic_uint phase;	/* [a] newcomers count in counts[phase] */
	atomic_bool closed;	/* [a] */
	atomic_bool waited_for; /* [a] somebody sleeps until @left */
	pthread_mutex_t lock;	/* with @left */
	pthread_cond_t left;
	/* Under the caller's lock. */
	enum { GATE_IDLE, GATE_STRAGGLERS, GATE_OTHERS } step;
	uint64_t passed; /* tickets up to this one */
	struct gate_slot slots[GATE_SLOTS];
};

/* Where a request was counted. */
struct gate_pass {
	uint8_t slot, phase;
};

/* The struct's memory has to be aligned to GATE_LINE. */
void gate_init(struct gate *gate);
void gate_fini(struct gate *gate);

/* False: the gate is closed. Never waits. */
bool gate_enter(struct gate *gate, struct gate_pass *ret_pass);
void gate_leave(struct gate *gate, struct gate_pass pass);

/* How many were let in so far. Any thread. */
uint64_t gate_entered(const struct gate *gate);

/* Passes when all who are inside now have left. */
uint64_t gate_ticket(struct gate *gate);
bool gate_has_passed(struct gate *gate, uint64_t ticket);
void gate_wait(struct gate *gate, uint64_t ticket);

/* Lets nobody in any more, and waits until all have left. */
void gate_close(struct gate *gate);
void gate_open(struct gate *gate);

#endif

/*
 * block/gate.c - see gate.h.
 *
 * Newcomers are counted in one of two phases. A ticket passes in two steps.
 * First the phase that is not in use has to be empty: nobody is counted there
 * but stragglers, who had read the phase before it last changed. Then the phase
 * changes, so that the one that was in use gets no newcomers either, and that
 * has to be empty as well. After the two, whoever was inside when they began
 * has left; those who came since do not keep them from ending.
 *
 * A slot is found empty at a moment of its own. That is enough: a request
 * leaves the slot that it entered by, so each of those that were inside has
 * left when its slot is seen empty once.
 */
#include "block/gate.h"

#define COME (1ULL << GATE_INSIDE_BITS | 1)
#define GONE 1ULL

static uint64_t inside(uint64_t counts)
{
	return counts & ((1ULL << GATE_INSIDE_BITS) - 1);
}

void gate_init(struct gate *gate)
{
	*gate = (struct gate){.step = GATE_IDLE};
	pthread_mutex_init(&gate->lock, NULL);
	pthread_cond_init(&gate->left, NULL);
}

void gate_fini(struct gate *gate)
{
	pthread_cond_destroy(&gate->left);
	pthread_mutex_destroy(&gate->lock);
}

/* Of this thread, in every gate. */
static unsigned int own_slot(void)
{
	static atomic_uint next;
	static _Thread_local unsigned int own = GATE_SLOTS;

	if (own == GATE_SLOTS)
		own = atomic_fetch_add(&next, 1) % GATE_SLOTS;
	return own;
}

bool gate_enter(struct gate *gate, struct gate_pass *ret_pass)
{
	unsigned int slot = own_slot();
	unsigned int phase = atomic_load_explicit(&gate->phase,
						  memory_order_relaxed);

	*ret_pass = (struct gate_pass){(uint8_t)slot, (uint8_t)phase};
	atomic_fetch_add(&gate->slots[slot].counts[phase], COME);
	if (!atomic_load(&gate->closed))
		return true;
	gate_leave(gate, *ret_pass);
	return false;
}

/* Either we see that somebody waits, or he sees that we have left. */
void gate_leave(struct gate *gate, struct gate_pass pass)
{
	_Atomic uint64_t *counts = &gate->slots[pass.slot].counts[pass.phase];

	if (inside(atomic_fetch_sub(counts, GONE)) > 1 ||
	    !atomic_load(&gate->waited_for))
		return;
	pthread_mutex_lock(&gate->lock);
	pthread_cond_signal(&gate->left);
	pthread_mutex_unlock(&gate->lock);
}

static bool is_empty(const struct gate *gate, unsigned int phase)
{
	for (unsigned int i = 0; i < GATE_SLOTS; i++)
		if (inside(atomic_load(&gate->slots[i].counts[phase])))
			return false;
	return true;
}

uint64_t gate_entered(const struct gate *gate)
{
	uint64_t entered = 0;

	for (unsigned int i = 0; i < GATE_SLOTS; i++)
		for (unsigned int phase = 0; phase < 2; phase++)
			entered += atomic_load(&gate->slots[i].counts[phase]) >>
				   GATE_INSIDE_BITS;
	return entered;
}

/* Goes on as far as that is possible without waiting. */
static void advance(struct gate *gate)
{
	unsigned int phase = atomic_load(&gate->phase);

	if (gate->step == GATE_STRAGGLERS && is_empty(gate, !phase)) {
		phase = !phase;
		atomic_store(&gate->phase, phase);
		gate->step = GATE_OTHERS;
	}
	if (gate->step == GATE_OTHERS && is_empty(gate, !phase)) {
		gate->passed++;
		gate->step = GATE_IDLE;
	}
}

/* One that is under way may have begun too early to count. */
uint64_t gate_ticket(struct gate *gate)
{
	uint64_t under_way = gate->step != GATE_IDLE;

	if (!under_way)
		gate->step = GATE_STRAGGLERS;
	return gate->passed + under_way + 1;
}

bool gate_has_passed(struct gate *gate, uint64_t ticket)
{
	while (gate->passed < ticket) {
		if (gate->step == GATE_IDLE)
			gate->step = GATE_STRAGGLERS;
		advance(gate);
		if (gate->step != GATE_IDLE)
			break;
	}
	return gate->passed >= ticket;
}

void gate_wait(struct gate *gate, uint64_t ticket)
{
	if (gate_has_passed(gate, ticket))
		return;
	pthread_mutex_lock(&gate->lock);
	atomic_store(&gate->waited_for, true);
	while (!gate_has_passed(gate, ticket))
		pthread_cond_wait(&gate->left, &gate->lock);
	atomic_store(&gate->waited_for, false);
	pthread_mutex_unlock(&gate->lock);
}

void gate_close(struct gate *gate)
{
	atomic_store(&gate->closed, true);
	gate_wait(gate, gate_ticket(gate));
}

void gate_open(struct gate *gate)
{
	atomic_store(&gate->closed, false);
}

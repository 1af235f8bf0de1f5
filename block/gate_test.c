/*
 * block/gate_test.c - tickets against requests, in one thread and in many.
 */
#include "block/gate.h"

#include <stdlib.h>

#include "base/test.h"

static struct gate *gate_new(void)
{
	struct gate *gate = aligned_alloc(GATE_LINE, sizeof(*gate));

	gate_init(gate);
	return gate;
}

static void gate_free(struct gate *gate)
{
	gate_fini(gate);
	free(gate);
}

static void a_ticket_passes_when_nobody_is_inside(void)
{
	struct gate *gate = gate_new();

	for (unsigned int i = 0; i < 5; i++)
		CHECK(gate_has_passed(gate, gate_ticket(gate)));
	gate_wait(gate, gate_ticket(gate));
	gate_free(gate);
}

static void a_ticket_outwaits_those_inside(void)
{
	struct gate *gate = gate_new();
	struct gate_pass first, second;
	uint64_t before, after;

	for (unsigned int i = 0; i < 5; i++) {
		CHECK(gate_enter(gate, &first));
		before = gate_ticket(gate);
		CHECK(!gate_has_passed(gate, before));
		CHECK(gate_enter(gate, &second));
		CHECK(!gate_has_passed(gate, before));
		after = gate_ticket(gate);
		gate_leave(gate, first);
		/* Whoever came later does not matter. */
		CHECK(gate_has_passed(gate, before));
		CHECK(!gate_has_passed(gate, after));
		gate_leave(gate, second);
		CHECK(gate_has_passed(gate, after));
		CHECK(gate_has_passed(gate, before));
		CHECK_EQUAL(gate_entered(gate), 2 * (i + 1));
	}
	gate_free(gate);
}

/* It read the phase before it changed, and is counted in the other one now. */
static void stragglers_are_waited_for(void)
{
	struct gate *gate = gate_new();
	struct gate_pass late = {0, 0};
	uint64_t ticket;

	CHECK(gate_has_passed(gate, gate_ticket(gate)));
	CHECK_EQUAL(atomic_load(&gate->phase), 1);
	atomic_fetch_add(&gate->slots[late.slot].counts[late.phase], 1);
	ticket = gate_ticket(gate);
	CHECK(!gate_has_passed(gate, ticket));
	gate_leave(gate, late);
	CHECK(gate_has_passed(gate, ticket));
	gate_free(gate);
}

static void a_closed_gate_lets_nobody_in(void)
{
	struct gate *gate = gate_new();
	struct gate_pass pass;

	gate_close(gate);
	CHECK(!gate_enter(gate, &pass));
	CHECK(gate_has_passed(gate, gate_ticket(gate)));
	gate_open(gate);
	CHECK(gate_enter(gate, &pass));
	gate_leave(gate, pass);
	gate_free(gate);
}

/* --- Many threads --------------------------------------------------------- */

#define READERS 3
#define CHANGES 300
#define CELLS	4

struct race {
	struct gate *gate;
	atomic_uint current; /* a cell that is not poisoned */
	atomic_bool poisoned[CELLS];
	atomic_bool ended;
	atomic_ulong wrong, reads;
};

static void *read_cells(void *context)
{
	struct race *race = context;
	struct gate_pass pass;
	unsigned int cell;

	while (!atomic_load(&race->ended)) {
		if (!gate_enter(race->gate, &pass))
			continue;
		cell = atomic_load(&race->current);
		for (unsigned int i = 0; i < 20; i++)
			race->wrong += atomic_load(&race->poisoned[cell]);
		race->reads++;
		gate_leave(race->gate, pass);
	}
	return NULL;
}

static void change_cells(struct race *race)
{
	unsigned int old, new;

	for (unsigned int i = 0; i < CHANGES || race->reads < CHANGES; i++) {
		old = atomic_load(&race->current);
		new = (old + 1) % CELLS;
		if (i % 8 == 7)
			gate_close(race->gate);
		atomic_store(&race->poisoned[new], false);
		atomic_store(&race->current, new);
		if (i % 8 == 7)
			gate_open(race->gate);
		else
			gate_wait(race->gate, gate_ticket(race->gate));
		atomic_store(&race->poisoned[old], true);
	}
}

static void nobody_follows_what_was_replaced(void)
{
	struct race race = {.gate = gate_new()};
	pthread_t threads[READERS];

	for (unsigned int i = 1; i < CELLS; i++)
		race.poisoned[i] = true;
	for (unsigned int i = 0; i < READERS; i++)
		pthread_create(&threads[i], NULL, read_cells, &race);
	change_cells(&race);
	atomic_store(&race.ended, true);
	for (unsigned int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQUAL(race.wrong, 0);
	gate_free(race.gate);
}

struct handover {
	struct gate *gate;
	struct gate_pass pass;
};

static void *leave_later(void *context)
{
	struct handover *handover = context;

	gate_leave(handover->gate, handover->pass);
	return NULL;
}

static void others_may_leave_for_one(void)
{
	struct handover handover = {.gate = gate_new()};
	pthread_t thread;
	uint64_t ticket;

	CHECK(gate_enter(handover.gate, &handover.pass));
	ticket = gate_ticket(handover.gate);
	pthread_create(&thread, NULL, leave_later, &handover);
	gate_wait(handover.gate, ticket);
	pthread_join(thread, NULL);
	gate_free(handover.gate);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(a_ticket_passes_when_nobody_is_inside),
		TEST(a_ticket_outwaits_those_inside),
		TEST(stragglers_are_waited_for),
		TEST(a_closed_gate_lets_nobody_in),
		TEST(nobody_follows_what_was_replaced),
		TEST(others_may_leave_for_one),
	};

	return test_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}

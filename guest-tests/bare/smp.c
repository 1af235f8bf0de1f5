/*
 * Other CPUs: each comes up, runs at the same time as the others, sees their
 * memory and takes an interrupt that another one sends. The command line's
 * cpus=N says how many there are.
 */
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/test.h"

/* Emulated CPUs take turns on one real one, and spin while they wait. */
#define SECONDS 20
#define ROUNDS	1000

static unsigned int cpus;
static unsigned int arrived, wrong_index, counter, gate_open, finished;
static unsigned int interrupts[MACHINE_CPUS_MAX];

static unsigned int load(const unsigned int *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void add(unsigned int *word)
{
	__atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
}

static void on_interrupt(void)
{
	add(&interrupts[cpu_index()]);
}

/* What each other CPU does: count with the others, then take interrupts. */
static void other_cpu(void *argument)
{
	if (cpu_index() != (unsigned int)(uintptr_t)argument)
		add(&wrong_index);
	add(&arrived);
	while (!load(&gate_open))
		cpu_relax();
	for (unsigned int i = 0; i < ROUNDS; i++)
		add(&counter);
	add(&finished);
	for (;;)
		interrupts_wait();
}

static void bring_up(void)
{
	if (cpu_count())
		CHECK_EQUAL(cpu_count(), cpus);
	for (unsigned int i = 1; i < cpus; i++)
		REQUIRE(cpu_start(i, other_cpu, (void *)(uintptr_t)i, SECONDS));
	REQUIRE(WAIT_UNTIL(load(&arrived) == cpus - 1, SECONDS));
	CHECK_EQUAL(load(&wrong_index), 0);
}

static void no_more_than_said(void)
{
	CHECK(!cpu_start(cpus, other_cpu, (void *)(uintptr_t)cpus, 1));
}

static void shared_counter(void)
{
	__atomic_store_n(&gate_open, 1, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < ROUNDS; i++)
		add(&counter);
	REQUIRE(WAIT_UNTIL(load(&finished) == cpus - 1, SECONDS));
	CHECK_EQUAL(load(&counter), cpus * ROUNDS);
}

static void interrupts_between_cpus(void)
{
	for (unsigned int i = 1; i < cpus; i++) {
		interrupt_send(i, on_interrupt);
		CHECK(WAIT_UNTIL(load(&interrupts[i]) != 0, SECONDS));
	}
	/* One each, none twice and none at another CPU. */
	for (unsigned int i = 0; i < cpus; i++)
		CHECK_EQUAL(load(&interrupts[i]), i > 0);
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(no_more_than_said),
		TEST(bring_up),
		TEST(shared_counter),
		TEST(interrupts_between_cpus),
	};

	cpus = (unsigned int)option_number("cpus", 1);
	tests_run(tests, cpus == 1 ? 1 : ARRAY_LENGTH(tests));
}

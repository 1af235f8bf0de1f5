/*
 * The CPU's own timer: it interrupts, once per start, and not at once.
 */
#include "runtime/cpu.h"
#include "runtime/test.h"

#define SECONDS 5

static volatile unsigned int interrupts, again;

static void on_timer(void)
{
	interrupts++;
	if (again) {
		again--;
		timer_start(1000, on_timer);
	}
}

static bool wait_for(unsigned int count)
{
	bool held;

	interrupts_on();
	held = WAIT_UNTIL(interrupts >= count, SECONDS);
	interrupts_off();
	return held;
}

static void one_interrupt(void)
{
	interrupts = again = 0;
	timer_start(2000, on_timer);
	CHECK_EQUAL(interrupts, 0);
	REQUIRE(wait_for(1));
	CHECK_EQUAL(interrupts, 1);
}

static void twenty_interrupts(void)
{
	interrupts = 0;
	again = 19;
	timer_start(1000, on_timer);
	REQUIRE(wait_for(20));
	CHECK_EQUAL(interrupts, 20);
}

static void wakes_a_halted_cpu(void)
{
	interrupts = again = 0;
	timer_start(20000, on_timer);
	for (unsigned int i = 0; i < 3 && !interrupts; i++)
		interrupts_wait();
	CHECK_EQUAL(interrupts, 1);
}

static void clock_goes_on(void)
{
	uint64_t before = clock_ticks(), after;

	interrupts = again = 0;
	timer_start(10000, on_timer);
	REQUIRE(wait_for(1));
	after = clock_ticks();
	CHECK(after > before);
	/* 10 ms: at least one, at most a second, by a clock that is a guess */
	CHECK(after - before > clock_ticks_per_second() / 1000);
	CHECK(after - before < clock_ticks_per_second() * 2);
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(one_interrupt),
		TEST(twenty_interrupts),
		TEST(wakes_a_halted_cpu),
		TEST(clock_goes_on),
	};

	tests_run(tests, ARRAY_LENGTH(tests));
}

/*
 * runtime/test.h - a guest's tests and their results.
 *
 * A guest defines guest_main(), which hands its tests to tests_run(). Each
 * result is a line on the console: "ok NAME", "not ok NAME # why" (the first
 * CHECK that did not hold) or "skip NAME # why". Then comes "done" and the
 * machine ends with 0 or 1. The command line's only=NAME runs one test alone.
 */
#ifndef RUNTIME_TEST_H
#define RUNTIME_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct test {
	const char *name;
	void (*run)(void);
};

/* A guest's entry: on CPU 0, interrupts off, with a stack of 16 KiB. */
void guest_main(void);

void tests_run(const struct test *tests, size_t count);

/* The same by run_natively() (cpu.h), for tests that need no more than that. */
_Noreturn void tests_run_natively(const struct test *tests, size_t count);

/* Prints "done" and ends with 0, or with 1 after a "not ok". */
_Noreturn void tests_finish(void);

/* For guests without a list: one result each. @why: NULL for success. */
void test_report(const char *name, const char *why);

bool test_check(bool holds, const char *text, int line);
bool test_check_equal(uint64_t got, uint64_t want, const char *text, int line);
void test_skip(const char *why);

/* Is this QEMU (the command line's vmm=qemu)? For what it rightly differs in */
bool on_qemu(void);

#define TEST(function)              \
	{                           \
#function, function \
	}

#define CHECK(condition) test_check((condition), #condition, __LINE__)

#define CHECK_EQUAL(got, want)                                                 \
	test_check_equal((uint64_t)(got), (uint64_t)(want), #got " == " #want, \
			 __LINE__)

#define REQUIRE(condition)             \
	do {                           \
		if (!CHECK(condition)) \
			return;        \
	} while (0)

#define SKIP(why)               \
	do {                    \
		test_skip(why); \
		return;         \
	} while (0)

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#endif

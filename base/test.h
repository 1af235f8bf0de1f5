/*
 * base/test.h - the unit tests' few lines of harness.
 *
 * A test program lists its tests in main() and hands them to test_main(),
 * which runs them (or those whose name contains an argument), prints one line
 * each - "ok NAME", "not ok NAME" or "skip NAME # reason" - and returns the
 * program's exit status. CHECK() notes a failure and goes on; REQUIRE() ends
 * the test. TEST_SKIP() says why a test cannot run here and ends it.
 */
#ifndef BASE_TEST_H
#define BASE_TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct test {
	const char *name;
	void (*run)(void);
};

#define TEST(function)              \
	{                           \
#function, function \
	}

static bool test_failed;
static const char *test_skip_reason;

static inline bool test_check(bool holds, const char *text, const char *file,
			      int line)
{
	if (!holds) {
		printf("# %s:%d: %s does not hold\n", file, line, text);
		test_failed = true;
	}
	return holds;
}

#define CHECK(condition) test_check((condition), #condition, __FILE__, __LINE__)

#define REQUIRE(condition)             \
	do {                           \
		if (!CHECK(condition)) \
			return;        \
	} while (0)

/* Both values are printed when they differ. */
#define CHECK_EQUAL(got, want)                                                \
	do {                                                                  \
		long long got_ = (long long)(got), want_ = (long long)(want); \
		if (got_ != want_)                                            \
			printf("# got %lld (%#llx), want %lld (%#llx)\n",     \
			       got_, got_, want_, want_);                     \
		test_check(got_ == want_, #got " == " #want, __FILE__,        \
			   __LINE__);                                         \
	} while (0)

#define CHECK_TEXT(got, want)                                                 \
	do {                                                                  \
		const char *got_ = (got), *want_ = (want);                    \
		if (strcmp(got_, want_))                                      \
			printf("# got \"%s\", want \"%s\"\n", got_, want_);   \
		test_check(!strcmp(got_, want_), #got " == " #want, __FILE__, \
			   __LINE__);                                         \
	} while (0)

#define TEST_SKIP(reason)                    \
	do {                                 \
		test_skip_reason = (reason); \
		return;                      \
	} while (0)

static inline int test_main(int argc, char **argv, const struct test *tests,
			    size_t count)
{
	int failures = 0, ran = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < count; i++) {
		if (argc > 1 && !strstr(tests[i].name, argv[1]))
			continue;
		test_failed = false;
		test_skip_reason = NULL;
		tests[i].run();
		ran++;
		failures += test_failed;
		if (test_failed)
			printf("not ok %s\n", tests[i].name);
		else if (test_skip_reason)
			printf("skip %s # %s\n", tests[i].name,
			       test_skip_reason);
		else
			printf("ok %s\n", tests[i].name);
	}
	if (!ran)
		printf("# no test is called so\n");
	return !ran ? 2 : !!failures;
}

#endif

/*
 * Results on the console.
 */
#include "runtime/test.h"
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/string.h"

static bool any_failed;
/* Of the test that runs. */
static bool failed;
static const char *skipped;

bool on_qemu(void)
{
	return option_is("vmm", "qemu");
}

bool test_check(bool holds, const char *text, int line)
{
	if (!holds) {
		print("# line %d: %s does not hold\n", line, text);
		failed = true;
	}
	return holds;
}

bool test_check_equal(uint64_t got, uint64_t want, const char *text, int line)
{
	if (got != want)
		print("# got 0x%lx, want 0x%lx\n", got, want);
	return test_check(got == want, text, line);
}

void test_skip(const char *why)
{
	skipped = why;
}

void test_report(const char *name, const char *why)
{
	if (why) {
		print("not ok %s # %s\n", name, why);
		any_failed = true;
	} else {
		print("ok %s\n", name);
	}
}

static bool wanted(const char *name)
{
	return !option("only") || option_is("only", name);
}

void tests_run(const struct test *tests, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!wanted(tests[i].name))
			continue;
		failed = false;
		skipped = NULL;
		tests[i].run();
		if (!failed && skipped)
			print("skip %s # %s\n", tests[i].name, skipped);
		else
			test_report(tests[i].name,
				    failed ? "see the lines above" : NULL);
	}
}

/* What run_list() shall run. */
static const struct test *list;
static size_t list_length;

static void run_list(void)
{
	tests_run(list, list_length);
}

void tests_run_natively(const struct test *tests, size_t count)
{
	list = tests;
	list_length = count;
	run_natively(run_list);
}

void tests_finish(void)
{
	print("done\n");
	machine_exit(any_failed);
}

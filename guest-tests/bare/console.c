/*
 * The console: text out, longer than any FIFO, and a line in. The host feeds
 * the command line's line= on standard input, in pieces, and again for the
 * second test.
 */
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/test.h"

static void output(void)
{
	for (unsigned int i = 0; i < 16; i++) {
		print("# %02u ", i);
		for (char c = '!'; c <= '~'; c++)
			console_put(c);
		console_put('\n');
	}
}

static void expect_line(const char *name)
{
	const char *want = option(name);
	char line[80];

	REQUIRE(want);
	REQUIRE(read_line(line, sizeof(line)));
	if (!CHECK(text_equal(line, want)))
		print("# got \"%s\"\n", line);
}

static void input(void)
{
	expect_line("line");
}

/* Longer than the receive FIFO: the console must wait, not drop. */
static void long_input(void)
{
	expect_line("long");
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(output),
		TEST(input),
		TEST(long_input),
	};

	tests_run(tests, ARRAY_LENGTH(tests));
}

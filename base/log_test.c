/* base/log_test.c - what arrives at standard error. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/math.h"
#include "base/test.h"

/* Standard error becomes a pipe; the end of which is returned. */
static int catch_stderr(int *ret_saved)
{
	int ends[2];

	*ret_saved = dup(STDERR_FILENO);
	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC))
		abort();
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	return ends[0];
}

/* What was written to it since. Standard error is itself again. */
static void release_stderr(int pipe, int saved, char *ret_text, size_t size)
{
	ssize_t got = read(pipe, ret_text, size - 1);

	ret_text[got < 0 ? 0 : got] = 0;
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(pipe);
}

static void warnings_are_lines(void)
{
	char text[256];
	int saved, pipe = catch_stderr(&saved);

	log_warning("disk %d is %s", 1, "odd");
	log_warning("100%%");
	release_stderr(pipe, saved, text, sizeof(text));
	CHECK_TEXT(text, "alcor: disk 1 is odd\nalcor: 100%\n");
}

static void once_is_once(void)
{
	atomic_bool here = false, there = false;
	char text[256];
	int saved, pipe = catch_stderr(&saved);

	for (int i = 0; i < 5; i++) {
		log_once(&here, "here %d", i);
		log_once(&there, "there %d", i);
	}
	release_stderr(pipe, saved, text, sizeof(text));
	CHECK_TEXT(text, "alcor: here 0\nalcor: there 0\n");
}

static void long_lines_are_cut(void)
{
	static char longer[3000], text[4000];
	int saved, pipe = catch_stderr(&saved);

	memset(longer, 'x', sizeof(longer) - 1);
	log_warning("%s", longer);
	release_stderr(pipe, saved, text, sizeof(text));
	CHECK_EQUAL(strlen(text), strlen("alcor: ") + 1023 + 1);
	CHECK_EQUAL(text[strlen(text) - 1], '\n');
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(warnings_are_lines),
		TEST(once_is_once),
		TEST(long_lines_are_cut),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

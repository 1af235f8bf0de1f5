/*
 * vmm/console_test.c - the ring and the kept input, with a file or a pty at
 * the other end; console_stdio_test.c has the standard streams.
 */
#include "vmm/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/math.h"
#include "base/test.h"

#define RING_SIZE (256 * KIB)

static uint8_t bytes[RING_SIZE + 10000], got[sizeof(bytes)];

/* A console that writes to a file, which is returned for reading. */
static int open_file_console(struct console **ret_console)
{
	char path[] = "/tmp/console_test-XXXXXX";
	int fd = mkstemp(path);
	struct err err;

	if (fd < 0 || write(fd, "old", 3) != 3 ||
	    console_open(CONSOLE_FILE, path, ret_console, &err))
		abort();
	unlink(path);
	return fd;
}

static bool is_raised_within(const struct console *console, int ms)
{
	struct pollfd fd = {.fd = console_fds(console).output_event,
			    .events = POLLIN};

	return poll(&fd, 1, ms) == 1;
}

static bool is_raised(const struct console *console)
{
	return is_raised_within(console, 0);
}

/* The event comes with a delay, so that main wakes for many bytes at once. */
static bool gets_raised(const struct console *console)
{
	return is_raised_within(console, 10000);
}

static void many_bytes_raise_one_event(void)
{
	struct console *console;
	int fd = open_file_console(&console);

	for (unsigned int i = 0; i < 100; i++)
		console_put(console, bytes, 1);
	CHECK(gets_raised(console));
	CHECK(!console_write(console));
	CHECK_EQUAL(pread(fd, got, sizeof(got), 0), 100);
	CHECK(!is_raised_within(console, 10));
	console_put(console, bytes, 1);
	CHECK(gets_raised(console));
	console_close(console);
	fd_close(&fd);
}

static void output_reaches_the_file(void)
{
	struct console *console;
	int fd = open_file_console(&console);

	CHECK(console_fds(console).input < 0);
	CHECK(!is_raised(console));
	console_put(console, bytes, 0);
	CHECK(!is_raised(console));
	console_put(console, (const uint8_t *)"Linux ", 6);
	console_put(console, (const uint8_t *)"boots", 5);
	CHECK(gets_raised(console));
	CHECK(!console_write(console));
	CHECK(!is_raised(console));
	CHECK_EQUAL(pread(fd, got, sizeof(got), 0), 11);
	CHECK(!memcmp(got, "Linux boots", 11));
	console_close(console);
	fd_close(&fd);
}

static void a_full_ring_drops_what_comes(void)
{
	struct console *console;
	int fd = open_file_console(&console);

	console_put(console, bytes, RING_SIZE - 5000);
	console_put(console, bytes + RING_SIZE - 5000, 10000);
	console_put(console, bytes, 1);
	CHECK(!console_write(console));
	CHECK_EQUAL(pread(fd, got, sizeof(got), 0), RING_SIZE);
	CHECK(!memcmp(got, bytes, RING_SIZE));
	/* There is room again. */
	console_put(console, bytes, 10);
	CHECK(!console_write(console));
	CHECK_EQUAL(pread(fd, got, sizeof(got), RING_SIZE), 10);
	console_close(console);
	fd_close(&fd);
}

static void the_ring_goes_round(void)
{
	struct console *console;
	int fd = open_file_console(&console);
	size_t length = 100001;
	off_t at = 0;

	for (unsigned int round = 0; round < 10; round++) {
		console_put(console, bytes + round, length);
		CHECK(!console_write(console));
		CHECK_EQUAL(pread(fd, got, sizeof(got), at), length);
		CHECK(!memcmp(got, bytes + round, length));
		at += (off_t)length;
	}
	console_close(console);
	fd_close(&fd);
}

static void stopping_writes_the_rest(void)
{
	struct console *console;
	int fd = open_file_console(&console);

	console_start(console);
	console_put(console, bytes, 5000);
	console_stop(console);
	CHECK_EQUAL(pread(fd, got, sizeof(got), 0), 5000);
	console_close(console);
	fd_close(&fd);
}

static void no_console_swallows_all(void)
{
	struct console *console;

	REQUIRE(!console_open(CONSOLE_NULL, NULL, &console, NULL));
	CHECK(console_fds(console).input < 0);
	CHECK(console_fds(console).output < 0);
	console_put(console, bytes, 1000);
	CHECK(gets_raised(console));
	CHECK(!console_write(console));
	CHECK(!is_raised(console));
	console_start(console);
	console_stop(console);
	console_close(console);
	console_close(NULL);
}

static void files_that_cannot_be_made(void)
{
	struct console *console;
	struct err err;

	CHECK_EQUAL(console_open(CONSOLE_FILE, "/nonexistent/file", &console,
				 &err),
		    -ENOENT);
	CHECK_TEXT(err.text, "cannot write the console to /nonexistent/file: "
			     "No such file or directory");
}

struct flood {
	struct console *console;
	atomic_bool over;
};

static void *flood(void *argument)
{
	struct flood *context = argument;

	while (!atomic_load(&context->over))
		console_put(context->console, bytes, sizeof(bytes));
	return NULL;
}

/* While others put, each call ends, and the event tells of what is left. */
static void each_call_of_a_flood_ends(void)
{
	struct flood context = {NULL, false};
	pthread_t threads[2];

	REQUIRE(!console_open(CONSOLE_FILE, "/dev/null", &context.console,
			      NULL));
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
		REQUIRE(!pthread_create(&threads[i], NULL, flood, &context));
	alarm(20);
	for (unsigned int i = 0; i < 20; i++) {
		while (!is_raised(context.console))
			sched_yield();
		CHECK(!console_write(context.console));
	}
	alarm(0);
	atomic_store(&context.over, true);
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
		pthread_join(threads[i], NULL);
	console_write(context.console);
	CHECK(!is_raised(context.console));
	console_close(context.console);
}

/* --- A pty: its other end is opened by name ------------------------------ */

/* Opens a console on a new pty, and the other end; quietly. */
static bool open_pty_console(struct console **ret_console, int *ret_terminal)
{
	int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);
	struct err err = {""};
	int ret;

	dup2(null, STDERR_FILENO);
	ret = console_open(CONSOLE_PTY, NULL, ret_console, &err);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(null);
	if (ret) {
		printf("# %s\n", err.text);
		return false;
	}
	*ret_terminal = open(ptsname(console_fds(*ret_console).output),
			     O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	return *ret_terminal >= 0;
}

static void type(int terminal, const char *text)
{
	CHECK_EQUAL(write(terminal, text, strlen(text)), strlen(text));
}

/* What is kept for the guest, as text. */
static const char *kept_text(const struct console *console)
{
	static char text[128];
	size_t length;
	const uint8_t *kept = console_kept(console, &length);

	snprintf(text, sizeof(text), "%.*s", (int)length, (const char *)kept);
	return text;
}

static void a_pty_carries_bytes_unchanged(void)
{
	enum escape_action action;
	struct console *console;
	char text[8] = "";
	int terminal;

	REQUIRE(open_pty_console(&console, &terminal));
	console_put(console, (const uint8_t *)"a\r\nb\n", 5);
	CHECK(!console_write(console));
	CHECK_EQUAL(read(terminal, text, sizeof(text)), 5);
	CHECK_TEXT(text, "a\r\nb\n");
	type(terminal, "ls\r\x03\x7f");
	CHECK(console_read(console, &action));
	CHECK_EQUAL(action, ESCAPE_NONE);
	CHECK_TEXT(kept_text(console), "ls\r\x03\x7f");
	fd_close(&terminal);
	/* Somebody may come again. */
	console_take(console, 5);
	CHECK(console_read(console, &action));
	console_close(console);
}

static void input_is_kept_until_taken(void)
{
	enum escape_action action;
	struct console *console;
	int terminal;

	REQUIRE(open_pty_console(&console, &terminal));
	CHECK(console_read(console, &action)); /* nothing there, no end */
	CHECK_TEXT(kept_text(console), "");
	type(terminal, "abc");
	CHECK(console_read(console, &action));
	console_take(console, 2);
	CHECK_TEXT(kept_text(console), "c");
	type(terminal, "def");
	CHECK(console_read(console, &action));
	CHECK_TEXT(kept_text(console), "cdef");
	console_take(console, 4);
	CHECK_TEXT(kept_text(console), "");
	fd_close(&terminal);
	console_close(console);
}

/* A guest that does not listen must not make its keeper unheard. */
static void escapes_work_behind_kept_input(void)
{
	enum escape_action action;
	struct console *console;
	int terminal;

	REQUIRE(open_pty_console(&console, &terminal));
	type(terminal, "hello?");
	CHECK(console_read(console, &action));
	type(terminal, "\r\x01x");
	CHECK(console_read(console, &action));
	CHECK_EQUAL(action, ESCAPE_QUIT);
	CHECK_TEXT(kept_text(console), "hello?\r");
	fd_close(&terminal);
	console_close(console);
}

static void escapes_are_not_for_the_guest(void)
{
	enum escape_action action;
	struct console *console;
	char text[512] = "";
	int terminal;

	REQUIRE(open_pty_console(&console, &terminal));
	type(terminal, "a\x01hb");
	CHECK(console_read(console, &action));
	CHECK_EQUAL(action, ESCAPE_HELP);
	CHECK_TEXT(kept_text(console), "ab");
	CHECK(!console_write(console));
	CHECK(read(terminal, text, sizeof(text) - 1) > 0);
	CHECK(strstr(text, "Ctrl-A x "));
	console_take(console, 2);
	type(terminal, "\x01x");
	CHECK(console_read(console, &action));
	CHECK_EQUAL(action, ESCAPE_QUIT);
	fd_close(&terminal);
	console_close(console);
}

/* Nobody reads: the pty fills, then the ring; no call waits. */
static void a_pty_without_a_reader_stops_nobody(void)
{
	struct console *console;
	int terminal;

	REQUIRE(open_pty_console(&console, &terminal));
	alarm(20);
	for (unsigned int i = 0; i < 10; i++) {
		console_put(console, bytes, RING_SIZE);
		CHECK(console_write(console));
	}
	/* A reader that comes late gets what the ring has kept. */
	do {
		while (read(terminal, got, sizeof(got)) > 0)
			;
	} while (console_write(console));
	alarm(0);
	CHECK(!is_raised(console));
	fd_close(&terminal);
	console_close(console);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(output_reaches_the_file),
		TEST(many_bytes_raise_one_event),
		TEST(a_full_ring_drops_what_comes),
		TEST(the_ring_goes_round),
		TEST(stopping_writes_the_rest),
		TEST(no_console_swallows_all),
		TEST(files_that_cannot_be_made),
		TEST(each_call_of_a_flood_ends),
		TEST(a_pty_carries_bytes_unchanged),
		TEST(input_is_kept_until_taken),
		TEST(escapes_work_behind_kept_input),
		TEST(escapes_are_not_for_the_guest),
		TEST(a_pty_without_a_reader_stops_nobody),
	};

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

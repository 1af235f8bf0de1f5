/*
 * vmm/console_stdio_test.c - the console on standard input and output, each
 * time in a child process that has pipes, sockets, a terminal or nothing
 * there; what is closed is /dev/null's, as main() sees to.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/math.h"
#include "base/test.h"
#include "vmm/console.h"
#include "vmm/test_child.h"

#define MORE_THAN_A_PIPE (200 * KIB)

static uint8_t bytes[MORE_THAN_A_PIPE];

/* --- Bodies: the number that is returned says what went wrong ------------- */

/* The first write finds the output full, and says so instead of waiting. */
static int write_much(struct console *console)
{
	console_put(console, bytes, sizeof(bytes));
	if (!console_write(console))
		return 1;
	console_stop(console); /* waits for the reader */
	console_close(console);
	return 0;
}

static int write_to_nobody(struct console *console)
{
	console_put(console, bytes, sizeof(bytes));
	if (console_write(console))
		return 1;
	console_stop(console);
	console_close(console);
	return 0;
}

static int expect_nothing(struct console *console)
{
	enum escape_action action;

	console_start(console);
	if (console_read(console, &action))
		return 2;
	return write_to_nobody(console);
}

/* Reads "abc" and the end of the input. */
static int read_all(struct console *console)
{
	enum escape_action action;
	const uint8_t *kept;
	size_t length;

	if (!console_read(console, &action))
		return 1;
	if (console_read(console, &action))
		return 2;
	kept = console_kept(console, &length);
	return length != 3 || memcmp(kept, "abc", 3) ? 3 : 0;
}

/* Without a guest that takes anything, only so much is read. */
static int read_until_full(struct console *console)
{
	enum escape_action action;
	size_t length, before = 0;

	while (console_has_room(console)) {
		if (!console_read(console, &action))
			return 1;
		console_kept(console, &length);
		if (length <= before)
			return 2;
		before = length;
	}
	if (!console_read(console, &action))
		return 3; /* nothing read is not the end */
	console_take(console, 1);
	return console_has_room(console) ? 0 : 4;
}

/* --- Pipes, sockets, nothing --------------------------------------------- */

/* Reads all that the child writes, which must be bytes[]. */
static void check_output(int fd)
{
	static uint8_t got[sizeof(bytes) + 1];
	size_t length = 0;
	ssize_t part;

	while ((part = read(fd, got + length, sizeof(got) - length)) > 0)
		length += (size_t)part;
	CHECK_EQUAL(length, sizeof(bytes));
	CHECK(!memcmp(got, bytes, sizeof(bytes)));
}

static void slow_readers_of_a_pipe_get_all(void)
{
	int ends[2];
	pid_t child;

	REQUIRE(!pipe2(ends, O_CLOEXEC));
	child = start_child((struct streams){-1, ends[1]}, write_much);
	usleep(20000);
	/* Others may share the pipe: it must go on blocking for them. */
	CHECK(!(fcntl(ends[1], F_GETFL) & O_NONBLOCK));
	fd_close(&ends[1]);
	check_output(ends[0]);
	check_child(child);
	fd_close(&ends[0]);
}

static void slow_readers_of_a_socket_get_all(void)
{
	int ends[2], small = 4096;
	pid_t child;

	REQUIRE(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	child = start_child((struct streams){-1, ends[1]}, write_much);
	usleep(20000);
	CHECK(!(fcntl(ends[1], F_GETFL) & O_NONBLOCK));
	fd_close(&ends[1]);
	check_output(ends[0]);
	check_child(child);
	fd_close(&ends[0]);
}

static void readers_may_be_gone(void)
{
	int ends[2];

	REQUIRE(!pipe2(ends, O_CLOEXEC));
	fd_close(&ends[0]);
	check_child(
		start_child((struct streams){-1, ends[1]}, write_to_nobody));
	fd_close(&ends[1]);
}

static void both_may_be_closed(void)
{
	check_child(start_child((struct streams){-1, -1}, expect_nothing));
}

static void input_comes_from_a_pipe(void)
{
	int ends[2];

	REQUIRE(!pipe2(ends, O_CLOEXEC));
	CHECK_EQUAL(write(ends[1], "abc", 3), 3);
	fd_close(&ends[1]);
	check_child(start_child((struct streams){ends[0], -1}, read_all));
	fd_close(&ends[0]);
}

static void input_waits_in_its_pipe(void)
{
	int ends[2];
	pid_t child;

	REQUIRE(!pipe2(ends, O_CLOEXEC));
	child = start_child((struct streams){ends[0], -1}, read_until_full);
	fd_close(&ends[0]);
	signal(SIGPIPE, SIG_IGN); /* the child leaves before the end */
	while (write(ends[1], bytes, sizeof(bytes)) > 0)
		;
	check_child(child);
	fd_close(&ends[1]);
}

/* --- A terminal ---------------------------------------------------------- */

struct terminal {
	int master, slave;
};

static bool terminal_open(struct terminal *terminal)
{
	int unlock = 0;

	terminal->slave = -1;
	terminal->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal->master < 0 ||
	    ioctl(terminal->master, TIOCSPTLCK, &unlock))
		return false;
	terminal->slave = open(ptsname(terminal->master),
			       O_RDWR | O_NOCTTY | O_CLOEXEC);
	return terminal->slave >= 0;
}

static void terminal_close(struct terminal *terminal)
{
	fd_close(&terminal->master);
	fd_close(&terminal->slave);
}

/* Output stays processed: our own messages end in a bare line feed. */
static bool is_raw(int fd)
{
	struct termios state;

	return !tcgetattr(fd, &state) && (state.c_oflag & OPOST) &&
	       !(state.c_lflag & (ICANON | ECHO | ISIG));
}

/* Makes the terminal at standard input this process's own. */
static bool take_terminal(void)
{
	return setsid() > 0 && !ioctl(STDIN_FILENO, TIOCSCTTY, 0);
}

static int start_and_stop(struct console *console)
{
	if (!take_terminal())
		return 1;
	console_start(console);
	if (!is_raw(STDIN_FILENO))
		return 2;
	console_start(console); /* as after SIGCONT */
	console_stop(console);
	if (is_raw(STDIN_FILENO))
		return 3;
	console_start(console);
	if (!is_raw(STDIN_FILENO))
		return 4;
	console_close(console); /* an error on the way: no stop came */
	return is_raw(STDIN_FILENO) ? 5 : 0;
}

static int start_and_abort(struct console *console)
{
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	if (!take_terminal())
		return 1;
	console_start(console);
	if (!is_raw(STDIN_FILENO))
		return 2;
	abort();
}

/* Not the foreground of that terminal: it is somebody else's. */
static int start_elsewhere(struct console *console)
{
	if (setsid() < 0)
		return 1;
	console_start(console);
	if (is_raw(STDIN_FILENO))
		return 2;
	console_stop(console);
	console_close(console);
	return 0;
}

static void run_on_terminal(int (*body)(struct console *), int want_status)
{
	struct terminal terminal;
	int status = -1;
	pid_t child;

	REQUIRE(terminal_open(&terminal));
	CHECK(!is_raw(terminal.slave));
	child = start_child((struct streams){terminal.slave, terminal.slave},
			    body);
	CHECK_EQUAL(waitpid(child, &status, 0), child);
	CHECK_EQUAL(status, want_status);
	CHECK(!is_raw(terminal.slave));
	terminal_close(&terminal);
}

static void the_terminal_is_raw_from_start_to_stop(void)
{
	run_on_terminal(start_and_stop, 0);
}

static void deadly_signals_restore_the_terminal(void)
{
	run_on_terminal(start_and_abort, SIGABRT);
}

static void other_peoples_terminals_stay_as_they_are(void)
{
	run_on_terminal(start_elsewhere, 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(slow_readers_of_a_pipe_get_all),
		TEST(slow_readers_of_a_socket_get_all),
		TEST(readers_may_be_gone),
		TEST(both_may_be_closed),
		TEST(input_comes_from_a_pipe),
		TEST(input_waits_in_its_pipe),
		TEST(the_terminal_is_raw_from_start_to_stop),
		TEST(deadly_signals_restore_the_terminal),
		TEST(other_peoples_terminals_stay_as_they_are),
	};

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

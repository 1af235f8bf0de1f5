/*
 * vmm/life_test.c - main's part of a life, with the machine of test_machine.h.
 *
 * Each life is lived in a child process, since it takes over the signals.
 */
#include "vmm/life.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/timerfd.h>

#include "base/math.h"
#include "vmm/test_child.h"
#include "vmm/test_machine.h"

/* --- Bodies of children: what is returned says what went wrong ------------ */

/* One life; answers how it ended, or 97 where it could not be lived. */
static int live(struct console *console, int (*start)(struct machine *machine),
		uint64_t timeout_ms, struct machine *ret_machine)
{
	struct life life;

	machine_init(ret_machine, console, start);
	if (life_init(&life, console, timeout_ms, NULL) ||
	    life_run(&life, ret_machine, NULL))
		return 97;
	life_fini(&life);
	return (int)ret_machine->ending.kind;
}

static int time_passes(struct console *console)
{
	struct machine machine;

	if (live(console, start_idle, 10, &machine) != ENDING_TIMEOUT)
		return 1;
	machine_fini(&machine);
	return 0;
}

/* In no more time than it takes to test. */
static int disks_idle(struct console *console)
{
	const struct itimerspec soon = {{0, 1000000}, {0, 1000000}};
	struct machine machine;
	struct life life;

	machine_init(&machine, console, start_idle);
	if (life_init(&life, console, 10000, NULL) ||
	    timerfd_settime(life.idle_fd, 0, &soon, NULL) ||
	    life_run(&life, &machine, NULL))
		return 97;
	life_fini(&life);
	return machine.ending.kind == ENDING_POWER_OFF ? 0 : 1;
}

/* A signal that is there before the life begins waits for it. */
static int signal_self(struct console *console, int number,
		       unsigned int want_presses)
{
	struct machine machine;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), number);
	if (live(console, start_idle, 5000, &machine) != ENDING_SIGNAL)
		return 1;
	if (machine.ending.value != (uint32_t)number)
		return 2;
	return machine.presses == want_presses ? 0 : 3;
}

static int interrupt(struct console *console)
{
	return signal_self(console, SIGINT, 0);
}

static int terminate(struct console *console)
{
	return signal_self(console, SIGTERM, 1);
}

/* As nohup leaves it. */
static int ignore_hangup(struct console *console)
{
	struct machine machine;

	signal(SIGHUP, SIG_IGN);
	return live(console, start_hung_up, 20, &machine) == ENDING_TIMEOUT ? 0
									    : 1;
}

static int quit(struct console *console)
{
	struct machine machine;

	return live(console, start_idle, 5000, &machine) == ENDING_QUIT ? 0 : 1;
}

static int fail_to_start(struct console *console)
{
	struct machine machine;

	return live(console, start_nothing, 0, &machine) == 97 ? 0 : 1;
}

static int talk_with(struct console *console,
		     int (*start)(struct machine *machine))
{
	struct machine machine;

	if (live(console, start, 10000, &machine) != ENDING_POWER_OFF)
		return 1;
	pthread_join(machine.guest, NULL);
	console_stop(console);
	return 0;
}

static int talk(struct console *console)
{
	return talk_with(console, start_echo);
}

static int print_and_talk(struct console *console)
{
	return talk_with(console, start_print);
}

/* What is typed before a reset reaches whoever comes after it. */
static int talk_after_resets(struct console *console)
{
	struct machine machine;
	struct life life;

	if (life_init(&life, console, 10000, NULL))
		return 1;
	for (unsigned int i = 0; i < 4; i++) {
		machine_init(&machine, console,
			     i < 3 ? start_reset : start_echo);
		if (life_run(&life, &machine, NULL))
			return 2;
		if (i < 3)
			machine_fini(&machine);
	}
	pthread_join(machine.guest, NULL);
	life_fini(&life);
	return machine.length == 4 && !memcmp(machine.text, "abc.", 4) ? 0 : 3;
}

/* --- Tests ---------------------------------------------------------------- */

static const struct streams nothing = {-1, -1};

static void timeouts_end_a_life(void)
{
	check_child(start_child(nothing, time_passes));
}

static void idle_disks_are_trimmed(void)
{
	check_child(start_child(nothing, disks_idle));
}

static void signals_end_a_life(void)
{
	check_child(start_child(nothing, interrupt));
}

static void sigterm_presses_the_button_first(void)
{
	check_child(start_child(nothing, terminate));
}

static void ignored_signals_stay_ignored(void)
{
	check_child(start_child(nothing, ignore_hangup));
}

static void a_machine_may_not_start(void)
{
	check_child(start_child(nothing, fail_to_start));
}

/* A pipe with @text in it, and its end. */
static int pipe_with(const char *text)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) ||
	    write(ends[1], text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(ends[1]);
	return ends[0];
}

static void escapes_quit(void)
{
	int input = pipe_with("\x01x");

	check_child(start_child((struct streams){input, -1}, quit));
	fd_close(&input);
}

/* Nobody has the guest's tty open; more is typed than its FIFO holds. */
static void escapes_quit_though_nobody_listens(void)
{
	int ends[2];
	pid_t child;

	REQUIRE(!pipe2(ends, O_CLOEXEC));
	child = start_child((struct streams){ends[0], -1}, quit);
	CHECK_EQUAL(write(ends[1], "is anybody there at all?\r", 25), 25);
	usleep(20000);
	CHECK_EQUAL(write(ends[1], "\x01x", 2), 2);
	check_child(child);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

/* Long enough that the FIFO fills many times. */
static void make_text(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		text[i] = (char)('a' + i % 26);
	text[size - 2] = '.';
	text[size - 1] = 0;
}

/* What the guest echoes comes out as it went in. */
static void check_echo(int input, const char *want)
{
	char got[4096] = "";
	size_t length = 0;
	ssize_t part;
	int ends[2];
	pid_t child;

	REQUIRE(!pipe2(ends, O_CLOEXEC));
	child = start_child((struct streams){input, ends[1]}, talk);
	fd_close(&ends[1]);
	while ((part = read(ends[0], got + length, sizeof(got) - 1 - length)) >
	       0)
		length += (size_t)part;
	CHECK_TEXT(got, want);
	check_child(child);
	fd_close(&ends[0]);
}

static void guests_talk_through_pipes(void)
{
	char text[2000];
	int input;

	make_text(text, sizeof(text));
	input = pipe_with(text);
	check_echo(input, text);
	fd_close(&input);
}

/* Files cannot be waited for. */
static void guests_read_from_a_file(void)
{
	int input = memfd_create("life_test", MFD_CLOEXEC);
	char text[2000];

	make_text(text, sizeof(text));
	CHECK_EQUAL(fd_write_at(input, text, strlen(text), 0), 0);
	check_echo(input, text);
	fd_close(&input);
}

/* The guest ends when all has been read: it must come while it lives. */
static void slow_readers_get_all(void)
{
	static char got[PRINTED];
	int in[2], out[2];
	size_t length = 0;
	ssize_t part = 1;
	pid_t child;

	REQUIRE(!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC));
	child = start_child((struct streams){in[0], out[1]}, print_and_talk);
	fd_close(&out[1]);
	usleep(50000);
	for (; part > 0 && length < PRINTED; length += (size_t)part)
		part = read(out[0], got, PRINTED - length);
	CHECK_EQUAL(length, PRINTED);
	CHECK_EQUAL(write(in[1], ".", 1), 1);
	check_child(child);
	fd_close(&in[0]);
	fd_close(&in[1]);
	fd_close(&out[0]);
}

static void input_outlives_a_reset(void)
{
	int input = pipe_with("abc.");

	check_child(
		start_child((struct streams){input, -1}, talk_after_resets));
	fd_close(&input);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(timeouts_end_a_life),
		TEST(idle_disks_are_trimmed),
		TEST(signals_end_a_life),
		TEST(sigterm_presses_the_button_first),
		TEST(ignored_signals_stay_ignored),
		TEST(a_machine_may_not_start),
		TEST(escapes_quit),
		TEST(escapes_quit_though_nobody_listens),
		TEST(guests_talk_through_pipes),
		TEST(guests_read_from_a_file),
		TEST(slow_readers_get_all),
		TEST(input_outlives_a_reset),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

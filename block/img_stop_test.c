/*
 * block/img_stop_test.c - long operations on a terminal: they show how far they
 * are, and Ctrl-C ends them without harm.
 *
 * The terminal holds its output back from the start, so a command waits in its
 * first line of progress until Ctrl-C was typed, however fast it would be.
 */
#include <errno.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <utmp.h>

#include "base/math.h"
#include "block/img.h"
#include "block/test_host.h"

#define CTRL_C "\x03"
#define CTRL_Q "\x11"
#define CTRL_S "\x13"

static char output[4096]; /* of the last command, as the terminal got it */

static int run(const char *const words[])
{
	int argc = 0;

	while (words[argc])
		argc++;
	return img_command(argc, (char **)words);
}

/* Says so, on a pipe, when the process has a handler for SIGINT. */
static void *watch(void *argument)
{
	int ready = *(int *)argument;
	struct sigaction action;

	do {
		usleep(100);
		sigaction(SIGINT, NULL, &action);
	} while (action.sa_handler == SIG_DFL);
	close(ready);
	return NULL;
}

static void run_child(const char *const words[], int ready)
{
	pthread_t watcher;

	/* It may be that who runs the tests ignores it. */
	signal(SIGINT, SIG_DFL);
	if (pthread_create(&watcher, NULL, watch, &ready))
		_exit(125);
	_exit(run(words));
}

/* Until the last process of the terminal has closed it. */
static void read_output(int master)
{
	size_t length = 0;
	ssize_t part;

	while ((part = read(master, output + length,
			    sizeof(output) - 1 - length)) > 0 ||
	       (part < 0 && errno == EINTR))
		length += part > 0 ? (size_t)part : 0;
	output[length] = '\0';
}

/* Types @key when the command is ready for Ctrl-C; its wait status. */
static int run_on_terminal(const char *const words[], const char *key)
{
	struct termios settings;
	int master, slave, ready[2], status = -1;
	pid_t child;
	char byte;

	if (!CHECK(!openpty(&master, &slave, NULL, NULL, NULL)) ||
	    !CHECK(!pipe(ready)))
		return -1;
	CHECK(!tcgetattr(slave, &settings));
	settings.c_iflag |= IXON;
	settings.c_lflag |= ISIG;
	CHECK(!tcsetattr(slave, TCSANOW, &settings));
	CHECK(write(master, CTRL_S, 1) == 1);
	child = fork();
	if (!child) {
		close(master);
		close(ready[0]);
		if (login_tty(slave))
			_exit(125);
		run_child(words, ready[1]);
	}
	close(slave);
	close(ready[1]);
	CHECK_EQUAL(read(ready[0], &byte, 1), 0);
	close(ready[0]);
	CHECK(write(master, key, 1) == 1);
	read_output(master);
	CHECK_EQUAL(waitpid(child, &status, 0), child);
	close(master);
	return status;
}

static bool ended_by_int(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGINT;
}

static void progress_is_shown_on_a_terminal(void)
{
	static const char *const words[] = {"convert", "-O",  "qcow2",
					    "disk",    "new", NULL};

	REQUIRE(!test_shell("head -c 4M /dev/urandom >disk"));
	CHECK_EQUAL(run_on_terminal(words, CTRL_Q), 0);
	CHECK(strstr(output, "    (0.00/100%)\r"));
	CHECK(strstr(output, "    (25.00/100%)\r"));
	CHECK(strstr(output, "    (100.00/100%)\r\r\n"));
	CHECK(!access("new", F_OK));
}

static void half_a_copy_is_removed(void)
{
	static const char *const words[] = {"convert", "-O",  "qcow2",
					    "disk",    "new", NULL};

	REQUIRE(!test_shell("head -c 16M /dev/urandom >disk; rm -f new"));
	CHECK(ended_by_int(run_on_terminal(words, CTRL_C)));
	CHECK(strstr(output, "interrupted"));
	CHECK(access("new", F_OK) && errno == ENOENT);
}

/* There is no progress to wait in: the size makes it long. */
static void half_an_allocation_is_removed(void)
{
	static const char *const words[] = {"create", "-q",
					    "-o",     "preallocation=full",
					    "new",    "1T",
					    NULL};

	test_shell("rm -f new; echo old >new");
	CHECK(ended_by_int(run_on_terminal(words, CTRL_C)));
	CHECK(strstr(output, "interrupted"));
	CHECK(access("new", F_OK) && errno == ENOENT);
}

/* A base of zeroes, and an overlay with something in each cluster. */
static void make_overlay(void)
{
	static const char *const create[] = {"create", "-q",  "-f", "qcow2",
					     "base",   "16M", NULL};
	static const char *const copy[] = {"convert", "-q",   "-O", "qcow2",
					   "-B",      "base", "-F", "qcow2",
					   "disk",    "top",  NULL};

	CHECK(!test_shell("head -c 16M /dev/urandom >disk"));
	CHECK_EQUAL(run(create), 0);
	CHECK_EQUAL(run(copy), 0);
}

/* The disk is what it was, and its images are without errors. */
static void check_overlay(void)
{
	static const char *const compare[] = {"compare", "-q", "disk", "top",
					      NULL};
	static const char *const check_top[] = {"check", "-q", "top", NULL};
	static const char *const check_base[] = {"check", "-q", "base", NULL};

	CHECK_EQUAL(run(compare), 0);
	CHECK_EQUAL(run(check_top), 0);
	CHECK_EQUAL(run(check_base), 0);
}

static void a_commit_can_be_done_again(void)
{
	static const char *const commit[] = {"commit", "top", NULL};
	static const char *const again[] = {"commit", "-q", "top", NULL};

	make_overlay();
	CHECK(ended_by_int(run_on_terminal(commit, CTRL_C)));
	CHECK(strstr(output, "can be done again"));
	check_overlay();
	CHECK_EQUAL(run(again), 0);
	check_overlay();
}

static void half_a_rebase_changes_nothing(void)
{
	static const char *const rebase[] = {"rebase", "-b", "", "top", NULL};
	static const char *const again[] = {"rebase", "-q",  "-b",
					    "",	      "top", NULL};

	make_overlay();
	CHECK(ended_by_int(run_on_terminal(rebase, CTRL_C)));
	CHECK(strstr(output, "what they were"));
	CHECK(!test_shell("grep -aq base top"));
	check_overlay();
	CHECK_EQUAL(run(again), 0);
	check_overlay();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(progress_is_shown_on_a_terminal),
		TEST(half_a_copy_is_removed),
		TEST(half_an_allocation_is_removed),
		TEST(a_commit_can_be_done_again),
		TEST(half_a_rebase_changes_nothing),
	};

	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}

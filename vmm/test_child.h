/*
 * vmm/test_child.h - runs a part of a test in a child process, whose standard
 * streams, terminal and signals are its own.
 */
#ifndef VMM_TEST_CHILD_H
#define VMM_TEST_CHILD_H

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/test.h"
#include "vmm/console.h"

/* Where a child's standard streams come from; -1: closed. */
struct streams {
	int input, output;
};

static inline void use_stream(int fd, int number)
{
	if (fd < 0)
		close(number);
	else
		dup2(fd, number);
}

/*
 * Starts a child that runs @body with a console on @streams and leaves with
 * what @body answers: 0 for success.
 */
static inline pid_t start_child(struct streams streams,
				int (*body)(struct console *console))
{
	struct console *console;
	pid_t child = fork();

	if (child)
		return child;
	alarm(20);
	signal(SIGPIPE, SIG_IGN);
	/* A test that runs in the background may find these ignored. */
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	use_stream(streams.input, STDIN_FILENO);
	use_stream(streams.output, STDOUT_FILENO);
	if (fd_open_standard() ||
	    console_open(CONSOLE_STDIO, NULL, &console, NULL))
		_exit(99);
	_exit(body(console));
}

static inline void check_child(pid_t child)
{
	int status = -1;

	CHECK_EQUAL(waitpid(child, &status, 0), child);
	CHECK_EQUAL(status, 0);
}

#endif

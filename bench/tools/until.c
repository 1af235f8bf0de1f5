/*
 * bench/tools/until.c - how long after its start a command says something.
 *
 * usage: until TEXT COMMAND [ARGUMENT...]
 *
 * The command's output is passed on. When it has ended, a line follows:
 *
 *   until ms=MILLISECONDS status=NUMBER cpu_ms=MILLISECONDS
 *
 * with what passed between the start and the arrival of TEXT (-1: it never
 * came), the command's status as a shell would say it, and its CPU time.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static double cpu_ms(const struct rusage *usage)
{
	return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1e3 +
	       (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) /
		       1e3;
}

static void fail(const char *what, int error)
{
	fprintf(stderr, "until: %s: %s\n", what, strerror(error));
	exit(125);
}

/* The command with its output in a pipe, whose other end is *ret_fd. */
static pid_t start(char **command, int *ret_fd)
{
	posix_spawn_file_actions_t actions;
	int pipes[2], ret;
	pid_t pid;

	if (pipe(pipes))
		fail("pipe", errno);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, pipes[0]);
	posix_spawn_file_actions_addclose(&actions, pipes[1]);
	ret = posix_spawnp(&pid, command[0], &actions, NULL, command, environ);
	if (ret)
		fail(command[0], ret);
	posix_spawn_file_actions_destroy(&actions);
	close(pipes[1]);
	*ret_fd = pipes[0];
	return pid;
}

/* Passes all on; when @text came, or -1. */
static double listen_for(const char *text, int fd)
{
	char said[8192];
	size_t kept = 0, longest = strlen(text);
	double came = -1;
	ssize_t bytes;

	while ((bytes = read(fd, said + kept, sizeof(said) / 2)) > 0) {
		double now = now_ms();

		if (write(STDOUT_FILENO, said + kept, (size_t)bytes) < 0)
			break;
		kept += (size_t)bytes;
		if (came < 0 && memmem(said, kept, text, longest))
			came = now;
		/* It may come in pieces. */
		if (kept > longest) {
			memmove(said, said + kept - longest, longest);
			kept = longest;
		}
	}
	return came;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	double started, came;
	int status, fd;
	pid_t pid;

	if (argc < 3 || strlen(argv[1]) > 1024) {
		fprintf(stderr, "usage: until TEXT COMMAND [ARGUMENT...]\n");
		return 125;
	}
	started = now_ms();
	pid = start(argv + 2, &fd);
	came = listen_for(argv[1], fd);
	if (wait4(pid, &status, 0, &usage) < 0)
		fail("wait4", errno);
	printf("\nuntil ms=%.3f status=%d cpu_ms=%.3f\n",
	       came < 0 ? came : came - started,
	       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
	       cpu_ms(&usage));
	return 0;
}

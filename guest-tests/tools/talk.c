/*
 * guest-tests/tools/talk.c - talks with a command by a script, as a person at
 * its console would.
 *
 * usage: talk [--pty] SCRIPT COMMAND [ARGUMENT...]
 *
 * The command's input and output are pipes, or with --pty a terminal of its
 * own; what it says is copied to stdout. SCRIPT is a file of lines:
 *
 *   wait SECONDS TEXT   until the command has said TEXT (from where the last
 *                       wait ended)
 *   send TEXT           to the command; \r, \n, \\ and \xHH as in C
 *   signal NUMBER       to the command
 *   close               its input
 *   end SECONDS         until the command has ended
 *
 * Exit status: the command's, as a shell would say it; 125 when something that
 * was waited for did not come, or when the terminal's settings are not what
 * they were before the command. The command is killed then.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STATUS_TALK 125

struct talk {
	pid_t pid;
	int to;	      /* the command's input; -1: closed */
	int from;     /* its output; -1: ended */
	int terminal; /* our own hold on its pty; -1: pipes */
	struct termios before;
	char *said; /* all that was said since the last wait, NUL at its end */
	size_t length;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void end_talk(struct talk *talk, const char *why, const char *what)
{
	fprintf(stderr, "talk: %s %s\n", why, what);
	kill(talk->pid, SIGKILL);
	exit(STATUS_TALK);
}

static void become(int in, int out, char **command)
{
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	execvp(command[0], command);
	fprintf(stderr, "talk: %s: %s\n", command[0], strerror(errno));
	_exit(127);
}

static int start_on_pipes(struct talk *talk, char **command)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return -1;
	talk->pid = fork();
	if (talk->pid == 0)
		become(in[0], out[1], command);
	close(in[0]);
	close(out[1]);
	talk->to = in[1];
	talk->from = out[0];
	talk->terminal = -1;
	return talk->pid < 0 ? -1 : 0;
}

/* We keep the terminal open ourselves: its settings outlive the command. */
static int start_on_pty(struct talk *talk, char **command)
{
	int master;

	if (openpty(&master, &talk->terminal, NULL, NULL, NULL))
		return -1;
	fcntl(master, F_SETFD, FD_CLOEXEC);
	tcgetattr(talk->terminal, &talk->before);
	talk->pid = fork();
	if (talk->pid == 0) {
		setsid();
		ioctl(talk->terminal, TIOCSCTTY, 0);
		become(talk->terminal, talk->terminal, command);
	}
	talk->to = master;
	talk->from = master;
	return talk->pid < 0 ? -1 : 0;
}

static void keep(struct talk *talk, const char *text, size_t length)
{
	talk->said = realloc(talk->said, talk->length + length + 1);
	if (!talk->said)
		abort();
	memcpy(talk->said + talk->length, text, length);
	talk->length += length;
	talk->said[talk->length] = '\0';
}

/*
 * Waits at most @timeout_ms for something said, passes it on and keeps it.
 * False when there was nothing, or when the command will say no more.
 */
static bool listen_for(struct talk *talk, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = talk->from, .events = POLLIN};
	char text[4096];
	ssize_t length;

	if (poll(&poll_fd, 1, timeout_ms) <= 0)
		return false;
	length = read(talk->from, text, sizeof(text));
	if (length <= 0) {
		talk->from = -1;
		return false;
	}
	if (write(STDOUT_FILENO, text, length) != length)
		exit(STATUS_TALK);
	/* NULs would hide what follows them from strstr(). */
	for (ssize_t i = 0; i < length; i++) {
		if (!text[i])
			text[i] = ' ';
	}
	keep(talk, text, length);
	return true;
}

static void wait_for(struct talk *talk, int64_t seconds, const char *text)
{
	int64_t deadline = now_ms() + seconds * 1000;
	const char *found;

	while (!talk->said || !(found = strstr(talk->said, text))) {
		if (now_ms() >= deadline)
			end_talk(talk, "time is up, and nobody said", text);
		if (!listen_for(talk, 100) && talk->from < 0)
			end_talk(talk, "it ended without saying", text);
	}
	talk->length -= found + strlen(text) - talk->said;
	memmove(talk->said, found + strlen(text), talk->length + 1);
}

static void send_text(struct talk *talk, const char *text)
{
	while (*text) {
		unsigned int value = (unsigned char)*text;
		int used = 1;
		char byte;

		if (text[0] == '\\') {
			used = 2;
			value = text[1] == 'r'	 ? '\r'
				: text[1] == 'n' ? '\n'
						 : text[1];
			if (text[1] == 'x')
				sscanf(text + 2, "%2x%n", &value, &used);
			if (text[1] == 'x')
				used += 2;
		}
		byte = (char)value;
		if (write(talk->to, &byte, 1) != 1)
			end_talk(talk, "nobody reads", text);
		text += used;
	}
}

static bool same_settings(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag &&
	       a->c_cflag == b->c_cflag && a->c_lflag == b->c_lflag &&
	       !memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc));
}

/* The command's status, as a shell would say it. */
static int wait_end(struct talk *talk, int64_t seconds)
{
	int64_t deadline = now_ms() + seconds * 1000;
	struct termios after;
	int status;

	while (waitpid(talk->pid, &status, WNOHANG) == 0) {
		if (now_ms() >= deadline)
			end_talk(talk, "time is up, and it has", "not ended");
		if (!listen_for(talk, 50))
			usleep(10000);
	}
	while (talk->from >= 0 && listen_for(talk, 0))
		;
	if (talk->terminal >= 0) {
		tcgetattr(talk->terminal, &after);
		if (!same_settings(&talk->before, &after)) {
			fputs("talk: the terminal was not restored\n", stderr);
			return STATUS_TALK;
		}
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

/* One line of the script. The command's status if it ended, otherwise -1. */
static int obey(struct talk *talk, char *line)
{
	char *text = strchr(line, ' ');

	if (text)
		*text++ = '\0';
	else
		text = line + strlen(line);
	if (!strcmp(line, "wait")) {
		int64_t seconds = strtol(text, &text, 10);

		wait_for(talk, seconds, text + (*text == ' '));
	} else if (!strcmp(line, "send")) {
		send_text(talk, text);
	} else if (!strcmp(line, "signal")) {
		kill(talk->pid, atoi(text));
	} else if (!strcmp(line, "close")) {
		close(talk->to);
	} else if (!strcmp(line, "end")) {
		return wait_end(talk, atoi(text));
	} else {
		end_talk(talk, "unknown word in the script:", line);
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct talk talk = {0};
	bool pty = argc > 1 && !strcmp(argv[1], "--pty");
	char **rest = argv + 1 + pty;
	char *line = NULL;
	size_t capacity = 0;
	ssize_t length;
	FILE *script;
	int status;

	if (argc - 1 - pty < 2) {
		fputs("usage: talk [--pty] SCRIPT COMMAND...\n", stderr);
		return STATUS_TALK;
	}
	script = fopen(rest[0], "re");
	if (!script) {
		perror(rest[0]);
		return STATUS_TALK;
	}
	signal(SIGPIPE, SIG_IGN);
	if ((pty ? start_on_pty : start_on_pipes)(&talk, rest + 1)) {
		perror("talk");
		return STATUS_TALK;
	}
	while ((length = getline(&line, &capacity, script)) > 0) {
		if (line[length - 1] == '\n')
			line[length - 1] = '\0';
		status = obey(&talk, line);
		if (status >= 0)
			return status;
	}
	return wait_end(&talk, 0);
}

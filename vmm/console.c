/* vmm/console.c - see console.h. */
#include "vmm/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/math.h"

#define RING_SIZE  (256 * KIB)
#define KEPT_SIZE  (64 * KIB)
#define CHUNK_SIZE 4096
#define CLOSE_NSEC NSEC_PER_SEC
/*
 * A guest writes byte by byte, an exit each. Main wakes this long after the
 * first one, for all that have come by then; a person does not notice.
 */
#define BATCH_NS 2000000
#define FULL	 (RING_SIZE / 2) /* no longer worth waiting for more */

static const char help_text[] = "\r\n"
				"Ctrl-A x       end the machine\r\n"
				"Ctrl-A h       this help\r\n"
				"Ctrl-A Ctrl-A  send Ctrl-A to the guest\r\n";

struct console {
	int output_fd; /* [c] owned; -1: none */
	int input_fd;  /* [c] owned unless it is stdin; -1: none */
	int slave_fd;  /* [c] owned; keeps a pty alive between readers */
	int event_fd;  /* [c] a timer that runs while the ring is not empty */
	bool raw;      /* [m] the terminal is ours */
	struct termios saved;

	pthread_mutex_t lock;
	uint8_t ring[RING_SIZE]; /* [l] */
	size_t first, filled;	 /* [l] */
	uint64_t dropped;	 /* [l] bytes that found no room */

	struct console_escape escape; /* [m] */
	uint8_t kept[KEPT_SIZE];      /* [m] input on its way to the guest */
	size_t kept_length;	      /* [m] */
};

/*
 * A descriptor of our own for standard output, so that making it non-blocking
 * does not touch other programs that share it. A regular file never blocks for
 * long, and a second open of it would have an offset of its own; a socket
 * cannot be opened again: both are used as they are.
 */
static int own_output(void)
{
	struct stat st;
	int fd = -1;

	if (fstat(STDOUT_FILENO, &st) < 0)
		return -1;
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
		fd = open("/proc/self/fd/1",
			  O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	return fd;
}

static int open_stdio(struct console *console, struct err *err)
{
	(void)err;
	console->output_fd = own_output();
	console->input_fd = STDIN_FILENO;
	return 0;
}

static int open_file(struct console *console, const char *path, struct err *err)
{
	console->output_fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (console->output_fd < 0)
		return err_errno(err, errno, "cannot write the console to %s",
				 path);
	return 0;
}

static int open_pty(struct console *console, struct err *err)
{
	struct termios raw;
	char name[64];
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	console->output_fd = master;
	if (master < 0 || grantpt(master) || unlockpt(master) ||
	    ptsname_r(master, name, sizeof(name)))
		return err_errno(err, errno, "cannot make a pty");
	console->slave_fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (console->slave_fd < 0)
		return err_errno(err, errno, "cannot open %s", name);
	if (!tcgetattr(console->slave_fd, &raw)) {
		cfmakeraw(&raw);
		tcsetattr(console->slave_fd, TCSANOW, &raw);
	}
	/* One description waits for input, the other one for output. */
	console->input_fd = fcntl(master, F_DUPFD_CLOEXEC, 3);
	log_warning("the console is %s", name);
	return 0;
}

int console_open(enum console_kind kind, const char *path,
		 struct console **ret_console, struct err *err)
{
	struct console *console = calloc(1, sizeof(*console));
	int ret = 0;

	if (!console)
		return err_set(err, ENOMEM, "no memory for the console");
	console->output_fd = console->input_fd = console->slave_fd = -1;
	pthread_mutex_init(&console->lock, NULL);
	console->event_fd = timerfd_create(CLOCK_MONOTONIC,
					   TFD_CLOEXEC | TFD_NONBLOCK);
	if (console->event_fd < 0)
		ret = err_errno(err, errno, "cannot make a timer");
	else if (kind == CONSOLE_STDIO)
		ret = open_stdio(console, err);
	else if (kind == CONSOLE_FILE)
		ret = open_file(console, path, err);
	else if (kind == CONSOLE_PTY)
		ret = open_pty(console, err);
	if (ret)
		console_close(console);
	else
		*ret_console = console;
	return ret;
}

/* A terminal, and one whose foreground is ours: others we must not change. */
static bool is_our_terminal(int fd)
{
	return fd >= 0 && isatty(fd) && tcgetpgrp(fd) == getpgrp();
}

/* For the handler of deadly signals; constant while it can be called. */
static const struct console *guarded;

static void restore_terminal(const struct console *console)
{
	/* In the background it would stop us; the shell has its own modes. */
	if (console->raw && is_our_terminal(console->input_fd))
		tcsetattr(console->input_fd, TCSANOW, &console->saved);
}

static void on_deadly_signal(int number)
{
	if (guarded)
		restore_terminal(guarded);
	raise(number); /* SA_RESETHAND: now it kills us */
}

static void guard_terminal(const struct console *console)
{
	static const int deadly[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
	struct sigaction action = {
		.sa_handler = on_deadly_signal,
		.sa_flags = SA_RESETHAND | SA_NODEFER,
	};

	guarded = console;
	for (size_t i = 0; i < ARRAY_LENGTH(deadly); i++)
		sigaction(deadly[i], &action, NULL);
}

void console_start(struct console *console)
{
	struct termios raw;

	if (console->input_fd != STDIN_FILENO ||
	    !is_our_terminal(console->input_fd))
		return;
	if (!console->raw && tcgetattr(console->input_fd, &console->saved))
		return;
	raw = console->saved;
	cfmakeraw(&raw);
	/* Our own messages end in a bare line feed. */
	raw.c_oflag = console->saved.c_oflag;
	console->raw = !tcsetattr(console->input_fd, TCSANOW, &raw);
	guard_terminal(console);
}

struct console_fds console_fds(const struct console *console)
{
	return (struct console_fds){
		.output_event = console->event_fd,
		.output = console->output_fd,
		.input = console->input_fd,
	};
}

/* Raises the event in so many nanoseconds, and at least one. */
static void raise_event(const struct console *console, long delay_ns)
{
	const struct itimerspec time = {.it_value.tv_nsec = delay_ns};

	timerfd_settime(console->event_fd, 0, &time, NULL);
}

void console_put(void *context, const uint8_t *data, size_t length)
{
	struct console *console = context;
	size_t at, part, room, before;

	pthread_mutex_lock(&console->lock);
	before = console->filled;
	room = RING_SIZE - console->filled;
	console->dropped += length - min_u64(length, room);
	length = min_u64(length, room);
	at = (console->first + console->filled) % RING_SIZE;
	part = min_u64(length, RING_SIZE - at);
	memcpy(console->ring + at, data, part);
	memcpy(console->ring, data + part, length - part);
	console->filled += length;
	pthread_mutex_unlock(&console->lock);
	if (before < FULL && before + length >= FULL)
		raise_event(console, 1);
	else if (!before && length)
		raise_event(console, BATCH_NS);
}

static size_t ring_filled(struct console *console)
{
	size_t filled;

	pthread_mutex_lock(&console->lock);
	filled = console->filled;
	pthread_mutex_unlock(&console->lock);
	return filled;
}

/*
 * The ring's front, in one piece of at most @max bytes. What is in it stays in
 * place until taken.
 */
static size_t ring_front(struct console *console, size_t max,
			 const uint8_t **ret_data)
{
	size_t length;

	pthread_mutex_lock(&console->lock);
	length = min_u64(console->filled, RING_SIZE - console->first);
	*ret_data = console->ring + console->first;
	pthread_mutex_unlock(&console->lock);
	return min_u64(length, min_u64(max, CHUNK_SIZE));
}

static void ring_take(struct console *console, size_t length)
{
	pthread_mutex_lock(&console->lock);
	console->first = (console->first + length) % RING_SIZE;
	console->filled -= length;
	pthread_mutex_unlock(&console->lock);
}

/*
 * As write(), but -1 with EAGAIN also where the descriptor is not non-blocking
 * since others share it: what poll() finds room for takes a chunk at once.
 */
static ssize_t write_output(const struct console *console, const uint8_t *data,
			    size_t length)
{
	struct pollfd output = {.fd = console->output_fd, .events = POLLOUT};

	if (console->output_fd < 0)
		return (ssize_t)length;
	if (!poll(&output, 1, 0)) {
		errno = EAGAIN;
		return -1;
	}
	return write(console->output_fd, data, length);
}

bool console_write(struct console *console)
{
	const uint8_t *data;
	size_t length, left;
	ssize_t put;

	fd_event_clear(console->event_fd);
	/* What comes meanwhile is for the next call: main has more to do. */
	left = ring_filled(console);
	while (left) {
		length = ring_front(console, left, &data);
		put = write_output(console, data, length);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EAGAIN)
			return true;
		/* A reader that is gone gets nothing; the guest goes on. */
		length = put < 0 ? length : (size_t)put;
		ring_take(console, length);
		left -= length;
	}
	if (ring_filled(console))
		raise_event(console, 1);
	return false;
}

bool console_has_room(const struct console *console)
{
	return console->kept_length < KEPT_SIZE;
}

bool console_read(struct console *console, enum escape_action *ret_action)
{
	uint8_t *end = console->kept + console->kept_length;
	ssize_t got;

	*ret_action = ESCAPE_NONE;
	if (!console_has_room(console))
		return true;
	got = read(console->input_fd, end, KEPT_SIZE - console->kept_length);
	if (got < 0)
		return errno == EINTR || errno == EAGAIN;
	console->kept_length += console_escape_filter(&console->escape, end,
						      (size_t)got, ret_action);
	if (*ret_action == ESCAPE_HELP)
		console_put(console, (const uint8_t *)help_text,
			    strlen(help_text));
	return got > 0;
}

const uint8_t *console_kept(const struct console *console, size_t *ret_length)
{
	*ret_length = console->kept_length;
	return console->kept;
}

void console_take(struct console *console, size_t length)
{
	console->kept_length -= length;
	memmove(console->kept, console->kept + length, console->kept_length);
}

/* Waits for a slow reader, but not for ever. */
static void write_rest(struct console *console)
{
	struct pollfd output = {.fd = console->output_fd, .events = POLLOUT};
	uint64_t now = clock_now_nsec(), end = now + CLOSE_NSEC;

	while (console_write(console) && now < end) {
		poll(&output, 1, (int)((end - now) / NSEC_PER_MSEC) + 1);
		now = clock_now_nsec();
	}
}

void console_stop(struct console *console)
{
	write_rest(console);
	restore_terminal(console);
	console->raw = false;
	if (console->dropped)
		log_warning("%llu bytes of the guest's output found no reader "
			    "in time and are lost",
			    (unsigned long long)console->dropped);
	console->dropped = 0;
}

void console_close(struct console *console)
{
	if (!console)
		return;
	if (guarded == console)
		guarded = NULL;
	restore_terminal(console);
	if (console->input_fd != STDIN_FILENO)
		fd_close(&console->input_fd);
	fd_close(&console->output_fd);
	fd_close(&console->slave_fd);
	fd_close(&console->event_fd);
	pthread_mutex_destroy(&console->lock);
	free(console);
}

/* vmm/life.c - see life.h. */
#include "vmm/life.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/math.h"

/* What was not used for so long is given back: block_trim(). */
#define IDLE_SEC 60

static void end_machine(struct life *life, enum ending_kind kind,
			uint32_t value)
{
	ending_decide(machine_ending(life->machine), kind, value);
}

static void on_ending(void *context)
{
	struct life *life = context;

	fd_event_clear(machine_ending(life->machine)->event_fd);
}

static void on_timeout(void *context)
{
	end_machine(context, ENDING_TIMEOUT, 0);
}

static void on_idle_time(void *context)
{
	struct life *life = context;

	if (fd_event_clear(life->idle_fd))
		machine_trim_disks(life->machine);
}

/* The first SIGTERM is the guest's affair, everything else ends it. */
static void on_signal(void *context)
{
	struct life *life = context;
	struct signalfd_siginfo info;

	if (read(life->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGCONT) {
		console_start(life->console);
	} else if (info.ssi_signo == SIGTERM && !life->button_pressed) {
		life->button_pressed = true;
		machine_press_power_button(life->machine);
	} else {
		end_machine(life, ENDING_SIGNAL, info.ssi_signo);
	}
}

static void on_output(void *context)
{
	struct life *life = context;

	if (console_write(life->console))
		loop_arm(&life->loop, console_fds(life->console).output,
			 EPOLLOUT | EPOLLONESHOT);
}

/* Gives the guest what is kept for it; true when all of it has gone. */
static bool offer_input(struct life *life)
{
	struct serial *serial = machine_serial(life->machine);
	const uint8_t *kept;
	size_t length;

	kept = console_kept(life->console, &length);
	if (length)
		console_take(life->console,
			     serial_receive(serial, kept, length));
	console_kept(life->console, &length);
	return !length;
}

static void on_input(void *context);

/*
 * A file can wait for the guest. What somebody types is read while there is
 * room, since it may be an escape.
 */
static void ask_for_input(struct life *life, bool gone)
{
	if (life->input_ended)
		return;
	if (life->input_always_ready) {
		if (gone)
			on_input(life);
	} else if (console_has_room(life->console)) {
		loop_arm(&life->loop, console_fds(life->console).input,
			 EPOLLIN | EPOLLONESHOT);
	}
}

static void on_input(void *context)
{
	struct life *life = context;
	enum escape_action action;
	bool gone;

	do {
		life->input_ended = !console_read(life->console, &action);
		if (action == ESCAPE_QUIT)
			end_machine(life, ENDING_QUIT, 0);
		gone = offer_input(life);
	} while (gone && life->input_always_ready && !life->input_ended);
	if (!life->input_always_ready)
		ask_for_input(life, gone);
}

static void on_serial_room(void *context)
{
	struct life *life = context;

	fd_event_clear(serial_room_fd(machine_serial(life->machine)));
	ask_for_input(life, offer_input(life));
}

static int add_source(struct life *life, int fd, uint32_t events,
		      void (*ready)(void *), struct err *err)
{
	int ret = loop_add(&life->loop, fd, events, ready, life);

	return ret ? err_errno(err, -ret, "cannot wait for events") : 0;
}

/* The output is only waited for when a write has found it full. */
static int add_console(struct life *life, struct err *err)
{
	struct console_fds fds = console_fds(life->console);
	int ret;

	ret = add_source(life, fds.output_event, EPOLLIN, on_output, err);
	if (ret)
		return ret;
	/* A regular file cannot be waited for, nor does it have to be. */
	loop_add(&life->loop, fds.output, EPOLLONESHOT, on_output, life);
	life->input_ended = fds.input < 0;
	ret = loop_add(&life->loop, fds.input, EPOLLIN | EPOLLONESHOT, on_input,
		       life);
	life->input_always_ready = ret == -EPERM;
	return 0;
}

static bool is_ignored(int signal)
{
	struct sigaction action;

	return !sigaction(signal, NULL, &action) &&
	       action.sa_handler == SIG_IGN;
}

static int add_signals(struct life *life, struct err *err)
{
	static const int taken[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCONT};
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LENGTH(taken); i++)
		if (!is_ignored(taken[i]))
			sigaddset(&set, taken[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	life->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (life->signal_fd < 0)
		return err_errno(err, errno, "cannot wait for signals");
	return add_source(life, life->signal_fd, EPOLLIN, on_signal, err);
}

static int add_timer(struct life *life, const struct itimerspec *time,
		     void (*ready)(void *), int *ret_fd, struct err *err)
{
	*ret_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (*ret_fd < 0 || timerfd_settime(*ret_fd, 0, time, NULL))
		return err_errno(err, errno, "cannot set a timer");
	return add_source(life, *ret_fd, EPOLLIN, ready, err);
}

static int add_timers(struct life *life, uint64_t timeout_ms, struct err *err)
{
	const struct itimerspec timeout = {
		.it_value.tv_sec = (time_t)(timeout_ms / 1000),
		.it_value.tv_nsec = (long)(timeout_ms % 1000 * NSEC_PER_MSEC),
	};
	const struct itimerspec idle = {
		.it_value.tv_sec = IDLE_SEC,
		.it_interval.tv_sec = IDLE_SEC,
	};
	int ret = add_timer(life, &idle, on_idle_time, &life->idle_fd, err);

	if (!ret && timeout_ms)
		ret = add_timer(life, &timeout, on_timeout, &life->timer_fd,
				err);
	return ret;
}

int life_init(struct life *life, struct console *console, uint64_t timeout_ms,
	      struct err *err)
{
	int ret;

	*life = (struct life){.console = console,
			      .signal_fd = -1,
			      .timer_fd = -1,
			      .idle_fd = -1};
	ret = loop_init(&life->loop, err);
	if (!ret)
		ret = add_signals(life, err);
	if (!ret)
		ret = add_console(life, err);
	if (!ret)
		ret = add_timers(life, timeout_ms, err);
	if (ret)
		life_fini(life);
	return ret;
}

void life_fini(struct life *life)
{
	fd_close(&life->idle_fd);
	fd_close(&life->timer_fd);
	fd_close(&life->signal_fd);
	loop_fini(&life->loop);
}

static int begin(struct life *life, struct err *err)
{
	int ending_fd = machine_ending(life->machine)->event_fd;
	int room_fd = serial_room_fd(machine_serial(life->machine));
	int ret;

	ret = add_source(life, ending_fd, EPOLLIN, on_ending, err);
	if (!ret)
		ret = add_source(life, room_fd, EPOLLIN, on_serial_room, err);
	if (!ret)
		ret = machine_start(life->machine, err);
	life->button_pressed = false;
	return ret;
}

int life_run(struct life *life, struct machine *machine, struct err *err)
{
	int ret;

	life->machine = machine;
	ret = begin(life, err);
	/* What the last life did not take, and a file, raise no event. */
	if (!ret && (!offer_input(life) || life->input_always_ready))
		on_serial_room(life);
	while (!ret && !ending_is_decided(machine_ending(machine)))
		loop_run_once(&life->loop);
	loop_remove(&life->loop, machine_ending(machine)->event_fd);
	loop_remove(&life->loop, serial_room_fd(machine_serial(machine)));
	return ret;
}

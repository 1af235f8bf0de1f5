/*
 * vmm/console.h - the person's end of the guest's serial port.
 *
 * Output: vCPU threads put bytes into a bounded ring and never wait; main
 * writes them out, without blocking. When the reader at the other end does not
 * keep up, the ring fills and what comes then is dropped, never the guest.
 * Input: main reads, takes out Ctrl-A's escapes and keeps what the serial port
 * has no room for yet: what is typed to a guest that does not listen must not
 * stand before a Ctrl-A x. Only when that is much does main read no more.
 *
 * The terminal, if there is one, is raw from console_start() to
 * console_stop().
 */
#ifndef VMM_CONSOLE_H
#define VMM_CONSOLE_H

#include "vmm/console_escape.h"
#include "vmm/options.h"

struct console;

/* What main waits for; -1 where there is nothing to wait for. */
struct console_fds {
	int output_event; /* readable: call console_write() */
	int output;	  /* writable: call console_write(); see below */
	int input;	  /* readable: call console_read() */
};

/*
 * Opens what the options say. -errno for a file that cannot be made. Standard
 * input and output are open, be it to /dev/null.
 */
int console_open(enum console_kind kind, const char *path,
		 struct console **ret_console, struct err *err);

void console_close(struct console *console);

/*
 * Makes the terminal raw; also again when the process was stopped and goes on
 * (SIGCONT). From here on a deadly signal restores the terminal, too.
 */
void console_start(struct console *console);

/*
 * When no vCPU runs any more: writes out what is left, for at most a second;
 * restores the terminal; says how much was dropped.
 */
void console_stop(struct console *console);

struct console_fds console_fds(const struct console *console);

/* The serial port's output. Any thread; does not wait. */
void console_put(void *console, const uint8_t *data, size_t length);

/*
 * Writes out what the ring holds now; what comes meanwhile raises
 * `output_event` again. True if it wants to be called again when `output` is
 * writable.
 */
bool console_write(struct console *console);

/* Is there room to keep more input? */
bool console_has_room(const struct console *console);

/*
 * Reads, if there is room, and acts on escapes: help is shown here, ESCAPE_QUIT
 * is for the caller. False at the end of the input.
 */
bool console_read(struct console *console, enum escape_action *ret_action);

/*
 * The input that is kept for the guest; console_take() drops its first
 * @length bytes.
 */
const uint8_t *console_kept(const struct console *console, size_t *ret_length);
void console_take(struct console *console, size_t length);

#endif

/*
 * vmm/console_escape.h - the keys that are for alcor and not for the guest:
 * Ctrl-A and one more. Pure; on main.
 */
#ifndef VMM_CONSOLE_ESCAPE_H
#define VMM_CONSOLE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum escape_action {
	ESCAPE_NONE,
	ESCAPE_QUIT, /* Ctrl-A x */
	ESCAPE_HELP, /* Ctrl-A h, Ctrl-A ? */
};

struct console_escape {
	bool pending; /* the last byte was Ctrl-A */
};

/*
 * Takes the escapes out of what was typed, in place; a Ctrl-A is typed as
 * Ctrl-A Ctrl-A or Ctrl-A a. Returns the bytes left for the guest; *ret_action
 * is the last action asked for. Nothing behind a Ctrl-A x is kept.
 */
size_t console_escape_filter(struct console_escape *escape, uint8_t *data,
			     size_t length, enum escape_action *ret_action);

#endif

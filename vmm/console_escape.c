/* vmm/console_escape.c - see console_escape.h. */
#include "vmm/console_escape.h"

#define CTRL_A 0x01

/* The byte behind Ctrl-A: an action, or a byte for the guest (or neither). */
static enum escape_action escaped(uint8_t byte, bool *ret_pass)
{
	*ret_pass = false;
	switch (byte) {
	case 'x':
	case 'X':
		return ESCAPE_QUIT;
	case 'h':
	case 'H':
	case '?':
		return ESCAPE_HELP;
	case 'a':
	case 'A':
	case CTRL_A:
		*ret_pass = true;
		return ESCAPE_NONE;
	default:
		return ESCAPE_HELP;
	}
}

size_t console_escape_filter(struct console_escape *escape, uint8_t *data,
			     size_t length, enum escape_action *ret_action)
{
	enum escape_action action;
	size_t kept = 0;
	bool pass;

	*ret_action = ESCAPE_NONE;
	for (size_t i = 0; i < length; i++) {
		if (!escape->pending) {
			escape->pending = data[i] == CTRL_A;
			if (!escape->pending)
				data[kept++] = data[i];
			continue;
		}
		escape->pending = false;
		action = escaped(data[i], &pass);
		if (pass)
			data[kept++] = CTRL_A;
		if (action != ESCAPE_NONE)
			*ret_action = action;
		if (action == ESCAPE_QUIT)
			break;
	}
	return kept;
}

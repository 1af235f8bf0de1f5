/*
 * vmm/boot_lines.h - configurations that are lines of a key and a value: the
 * Boot Loader Specification's entries, and extlinux.conf. Pure.
 */
#ifndef VMM_BOOT_LINES_H
#define VMM_BOOT_LINES_H

#include <stdbool.h>

#define BOOT_LINE_MAX 8192 /* longer than all that a value may become */

struct boot_line {
	char key[32];	   /* a longer one is cut, and then is no key we know */
	const char *value; /* the rest, without blanks around; "" if none */
	char text[BOOT_LINE_MAX];
};

/*
 * Reads the next line that is neither empty nor a comment from *at, and moves
 * that. False at the end of the text.
 */
bool boot_lines_next(const char **at, struct boot_line *ret_line);

#endif

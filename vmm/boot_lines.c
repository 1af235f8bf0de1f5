/* vmm/boot_lines.c - see boot_lines.h. */
#include "vmm/boot_lines.h"

#include <stdio.h>
#include <string.h>

#include "base/math.h"

static void split(struct boot_line *line)
{
	size_t length = strcspn(line->text, " \t");

	snprintf(line->key, sizeof(line->key), "%.*s", (int)length, line->text);
	line->value = line->text + length + strspn(line->text + length, " \t");
}

bool boot_lines_next(const char **at, struct boot_line *ret_line)
{
	while (*(*at += strspn(*at, " \t\r\n"))) {
		size_t length = strcspn(*at, "\n");
		size_t kept = min_u64(length, BOOT_LINE_MAX - 1);
		const char *start = *at;

		*at += length;
		if (*start == '#')
			continue;
		while (kept && strchr(" \t\r", start[kept - 1]))
			kept--;
		memcpy(ret_line->text, start, kept);
		ret_line->text[kept] = '\0';
		split(ret_line);
		return true;
	}
	return false;
}

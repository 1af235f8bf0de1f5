/*
 * The command line: words NAME=VALUE between spaces.
 */
#include "runtime/machine.h"
#include "runtime/string.h"

#define COMMAND_LINE_MAX 4096

static char command_line[COMMAND_LINE_MAX];

void options_set(const char *text)
{
	text_copy(command_line, text, sizeof(command_line));
}

static const char *next_word(const char *word)
{
	while (*word && *word != ' ')
		word++;
	while (*word == ' ')
		word++;
	return word;
}

const char *option_nth(const char *name, unsigned int nth)
{
	static char value[256];
	const char *word = command_line;
	size_t length = text_length(name), used = 0;

	for (; *word; word = next_word(word))
		if (memcmp(word, name, length) == 0 && word[length] == '=' &&
		    nth-- == 0)
			break;
	if (!*word)
		return NULL;
	for (word += length + 1; *word && *word != ' '; word++)
		if (used + 1 < sizeof(value))
			value[used++] = *word;
	value[used] = '\0';
	return value;
}

const char *option(const char *name)
{
	return option_nth(name, 0);
}

uint64_t option_number(const char *name, uint64_t otherwise)
{
	const char *value = option(name);

	return value ? text_number(&value) : otherwise;
}

bool option_is(const char *name, const char *value)
{
	const char *given = option(name);

	return given && text_equal(given, value);
}

/* vmm/boot_words.c - see boot_words.h. */
#include "vmm/boot_words.h"

#include <ctype.h>
#include <string.h>

#define NAME_CHARACTERS                                        \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"0123456789_"

struct text {
	char *start;
	size_t capacity;
	size_t length;
};

static void text_add(struct text *text, char c)
{
	if (text->length + 1 < text->capacity)
		text->start[text->length++] = c;
}

/*
 * Appends a variable's value, if it has one. The environment block has a line
 * NAME=VALUE for each, where a backslash makes the next character ordinary.
 */
static bool add_value(struct text *text, const char *environment,
		      const char *name, size_t length)
{
	const char *line = environment;

	while (*line && (strncmp(line, name, length) || line[length] != '=')) {
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	if (!*line)
		return false;
	for (line += length + 1; *line && *line != '\n'; line++) {
		if (*line == '\\' && line[1])
			line++;
		text_add(text, *line);
	}
	return true;
}

/*
 * Variables whose values are not looked up. What grub-reboot chose for the
 * next boot only is for a boot loader, which then forgets it: we cannot.
 */
static const char fixed_variables[] = "menuentry_id_option=--id\n"
				      "next_entry=\n";

/* At a '$'. Returns what follows the variable, whose value is appended. */
static const char *expand_variable(const char *at, const char *environment,
				   struct text *text)
{
	bool braces = at[1] == '{';
	const char *name = at + 1 + braces;
	size_t length = strspn(name, NAME_CHARACTERS);

	if (!length || (braces && name[length] != '}')) {
		text_add(text, '$');
		return at + 1;
	}
	if (!add_value(text, fixed_variables, name, length))
		add_value(text, environment, name, length);
	return name + length + braces;
}

void boot_words_expand(const char *text, const char *environment,
		       char *ret_text, size_t capacity)
{
	struct text expanded = {ret_text, capacity, 0};

	while (*text) {
		if (*text == '$')
			text = expand_variable(text, environment, &expanded);
		else
			text_add(&expanded, *text++);
	}
	ret_text[expanded.length] = '\0';
}

/* --- Words ---------------------------------------------------------------- */

static bool ends_command(char c)
{
	return !c || c == '\n' || c == ';';
}

static bool ends_word(char c)
{
	return ends_command(c) || isblank((unsigned char)c) || c == '\r';
}

static const char *read_single_quoted(const char *at, struct text *text)
{
	while (*at && *at != '\'')
		text_add(text, *at++);
	return at + (*at == '\'');
}

static const char *read_double_quoted(const char *at, const char *environment,
				      struct text *text)
{
	while (*at && *at != '"') {
		if (*at == '$') {
			at = expand_variable(at, environment, text);
			continue;
		}
		if (*at == '\\' && at[1] && strchr("$\"\\", at[1]))
			at++;
		text_add(text, *at++);
	}
	return at + (*at == '"');
}

static const char *skip_blanks(const char *at)
{
	for (;;) {
		if (isblank((unsigned char)*at) || *at == '\r')
			at++;
		else if (*at == '\\' && at[1] == '\n')
			at += 2;
		else
			return at;
	}
}

static void read_word(struct boot_words *words)
{
	struct text text = {words->word, sizeof(words->word), 0};
	const char *at = words->at;

	words->quoted = false;
	while (!ends_word(*at)) {
		if (*at == '\'' || *at == '"')
			words->quoted = true;
		if (*at == '\'') {
			at = read_single_quoted(at + 1, &text);
		} else if (*at == '"') {
			at = read_double_quoted(at + 1, words->environment,
						&text);
		} else if (*at == '$') {
			at = expand_variable(at, words->environment, &text);
		} else {
			at += *at == '\\' && at[1];
			text_add(&text, *at++);
		}
	}
	text.start[text.length] = '\0';
	words->length = text.length;
	words->at = at;
}

void boot_words_init(struct boot_words *words, const char *text,
		     const char *environment)
{
	words->at = text;
	words->environment = environment;
	words->length = 0;
	words->quoted = false;
	*words->word = '\0';
}

bool boot_words_next(struct boot_words *words)
{
	do {
		words->at = skip_blanks(words->at);
		if (*words->at == '#')
			words->at += strcspn(words->at, "\n");
		if (ends_command(*words->at))
			return false;
		read_word(words);
		/* A variable without a value is no word. */
	} while (!words->length && !words->quoted);
	return true;
}

bool boot_words_next_command(struct boot_words *words)
{
	while (boot_words_next(words))
		;
	if (!*words->at)
		return false;
	words->at++;
	return true;
}

/*
 * block/img_spec_json.c - "json:{...}" as dotted keys; see img_spec.h.
 *
 * A reader of RFC 8259's grammar, and of strings in single quotes. \u escapes
 * are taken for characters up to U+007F only: file names are bytes.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/img_spec.h"

static const char prefix[] = "json:";

#define DEPTH_MAX 16
#define KEY_MAX	  256

struct reader {
	struct img_spec *spec;
	const char *at;
	unsigned int depth;
	char key[KEY_MAX]; /* of the value that is being read */
	char *text;	   /* the last string; has room for all */
	struct err *err;
};

bool img_spec_is_json(const char *name)
{
	return !strncmp(name, prefix, strlen(prefix));
}

static int bad(struct reader *reader)
{
	return err_set(reader->err, EINVAL,
		       "Could not parse the JSON options at '%.20s'",
		       reader->at);
}

static void skip_blanks(struct reader *reader)
{
	while (*reader->at && strchr(" \t\r\n", *reader->at))
		reader->at++;
}

/* Takes a character if it is the next. */
static bool take(struct reader *reader, char wanted)
{
	skip_blanks(reader);
	if (*reader->at != wanted)
		return false;
	reader->at++;
	return true;
}

/* "u0041"; 0 if it is not one that is taken. */
static char read_code_point(struct reader *reader)
{
	static const char digits[] = "0123456789abcdef";
	unsigned int code = 0;
	const char *digit;

	for (unsigned int i = 1; i <= 4; i++) {
		digit = strchr(digits, tolower((unsigned char)reader->at[i]));
		if (!digit || !*digit)
			return 0;
		code = code << 4 | (unsigned int)(digit - digits);
	}
	reader->at += 5;
	return code > 0x7f ? 0 : (char)code;
}

/* What stands behind a backslash; 0 if nothing can. */
static char read_escape(struct reader *reader)
{
	static const char letters[] = "\"\\/'bfnrt";
	static const char values[] = "\"\\/'\b\f\n\r\t";
	const char *letter;

	if (*reader->at == 'u')
		return read_code_point(reader);
	letter = *reader->at ? strchr(letters, *reader->at) : NULL;
	if (!letter)
		return 0;
	reader->at++;
	return values[letter - letters];
}

static int read_string(struct reader *reader)
{
	char *to = reader->text, quote = *reader->at++, c;

	for (;;) {
		c = *reader->at;
		if (!c)
			return bad(reader);
		reader->at++;
		if (c == quote)
			break;
		if (c == '\\')
			c = read_escape(reader);
		if (!c)
			return bad(reader);
		*to++ = c;
	}
	*to = '\0';
	return 0;
}

/* A number or a word. */
static int read_word(struct reader *reader)
{
	static const char *const words[][2] = {{"true", "on"},
					       {"false", "off"},
					       {"null", NULL}};
	char *to = reader->text;

	while (isalnum((unsigned char)*reader->at) ||
	       (*reader->at && strchr("+-.", *reader->at)))
		*to++ = *reader->at++;
	*to = '\0';
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(reader->text, words[i][0]))
			continue;
		if (!words[i][1])
			return 0;
		return img_spec_append(reader->spec, reader->key, words[i][1],
				       reader->err);
	}
	if (!isdigit((unsigned char)reader->text[0]) && reader->text[0] != '-')
		return bad(reader);
	return img_spec_append(reader->spec, reader->key, reader->text,
			       reader->err);
}

static int read_value(struct reader *reader);

/* A value whose key is that of what it is in, with @name behind it. */
static int read_member(struct reader *reader, const char *name)
{
	size_t length = strlen(reader->key);
	int ret;

	if (length + strlen(name) + 2 > KEY_MAX)
		return bad(reader);
	snprintf(reader->key + length, KEY_MAX - length, "%s%s",
		 length ? "." : "", name);
	ret = read_value(reader);
	reader->key[length] = '\0';
	return ret;
}

static int read_object(struct reader *reader)
{
	char name[KEY_MAX];
	int ret;

	if (take(reader, '}'))
		return 0;
	do {
		skip_blanks(reader);
		if (*reader->at != '"' && *reader->at != '\'')
			return bad(reader);
		ret = read_string(reader);
		if (ret)
			return ret;
		if (strlen(reader->text) >= sizeof(name))
			return bad(reader);
		strcpy(name, reader->text);
		if (!take(reader, ':'))
			return bad(reader);
		ret = read_member(reader, name);
		if (ret)
			return ret;
	} while (take(reader, ','));
	return take(reader, '}') ? 0 : bad(reader);
}

static int read_array(struct reader *reader)
{
	unsigned int index = 0;
	char name[16];
	int ret;

	if (take(reader, ']'))
		return 0;
	do {
		snprintf(name, sizeof(name), "%u", index++);
		ret = read_member(reader, name);
		if (ret)
			return ret;
	} while (take(reader, ','));
	return take(reader, ']') ? 0 : bad(reader);
}

static int read_value(struct reader *reader)
{
	int ret;

	skip_blanks(reader);
	if (*reader->at == '"' || *reader->at == '\'') {
		ret = read_string(reader);
		if (ret)
			return ret;
		return img_spec_append(reader->spec, reader->key, reader->text,
				       reader->err);
	}
	if (*reader->at != '{' && *reader->at != '[')
		return read_word(reader);
	if (++reader->depth > DEPTH_MAX)
		return bad(reader);
	ret = *reader->at++ == '{' ? read_object(reader) : read_array(reader);
	reader->depth--;
	return ret;
}

int img_spec_add_json(struct img_spec *spec, const char *name, struct err *err)
{
	struct reader reader = {
		.spec = spec,
		.at = name + strlen(prefix),
		.text = strdup(name),
		.err = err,
	};
	int ret;

	if (!reader.text)
		return err_set(err, ENOMEM, "out of memory");
	skip_blanks(&reader);
	ret = *reader.at == '{' ? read_value(&reader) : bad(&reader);
	skip_blanks(&reader);
	if (!ret && *reader.at)
		ret = bad(&reader);
	free(reader.text);
	return ret;
}

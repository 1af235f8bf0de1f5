/* base/json.c - see json.h. */
#include "base/json.h"

#include <string.h>

static void indent(const struct json *json)
{
	if (json->depth)
		fprintf(json->out, "\n%*s", 4 * (int)json->depth, "");
}

/* What stands before a value. */
static void begin(struct json *json, const char *key)
{
	if (json->depth && !json->is_empty)
		fputc(',', json->out);
	indent(json);
	if (key) {
		json_quote(json->out, key);
		fputs(": ", json->out);
	}
	json->is_empty = false;
}

static void open_level(struct json *json, const char *key, char bracket)
{
	begin(json, key);
	fputc(bracket, json->out);
	json->depth++;
	json->is_empty = true;
}

static void close_level(struct json *json, char bracket)
{
	json->depth--;
	if (!json->depth)
		fputc('\n', json->out);
	else
		indent(json);
	fputc(bracket, json->out);
	json->is_empty = false;
	if (!json->depth)
		fputc('\n', json->out);
}

void json_object(struct json *json, const char *key)
{
	open_level(json, key, '{');
}

void json_object_end(struct json *json)
{
	close_level(json, '}');
}

void json_array(struct json *json, const char *key)
{
	open_level(json, key, '[');
}

void json_array_end(struct json *json)
{
	close_level(json, ']');
}

void json_text(struct json *json, const char *key, const char *text)
{
	begin(json, key);
	json_quote(json->out, text);
}

void json_number(struct json *json, const char *key, uint64_t number)
{
	begin(json, key);
	fprintf(json->out, "%llu", (unsigned long long)number);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin(json, key);
	fputs(value ? "true" : "false", json->out);
}

/*
 * One character of UTF-8; returns the bytes it takes, 0 if it is none: cut
 * short, longer than needed, a surrogate, or past the last.
 */
static size_t decode(const unsigned char *text, uint32_t *ret_code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = text[0] < 0x80	 ? 1
			: text[0] < 0xc0 ? 0
			: text[0] < 0xe0 ? 2
			: text[0] < 0xf0 ? 3
			: text[0] < 0xf8 ? 4
					 : 0;
	uint32_t code = length < 2 ? text[0] : text[0] & (0x7fU >> length);

	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	*ret_code = code;
	if (!length || code < least[length] || code > 0x10ffff ||
	    (code >= 0xd800 && code < 0xe000))
		return 0;
	return length;
}

static void put_escaped(FILE *out, uint32_t code)
{
	static const char short_for[] = "\"\\\b\f\n\r\t";
	static const char letters[] = "\"\\bfnrt";
	const char *found = code < 0x80 && code ? strchr(short_for, (int)code)
						: NULL;

	if (found)
		fprintf(out, "\\%c", letters[found - short_for]);
	else if (code >= 0x20 && code < 0x7f)
		fputc((int)code, out);
	else if (code < 0x10000)
		fprintf(out, "\\u%04X", code);
	else
		fprintf(out, "\\u%04X\\u%04X",
			0xd800 + ((code - 0x10000) >> 10),
			0xdc00 + ((code - 0x10000) & 0x3ff));
}

void json_quote(FILE *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	uint32_t code;
	size_t length;

	fputc('"', out);
	while (*at) {
		length = decode(at, &code);
		put_escaped(out, length ? code : 0xfffd);
		at += length ? length : 1;
	}
	fputc('"', out);
}

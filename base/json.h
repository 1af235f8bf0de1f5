/*
 * base/json.h - writing JSON as qemu-img prints it: four spaces a level,
 * one member a line.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	unsigned int depth;
	bool is_empty; /* nothing yet in the innermost object or array */
};

/* @key is NULL in an array, and for the outermost value. */
void json_object(struct json *json, const char *key);
void json_object_end(struct json *json);
void json_array(struct json *json, const char *key);
void json_array_end(struct json *json);
void json_text(struct json *json, const char *key, const char *text);
void json_number(struct json *json, const char *key, uint64_t number);
void json_bool(struct json *json, const char *key, bool value);

/* @text between quotes; bytes that are no UTF-8 become U+FFFD. */
void json_quote(FILE *out, const char *text);

#endif

/*
 * block/img_json.h - writing JSON as qemu-img prints it: four spaces a level,
 * one member a line.
 */
#ifndef BLOCK_IMG_JSON_H
#define BLOCK_IMG_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct img_json {
	FILE *out;
	unsigned int depth;
	bool is_empty; /* nothing yet in the innermost object or array */
};

/* @key is NULL in an array, and for the outermost value. */
void img_json_object(struct img_json *json, const char *key);
void img_json_object_end(struct img_json *json);
void img_json_array(struct img_json *json, const char *key);
void img_json_array_end(struct img_json *json);
void img_json_text(struct img_json *json, const char *key, const char *text);
void img_json_number(struct img_json *json, const char *key, uint64_t number);
void img_json_bool(struct img_json *json, const char *key, bool value);

/* @text between quotes; bytes that are no UTF-8 become U+FFFD. */
void img_json_quote(FILE *out, const char *text);

#endif

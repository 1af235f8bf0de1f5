/*
 * base/parse.h - what people type: sizes, durations, words nearly right.
 *
 * Pure functions.
 */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* A decimal number and nothing else; false if not, or past @max. */
bool parse_number(const char *text, uint64_t max, uint64_t *ret_number);

/* Bytes: a decimal number with K, M, G or T (powers of 1024) or none. */
bool parse_size(const char *text, uint64_t *ret_bytes);

/* Milliseconds: a decimal number with s, m or h, or none for seconds. */
bool parse_duration(const char *text, uint64_t *ret_milliseconds);

/*
 * The word of @words (which ends with NULL) that @typed most likely meant, or
 * NULL when none is near.
 */
const char *parse_nearest(const char *typed, const char *const words[]);

/* An error (-EINVAL) for a word that is none of @words, naming the nearest. */
int parse_unknown(struct err *err, const char *what, const char *typed,
		  const char *const words[]);

#endif

/* base/parse.c - see parse.h. */
#include "base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/math.h"

/* Reads digits; *ret_end is what follows them. At least one is needed. */
static bool parse_digits(const char *text, uint64_t *ret_number,
			 const char **ret_end)
{
	uint64_t number = 0;

	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++) {
		if (!mul_fits(number, 10, &number) ||
		    !add_fits(number, (uint64_t)(*text - '0'), &number))
			return false;
	}
	*ret_number = number;
	*ret_end = text;
	return true;
}

bool parse_number(const char *text, uint64_t max, uint64_t *ret_number)
{
	const char *end;

	return parse_digits(text, ret_number, &end) && !*end &&
	       *ret_number <= max;
}

struct parse_unit {
	char letter;
	uint64_t factor;
};

static bool parse_with_unit(const char *text, const struct parse_unit *units,
			    uint64_t factor, uint64_t *ret_value)
{
	uint64_t number;
	const char *end;

	if (!parse_digits(text, &number, &end))
		return false;
	if (*end) {
		while (units->letter &&
		       units->letter != tolower((unsigned char)*end))
			units++;
		if (!units->letter || end[1])
			return false;
		factor = units->factor;
	}
	return mul_fits(number, factor, ret_value);
}

bool parse_size(const char *text, uint64_t *ret_bytes)
{
	static const struct parse_unit units[] = {
		{'k', KIB}, {'m', MIB}, {'g', GIB}, {'t', 1024 * GIB}, {0, 0},
	};

	return parse_with_unit(text, units, 1, ret_bytes);
}

bool parse_duration(const char *text, uint64_t *ret_milliseconds)
{
	static const struct parse_unit units[] = {
		{'s', 1000},
		{'m', 60 * 1000},
		{'h', 60 * 60 * 1000},
		{0, 0},
	};

	return parse_with_unit(text, units, 1000, ret_milliseconds);
}

#define WORD_MAX 32

/* Levenshtein's distance; words longer than WORD_MAX are far from all. */
static unsigned int parse_distance(const char *a, const char *b)
{
	unsigned int row[WORD_MAX + 1], diagonal, above, best;
	size_t a_length = strlen(a), b_length = strlen(b);

	if (a_length > WORD_MAX || b_length > WORD_MAX)
		return WORD_MAX;
	for (unsigned int j = 0; j <= b_length; j++)
		row[j] = j;
	for (unsigned int i = 1; i <= a_length; i++) {
		diagonal = row[0];
		row[0] = i;
		for (unsigned int j = 1; j <= b_length; j++) {
			above = row[j];
			best = diagonal + (a[i - 1] != b[j - 1]);
			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[b_length];
}

const char *parse_nearest(const char *typed, const char *const words[])
{
	const char *nearest = NULL;
	unsigned int distance, least = 3;

	for (; *words; words++) {
		/* The front of one word is nearer than any slip. */
		if (strlen(typed) > 3 && !strncmp(typed, *words, strlen(typed)))
			return *words;
		distance = parse_distance(typed, *words);
		if (distance < least && distance < strlen(*words)) {
			least = distance;
			nearest = *words;
		}
	}
	return nearest;
}

int parse_unknown(struct err *err, const char *what, const char *typed,
		  const char *const words[])
{
	const char *near = parse_nearest(typed, words);

	if (near)
		return err_set(err, EINVAL, "unknown %s %s; did you mean %s?",
			       what, typed, near);
	return err_set(err, EINVAL, "unknown %s %s; --help lists them", what,
		       typed);
}

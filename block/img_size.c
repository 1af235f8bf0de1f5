/* block/img_size.c - see img_size.h. */
#include "block/img_size.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"

static const char suffixes[] = "BKMGTPE";

/* What the suffix at @text multiplies by; false if it is none, or not last. */
static bool parse_suffix(const char *text, uint64_t *ret_factor)
{
	const char *found;

	*ret_factor = 1;
	if (!*text)
		return true;
	found = strchr(suffixes, toupper((unsigned char)*text));
	if (!found || text[1])
		return false;
	*ret_factor = 1ULL << (10 * (found - suffixes));
	return true;
}

/* ".5" of @factor, as a whole number; *text moves behind it. */
static bool parse_fraction(const char **text, double *ret_fraction)
{
	char *end;

	*ret_fraction = 0;
	if (**text != '.')
		return true;
	if (!isdigit((unsigned char)(*text)[1]))
		return false;
	*ret_fraction = strtod(*text, &end);
	/* An exponent is not part of a size. */
	if ((size_t)(end - *text) != 1 + strspn(*text + 1, "0123456789"))
		return false;
	*text = end;
	return true;
}

bool img_size_parse(const char *text, uint64_t *ret_bytes)
{
	bool hex = text[0] == '0' && tolower((unsigned char)text[1]) == 'x';
	uint64_t whole, factor, part;
	const char *rest;
	double fraction;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	whole = strtoull(text, &end, hex ? 16 : 10);
	rest = end;
	if (errno || !parse_fraction(&rest, &fraction) ||
	    !parse_suffix(rest, &factor) || (hex && *end) ||
	    (fraction > 0 && factor == 1) || !mul_fits(whole, factor, &whole))
		return false;
	part = (uint64_t)(fraction * (double)factor + 0.5);
	return add_fits(whole, part, ret_bytes) && *ret_bytes <= INT64_MAX;
}

const char *img_size_text(uint64_t bytes, char text[IMG_SIZE_TEXT_MAX])
{
	static const char *const units[] = {"B",   "KiB", "MiB", "GiB",
					    "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	unsigned int unit = 0;

	/* 1000 would be a fourth digit. */
	for (; value >= 1000 && unit + 1 < ARRAY_LENGTH(units); unit++)
		value /= 1024;
	snprintf(text, IMG_SIZE_TEXT_MAX, "%0.3g %s", value, units[unit]);
	return text;
}

const char *img_size_io_text(double bytes, char text[IMG_SIZE_TEXT_MAX])
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB",
					    "TiB",   "PiB", "EiB"};
	unsigned int unit = 0;
	char *zeroes;

	for (; bytes >= 1024 && unit + 1 < ARRAY_LENGTH(units); unit++)
		bytes /= 1024;
	snprintf(text, IMG_SIZE_TEXT_MAX - 8, unit ? "%.3f" : "%f", bytes);
	zeroes = strstr(text, ".000");
	if (zeroes)
		*zeroes = '\0';
	strcat(text, " ");
	return strcat(text, units[unit]);
}

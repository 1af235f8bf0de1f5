/* vmm/boot_version.c - see boot_version.h. */
#include "vmm/boot_version.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The C library's would ask the locale. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static const char *skip_separators(const char *text)
{
	while (*text && !is_digit(*text) && !is_letter(*text) &&
	       !strchr("-.~^", *text))
		text++;
	return text;
}

static int sign_of(int comparison, size_t a, size_t b)
{
	return comparison ? comparison : (a > b) - (a < b);
}

/* Numbers of any length; none at all is the least. */
static int compare_digits(const char **a, const char **b)
{
	size_t length[2] = {0, 0};
	const char **texts[] = {a, b}, *digits[2];
	bool any[2];

	for (int i = 0; i < 2; i++) {
		any[i] = is_digit(**texts[i]);
		*texts[i] += strspn(*texts[i], "0");
		digits[i] = *texts[i];
		while (is_digit(digits[i][length[i]]))
			length[i]++;
		*texts[i] += length[i];
	}
	if (any[0] != any[1] || length[0] != length[1])
		return sign_of(any[0] - any[1], length[0], length[1]);
	return strncmp(digits[0], digits[1], length[0]);
}

static int compare_letters(const char **a, const char **b)
{
	const char *start_a = *a, *start_b = *b;
	size_t length_a, length_b;

	while (is_letter(**a))
		(*a)++;
	while (is_letter(**b))
		(*b)++;
	length_a = (size_t)(*a - start_a);
	length_b = (size_t)(*b - start_b);
	return sign_of(strncmp(start_a, start_b,
			       length_a < length_b ? length_a : length_b),
		       length_a, length_b);
}

/*
 * Where one text goes on with @mark and the other does not, the one with it is
 * older. Where both do, the mark is passed.
 */
static int compare_mark(const char **a, const char **b, char mark)
{
	bool in_a = **a == mark, in_b = **b == mark;

	if (in_a && in_b) {
		(*a)++;
		(*b)++;
	}
	return in_b - in_a;
}

/* The next part of both texts, neither of which is at its end. */
static int compare_part(const char **a, const char **b)
{
	for (const char *mark = "-^."; *mark; mark++) {
		int order = compare_mark(a, b, *mark);

		if (order)
			return order;
	}
	if (is_digit(**a) || is_digit(**b))
		return compare_digits(a, b);
	return compare_letters(a, b);
}

int boot_version_compare(const char *a, const char *b)
{
	int order = 0;

	while (!order) {
		a = skip_separators(a);
		b = skip_separators(b);
		/* Older even than nothing: a version before the version. */
		order = compare_mark(&a, &b, '~');
		if (order)
			break;
		if (!*a || !*b)
			return !!*a - !!*b;
		order = compare_part(&a, &b);
	}
	return order;
}

/*
 * Memory and text. Where a guest's code is slow (emulated), so are these:
 * guests keep what they copy small.
 */
#include "runtime/string.h"

void *memcpy(void *to, const void *from, size_t length)
{
	uint8_t *out = to;
	const uint8_t *in = from;

	if (!(((uintptr_t)out | (uintptr_t)in) & 7))
		for (; length >= 8; length -= 8, out += 8, in += 8)
			*(uint64_t *)out = *(const uint64_t *)in;
	while (length--)
		*out++ = *in++;
	return to;
}

void *memmove(void *to, const void *from, size_t length)
{
	uint8_t *out = to;
	const uint8_t *in = from;

	if (out <= in)
		return memcpy(to, from, length);
	while (length--)
		out[length] = in[length];
	return to;
}

void *memset(void *to, int byte, size_t length)
{
	uint8_t *out = to;
	uint64_t word = (uint8_t)byte * 0x0101010101010101ULL;

	for (; length && ((uintptr_t)out & 7); length--)
		*out++ = (uint8_t)byte;
	for (; length >= 8; length -= 8, out += 8)
		*(uint64_t *)out = word;
	while (length--)
		*out++ = (uint8_t)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t length)
{
	const uint8_t *left = a, *right = b;

	for (; length--; left++, right++)
		if (*left != *right)
			return *left < *right ? -1 : 1;
	return 0;
}

size_t text_length(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

bool text_equal(const char *a, const char *b)
{
	return memcmp(a, b, text_length(a) + 1) == 0;
}

void text_copy(char *to, const char *from, size_t size)
{
	while (size-- > 1 && *from)
		*to++ = *from++;
	*to = '\0';
}

static unsigned int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A') + 10;
	return 16;
}

uint64_t text_number(const char **text)
{
	const char *at = *text;
	unsigned int base = 10;
	uint64_t number = 0;

	if (at[0] == '0' && at[1] == 'x') {
		base = 16;
		at += 2;
	}
	for (; digit_value(*at) < base; at++)
		number = number * base + digit_value(*at);
	*text = at;
	return number;
}

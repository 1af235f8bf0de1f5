/*
 * runtime/string.h - the few functions on memory and text that guests need.
 *
 * The first four are also what the compiler calls on its own.
 */
#ifndef RUNTIME_STRING_H
#define RUNTIME_STRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int byte, size_t length);
int memcmp(const void *a, const void *b, size_t length);

size_t text_length(const char *text);
bool text_equal(const char *a, const char *b);
/* Copies what fits and always ends the copy. */
void text_copy(char *to, const char *from, size_t size);

/*
 * Reads a number in C's notation (0x.. or decimal) and moves *text behind it.
 * No digits: 0, and *text stays.
 */
uint64_t text_number(const char **text);

#endif

/*
 * runtime/print.h - text to the console, text from the console.
 */
#ifndef RUNTIME_PRINT_H
#define RUNTIME_PRINT_H

#include <stdbool.h>
#include <stddef.h>

/* %s %c %d %u %x and their l and ll forms, %%; a width and a 0 before it. */
__attribute__((format(printf, 1, 2))) void print(const char *format, ...);

/*
 * Reads a line from the console, without its end (\r or \n), as far as it
 * fits. False when none came in time.
 */
bool read_line(char *line, size_t size);

#endif

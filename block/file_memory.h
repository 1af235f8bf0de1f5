/*
 * block/file_memory.h - a file in memory, for tests and fuzzers.
 *
 * Its contents may be read and changed at will through file_memory_data(), as
 * long as no request is under way.
 */
#ifndef BLOCK_FILE_MEMORY_H
#define BLOCK_FILE_MEMORY_H

#include "block/file.h"

/* An empty file with a copy of @length bytes, or NULL. */
struct file *file_memory_new(const void *data, size_t length);

/* The bytes; until the next write. */
uint8_t *file_memory_data(struct file *file);

#endif

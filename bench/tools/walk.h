/*
 * bench/tools/walk.h - what the bare loops have in common: the options of
 * `qemu-img bench` that they know, and its walk over a file.
 *
 *   -c COUNT   requests             -s BYTES   of a request
 *   -d DEPTH   under way at once    -S BYTES   from one to the next
 *   -w         write, do not read   -F COUNT   a flush after so many writes
 *   -D         past the page cache -C FILE    copy: what is written is read
 *                                             from the same place of this one
 *
 * and the file, which has to be there. A size may end in k, M or G.
 */
#ifndef BENCH_TOOLS_WALK_H
#define BENCH_TOOLS_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct walk {
	int fd;
	int copy_fd; /* -1: none */
	uint64_t file_size;
	uint64_t count, depth;
	uint64_t size, step; /* bytes */
	uint64_t flush_interval;
	bool write;
	uint64_t offset; /* of the next request */
};

/* Reads the options and opens the file, or ends the program with a sentence. */
void walk_init(struct walk *walk, int argc, char **argv);

/* The offset of the next request. */
static inline uint64_t walk_next(struct walk *walk)
{
	uint64_t offset = walk->offset;

	walk->offset = (offset + walk->step) % walk->file_size;
	if (walk->offset + walk->size > walk->file_size)
		walk->offset = 0;
	return offset;
}

/* Memory for @requests, aligned to pages and touched. */
void *walk_buffers(const struct walk *walk, uint64_t requests);

/* Ends the program with a sentence about errno. */
_Noreturn void walk_fail(const char *what);

#endif

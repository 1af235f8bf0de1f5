/*
 * bench/tools/pread_loop.c - one pread or pwrite after the other: what a
 * request at depth 1 costs where nothing lies between a program and its file.
 * The options: walk.h. Prints the seconds and requests per second.
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "walk.h"

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void flush_if_due(const struct walk *walk, uint64_t done)
{
	if (walk->flush_interval && !(done % walk->flush_interval) &&
	    fdatasync(walk->fd))
		walk_fail("fdatasync");
}

static void run(struct walk *walk, void *buffer)
{
	for (uint64_t done = 1; done <= walk->count; done++) {
		off_t offset = (off_t)walk_next(walk);
		ssize_t bytes =
			walk->write
				? pwrite(walk->fd, buffer, walk->size, offset)
				: pread(walk->fd, buffer, walk->size, offset);

		if (bytes != (ssize_t)walk->size)
			walk_fail("request");
		flush_if_due(walk, done);
	}
}

int main(int argc, char **argv)
{
	struct walk walk;
	void *buffer;
	double start;

	walk_init(&walk, argc, argv);
	buffer = walk_buffers(&walk, 1);
	start = now();
	run(&walk, buffer);
	start = now() - start;
	printf("seconds=%.6f rate=%.1f\n", start, (double)walk.count / start);
	return 0;
}

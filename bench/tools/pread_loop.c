/*
 * bench/tools/pread_loop.c - one pread or pwrite after the other: what a
 * request at depth 1 costs where nothing lies between a program and its file.
 * What was written is flushed at the end, as by who closes a disk. The options:
 * walk.h. Prints the seconds and requests per second.
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

static void flush(const struct walk *walk)
{
	if (fdatasync(walk->fd))
		walk_fail("fdatasync");
}

static bool request(const struct walk *walk, void *buffer, off_t offset)
{
	ssize_t size = (ssize_t)walk->size;

	if (!walk->write)
		return pread(walk->fd, buffer, walk->size, offset) == size;
	if (walk->copy_fd >= 0 &&
	    pread(walk->copy_fd, buffer, walk->size, offset) != size)
		return false;
	return pwrite(walk->fd, buffer, walk->size, offset) == size;
}

static void run(struct walk *walk, void *buffer)
{
	uint64_t interval = walk->flush_interval;

	for (uint64_t done = 1; done <= walk->count; done++) {
		if (!request(walk, buffer, (off_t)walk_next(walk)))
			walk_fail("request");
		if (interval && !(done % interval))
			flush(walk);
	}
	if (walk->write)
		flush(walk);
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

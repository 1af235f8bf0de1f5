/*
 * bench/tools/map_lookup.c - what the map alone takes: the nanoseconds of one
 * block_map() of 4 KiB, at places all over an image, when the whole of its map
 * is in memory.
 *
 * usage: map_lookup IMAGE.qcow2 [LOOKUPS]
 *
 * The places are a generator's; what it takes by itself is subtracted. Prints
 * ns=N.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/math.h"
#include "block/block.h"

#define REQUEST	    4096
#define LOOKUPS	    20000000
#define ENTRIES_MIN 512 /* of a slice of the map's cache: 4 KiB of entries */

static double now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static uint64_t xorshift(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A request's place out of a random number, without a division. */
static uint64_t place(uint64_t number, uint64_t places)
{
	return (uint64_t)((unsigned __int128)number * places >> 64) * REQUEST;
}

/* A read in each slice brings its part of the map into memory. */
static int load(struct block *block)
{
	uint64_t stride = block_discard_granularity(block) * ENTRIES_MIN;
	char buffer[BLOCK_SECTOR];
	struct iovec iov = {buffer, sizeof(buffer)};
	int ret = 0;

	for (uint64_t at = 0; at < block_size(block) && !ret; at += stride)
		ret = block_read(block, at, &iov, 1);
	return ret;
}

static double time_lookups(struct block *block, uint64_t lookups)
{
	uint64_t places = block_size(block) / REQUEST,
		 state = 88172645463325252;
	uint64_t unknown = 0;
	struct block_extent extent;
	double start = now_ns();

	for (uint64_t i = 0; i < lookups; i++) {
		block_map(block, place(xorshift(&state), places), REQUEST,
			  &extent);
		unknown += extent.kind == BLOCK_EXTENT_UNCACHED;
	}
	if (unknown)
		fprintf(stderr, "%llu lookups were not answered\n",
			(unsigned long long)unknown);
	return (now_ns() - start) / (double)lookups;
}

/* The same without the map. */
static double time_generator(struct block *block, uint64_t lookups)
{
	uint64_t places = block_size(block) / REQUEST,
		 state = 88172645463325252;
	double start = now_ns();

	for (uint64_t i = 0; i < lookups; i++) {
		uint64_t offset = place(xorshift(&state), places);

		/* As if somebody had a use for it. */
		asm volatile("" : : "r"(offset));
	}
	return (now_ns() - start) / (double)lookups;
}

int main(int argc, char **argv)
{
	struct block_options options = {
		.path = argc > 1 ? argv[1] : "",
		.format = BLOCK_QCOW2,
		.read_only = true,
		.l2_cache_size = GIB,
	};
	uint64_t lookups = argc > 2 ? strtoull(argv[2], NULL, 10) : LOOKUPS;
	struct block *block;
	struct err err;

	if (block_open(&options, &block, &err)) {
		fprintf(stderr, "map_lookup: %s\n", err.text);
		return 1;
	}
	if (load(block)) {
		fprintf(stderr, "map_lookup: %s cannot be read\n", argv[1]);
		return 1;
	}
	time_lookups(block, lookups / 10);
	printf("ns=%.2f\n",
	       time_lookups(block, lookups) - time_generator(block, lookups));
	block_close(block);
	return 0;
}

/*
 * block/img_bench.h - what `alcor img bench` was asked for. Private to
 * block/img_bench*.c.
 */
#ifndef BLOCK_IMG_BENCH_H
#define BLOCK_IMG_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "block/queue.h"

struct bench_plan {
	enum block_engine engine;
	uint64_t count;
	uint64_t depth;
	uint64_t size;		 /* of a request; all are multiples of... */
	uint64_t start;		 /* ...BLOCK_SECTOR: offset of the first */
	uint64_t step;		 /* 0: to places at random */
	uint64_t seed;		 /* not 0, for that */
	uint64_t flush_interval; /* requests; 0: no flush */
	uint8_t pattern;
	bool write;
	bool drain; /* a flush waits for all before it, and all wait for it */
};

struct bench_result {
	double seconds;
	double user_seconds, system_seconds; /* of CPU time, all threads' */
	const char *engine;
};

/* 0, or the first error; a sentence where it is not a request's. */
int bench_run(struct block *block, const struct bench_plan *plan,
	      struct bench_result *ret_result, struct err *err);

#endif

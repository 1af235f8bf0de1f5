/*
 * block/img_bench.c - `alcor img bench`: requests of one kind, as fast as they
 * go, several at a time; what is asked for, and what is told of it.
 */
#include "block/img_bench.h"

#include <stdio.h>
#include <string.h>

#include "base/math.h"
#include "base/parse.h"
#include "block/img_command.h"
#include "block/img_disk.h"
#include "block/img_size.h"

static const struct img_option options[] = {
	IMG_OPTIONS_COMMON,
	{'c', "count", true},
	{'d', "depth", true},
	{'f', "format", true},
	{'i', "aio", true},
	{'n', "native", false},
	{'o', "offset", true},
	{'q', "quiet", false},
	{'s', "buffer-size", true},
	{'S', "step-size", true},
	{'t', "cache", true},
	{'U', "force-share", false},
	{'w', "write", false},
	{IMG_OPTION_CPU, "cpu", false},
	{IMG_OPTION_FLUSH_INTERVAL, "flush-interval", true},
	{IMG_OPTION_L2_CACHE, "l2-cache", true},
	{IMG_OPTION_NO_DRAIN, "no-drain", false},
	{IMG_OPTION_PATTERN, "pattern", true},
	{IMG_OPTION_RANDOM, "random", true},
	{0},
};

static void tell_plan(const struct bench_plan *plan)
{
	printf("Sending %llu %s requests, %llu bytes each, %llu in parallel ",
	       (unsigned long long)plan->count, plan->write ? "write" : "read",
	       (unsigned long long)plan->size, (unsigned long long)plan->depth);
	if (plan->step)
		printf("(starting at offset %llu, step size %llu)\n",
		       (unsigned long long)plan->start,
		       (unsigned long long)plan->step);
	else
		printf("(to places at random)\n");
	if (plan->flush_interval)
		printf("Sending %sflush every %llu requests\n",
		       plan->drain ? "" : "non-draining ",
		       (unsigned long long)plan->flush_interval);
}

/* The CPU time is that of all threads, the kernel's for us included. */
static void tell_cpu(const struct bench_plan *plan,
		     const struct bench_result *result)
{
	double scale = plan->count ? 1e6 / (double)plan->count : 0;

	printf("CPU time per request: %.3f us (%.3f user, %.3f system), "
	       "by %s\n",
	       (result->user_seconds + result->system_seconds) * scale,
	       result->user_seconds * scale, result->system_seconds * scale,
	       result->engine);
}

static int run(struct block *block, const struct bench_plan *plan,
	       const struct img_args *args)
{
	bool quiet = img_args_has(args, 'q');
	struct bench_result result;
	struct err err;

	if (!quiet)
		tell_plan(plan);
	if (bench_run(block, plan, &result, &err))
		return img_failed("%s", err.text);
	if (!quiet)
		printf("Run completed in %3.3f seconds.\n", result.seconds);
	if (img_args_has(args, IMG_OPTION_CPU))
		tell_cpu(plan, &result);
	return IMG_OK;
}

/* --- What was typed ------------------------------------------------------- */

static int parse_count(const struct img_args *args, int id, uint64_t max,
		       const char *what, uint64_t *number)
{
	const char *text = img_args_value(args, id);

	if (!text || parse_number(text, max, number))
		return 0;
	return img_failed("Invalid %s specified", what);
}

static int parse_bytes(const struct img_args *args, int id, const char *what,
		       uint64_t *bytes)
{
	const char *text = img_args_value(args, id);

	if (!text || img_size_parse(text, bytes))
		return 0;
	return img_failed("Invalid %s specified", what);
}

/* "native" is another interface of the kernel's for the same thing. */
static int parse_engine(const struct img_args *args, enum block_engine *engine)
{
	const char *name = img_args_value(args, 'i');

	if (!name || !strcmp(name, "native"))
		*engine = BLOCK_ENGINE_AUTO;
	else if (!strcmp(name, "io_uring"))
		*engine = BLOCK_ENGINE_URING;
	else if (!strcmp(name, "threads"))
		*engine = BLOCK_ENGINE_THREADS;
	else
		return img_failed("Invalid aio option: %s", name);
	return 0;
}

static int parse_random(const struct img_args *args, struct bench_plan *plan)
{
	int ret = parse_count(args, IMG_OPTION_RANDOM, UINT64_MAX, "seed",
			      &plan->seed);

	if (ret || !img_args_has(args, IMG_OPTION_RANDOM))
		return ret;
	if (img_args_has(args, 'o') || img_args_has(args, 'S'))
		return img_failed("--random leaves no choice of offset and "
				  "step size");
	if (!plan->seed || !plan->size)
		return img_failed("Invalid %s specified",
				  plan->size ? "seed" : "buffer size");
	plan->step = 0;
	return 0;
}

static int check(const struct bench_plan *plan)
{
	if (!plan->depth)
		return img_failed("Invalid queue depth specified");
	if (plan->size > GIB)
		return img_failed("Invalid buffer size specified");
	if (!is_aligned(plan->size | plan->start | plan->step, BLOCK_SECTOR))
		return img_failed("Buffer size, offset and step size have to "
				  "be multiples of %d",
				  BLOCK_SECTOR);
	if (plan->flush_interval && !plan->write)
		return img_failed("--flush-interval is only available in write "
				  "tests");
	if (plan->flush_interval && plan->flush_interval < plan->depth &&
	    plan->drain)
		return img_failed("Flush interval can't be smaller than depth");
	return 0;
}

static int parse(struct bench_plan *plan, const struct img_args *args)
{
	uint64_t pattern = 0;
	int ret = parse_count(args, 'c', INT32_MAX, "request count",
			      &plan->count);

	if (!ret)
		ret = parse_count(args, 'd', INT32_MAX, "queue depth",
				  &plan->depth);
	if (!ret)
		ret = parse_count(args, IMG_OPTION_FLUSH_INTERVAL, INT32_MAX,
				  "flush interval", &plan->flush_interval);
	if (!ret)
		ret = parse_count(args, IMG_OPTION_PATTERN, 0xff,
				  "pattern byte", &pattern);
	if (!ret)
		ret = parse_bytes(args, 'o', "offset", &plan->start);
	if (!ret)
		ret = parse_bytes(args, 's', "buffer size", &plan->size);
	if (!ret)
		ret = parse_bytes(args, 'S', "step_size", &plan->step);
	if (!ret)
		ret = parse_engine(args, &plan->engine);
	plan->pattern = (uint8_t)pattern;
	plan->step = plan->step ? plan->step : plan->size;
	if (!ret)
		ret = parse_random(args, plan);
	return ret ? ret : check(plan);
}

static int bench_command_run(const struct img_args *args)
{
	struct bench_plan plan = {
		.count = 75000,
		.depth = 64,
		.size = 4096,
		.write = img_args_has(args, 'w'),
		.drain = !img_args_has(args, IMG_OPTION_NO_DRAIN),
	};
	struct img_disk disk;
	struct img_open open;

	if (parse(&plan, args) || img_open_operand(&open, args, 0, 't') ||
	    parse_bytes(args, IMG_OPTION_L2_CACHE, "L2 cache size",
			&open.l2_cache_size))
		return IMG_FAILED;
	open.writable = plan.write;
	if (img_disk_begin(&disk, &open))
		return IMG_FAILED;
	return img_disk_finish(&disk, open.path, run(disk.block, &plan, args));
}

const struct img_command img_bench_command = {
	.name = "bench",
	.synopsis = "[-c COUNT] [-d DEPTH] [-f FORMAT] [-i AIO] [-o OFFSET] "
		    "[-s SIZE] [-S STEP] [-t CACHE] [-w [--pattern BYTE] "
		    "[--flush-interval N [--no-drain]]] [-q] [-U] "
		    "[--l2-cache SIZE] [--random SEED] [--cpu] FILE",
	.options = options,
	.operands_min = 1,
	.operands_max = 1,
	.operands_wanted = "Expecting one image file name",
	.run = bench_command_run,
};

/*
 * block/img_bench.c - `alcor img bench`: requests of one kind, as fast as they
 * go, several at a time.
 *
 * Each of the requests in flight has a thread, which takes the next one when
 * its last is done; more than BENCH_DEPTH_MAX threads would only wait for each
 * other.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
	{IMG_OPTION_FLUSH_INTERVAL, "flush-interval", true},
	{IMG_OPTION_L2_CACHE, "l2-cache", true},
	{IMG_OPTION_NO_DRAIN, "no-drain", false},
	{IMG_OPTION_PATTERN, "pattern", true},
	{0},
};

#define BENCH_DEPTH_MAX 64

struct bench {
	struct img_disk disk;	 /* [c] */
	uint64_t count;		 /* [c] */
	uint64_t depth;		 /* [c] */
	uint64_t size;		 /* [c] of a request */
	uint64_t start;		 /* [c] offset of the first */
	uint64_t step;		 /* [c] */
	uint64_t flush_interval; /* [c] requests; 0: no flush */
	uint64_t pattern;	 /* [c] */
	uint64_t l2_cache_size;	 /* [c] 0: the default */
	bool write;		 /* [c] */
	bool drain;		 /* [c] a flush waits for all before it */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* with lock */
	uint64_t next;		/* [l] number of the next request */
	uint64_t offset;	/* [l] of it */
	uint64_t in_flight;	/* [l] */
	int error;		/* [l] the first one */
};

/* Whether request @number begins with a flush of what was before it. */
static bool is_flush_due(const struct bench *bench, uint64_t number)
{
	return bench->flush_interval && number &&
	       !(number % bench->flush_interval);
}

/*
 * As qemu-img's walk: a step that has no factor in common with the size comes
 * to all of the disk, in no order that hardware would guess. But where a
 * request would go past the end, the walk begins anew.
 */
static uint64_t next_offset(const struct bench *bench)
{
	uint64_t size = bench->disk.size;
	uint64_t offset = size ? (bench->offset + bench->step) % size : 0;

	return range_fits(offset, bench->size, size) ? offset : 0;
}

/* Under the lock. False: there is no next one. */
static bool take_request(struct bench *bench, uint64_t *ret_offset,
			 bool *ret_flush)
{
	while (!bench->error && bench->next < bench->count && bench->drain &&
	       is_flush_due(bench, bench->next) && bench->in_flight)
		pthread_cond_wait(&bench->changed, &bench->lock);
	if (bench->error || bench->next == bench->count)
		return false;
	*ret_flush = is_flush_due(bench, bench->next);
	*ret_offset = bench->offset;
	bench->next++;
	bench->in_flight++;
	bench->offset = next_offset(bench);
	return true;
}

static int run_request(struct bench *bench, uint64_t offset, bool flush,
		       uint8_t *buffer)
{
	int ret = flush ? block_flush(bench->disk.block) : 0;

	if (ret)
		return ret;
	if (bench->write)
		return img_disk_write(&bench->disk, offset, buffer,
				      bench->size);
	return img_disk_read(&bench->disk, offset, buffer, bench->size);
}

static void work_with(struct bench *bench, uint8_t *buffer)
{
	uint64_t offset;
	bool flush;
	int ret;

	memset(buffer, (int)bench->pattern, bench->size);
	pthread_mutex_lock(&bench->lock);
	while (take_request(bench, &offset, &flush)) {
		pthread_mutex_unlock(&bench->lock);
		ret = run_request(bench, offset, flush, buffer);
		pthread_mutex_lock(&bench->lock);
		bench->in_flight--;
		if (ret && !bench->error)
			bench->error = ret;
		pthread_cond_broadcast(&bench->changed);
	}
	pthread_mutex_unlock(&bench->lock);
}

static void *work(void *argument)
{
	struct bench *bench = argument;
	uint8_t *buffer = malloc(max_u64(bench->size, 1));

	if (buffer) {
		work_with(bench, buffer);
	} else {
		pthread_mutex_lock(&bench->lock);
		bench->error = -ENOMEM;
		pthread_mutex_unlock(&bench->lock);
	}
	free(buffer);
	return NULL;
}

static int run_threads(struct bench *bench)
{
	pthread_t threads[BENCH_DEPTH_MAX];
	uint64_t count = 0;
	int ret = 0;

	while (count < min_u64(bench->depth, BENCH_DEPTH_MAX) && !ret) {
		ret = -pthread_create(&threads[count], NULL, work, bench);
		count += !ret;
	}
	for (uint64_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	return count ? bench->error : ret;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int run(struct bench *bench, bool quiet)
{
	double start;
	int ret;

	if (!quiet)
		printf("Sending %llu %s requests, %llu bytes each, %llu in "
		       "parallel (starting at offset %llu, step size %llu)\n",
		       (unsigned long long)bench->count,
		       bench->write ? "write" : "read",
		       (unsigned long long)bench->size,
		       (unsigned long long)bench->depth,
		       (unsigned long long)bench->start,
		       (unsigned long long)bench->step);
	if (!quiet && bench->flush_interval)
		printf("Sending %sflush every %llu requests\n",
		       bench->drain ? "" : "non-draining ",
		       (unsigned long long)bench->flush_interval);
	start = now();
	ret = run_threads(bench);
	if (ret)
		return img_failed("Failed request: %s", strerror(-ret));
	if (!quiet)
		printf("Run completed in %3.3f seconds.\n", now() - start);
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

static int parse(struct bench *bench, const struct img_args *args)
{
	int ret = parse_count(args, 'c', INT32_MAX, "request count",
			      &bench->count);

	if (!ret)
		ret = parse_count(args, 'd', INT32_MAX, "queue depth",
				  &bench->depth);
	if (!ret)
		ret = parse_count(args, IMG_OPTION_FLUSH_INTERVAL, INT32_MAX,
				  "flush interval", &bench->flush_interval);
	if (!ret)
		ret = parse_count(args, IMG_OPTION_PATTERN, 0xff,
				  "pattern byte", &bench->pattern);
	if (!ret)
		ret = parse_bytes(args, 'o', "offset", &bench->start);
	if (!ret)
		ret = parse_bytes(args, 's', "buffer size", &bench->size);
	if (!ret)
		ret = parse_bytes(args, 'S', "step_size", &bench->step);
	if (!ret)
		ret = parse_bytes(args, IMG_OPTION_L2_CACHE, "L2 cache size",
				  &bench->l2_cache_size);
	if (ret)
		return ret;
	if (!bench->depth || bench->size > GIB)
		return img_failed("Invalid %s specified",
				  bench->depth ? "buffer size" : "queue depth");
	if (bench->flush_interval && !bench->write)
		return img_failed("--flush-interval is only available in write "
				  "tests");
	if (bench->flush_interval && bench->flush_interval < bench->depth &&
	    bench->drain)
		return img_failed("Flush interval can't be smaller than depth");
	bench->step = bench->step ? bench->step : bench->size;
	bench->offset = bench->start;
	return 0;
}

static int bench_run(const struct img_args *args)
{
	struct bench bench = {
		.count = 75000,
		.depth = 64,
		.size = 4096,
		.write = img_args_has(args, 'w'),
		.drain = !img_args_has(args, IMG_OPTION_NO_DRAIN),
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	struct img_open open;

	if (parse(&bench, args) || img_open_operand(&open, args, 0, 't'))
		return IMG_FAILED;
	open.writable = bench.write;
	open.l2_cache_size = bench.l2_cache_size;
	if (img_disk_begin(&bench.disk, &open))
		return IMG_FAILED;
	return img_disk_finish(&bench.disk, open.path,
			       run(&bench, img_args_has(args, 'q')));
}

const struct img_command img_bench_command = {
	.name = "bench",
	.synopsis = "[-c COUNT] [-d DEPTH] [-f FORMAT] [-o OFFSET] [-s SIZE] "
		    "[-S STEP] [-t CACHE] [-w [--pattern BYTE] "
		    "[--flush-interval N [--no-drain]]] [-q] [-U] "
		    "[--l2-cache SIZE] FILE",
	.options = options,
	.operands_min = 1,
	.operands_max = 1,
	.operands_wanted = "Expecting one image file name",
	.run = bench_run,
};

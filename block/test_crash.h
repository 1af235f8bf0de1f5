/*
 * block/test_crash.h - for tests: a recorded run on an image, and the judge of
 * the disks that a power cut may leave of it (test_power.h).
 *
 * A state is right if the image has no errors and can be opened, if each sector
 * holds what the last flushed write left there or what a later one, already
 * begun, would leave, and if a snapshot holds what it held.
 */
#ifndef BLOCK_TEST_CRASH_H
#define BLOCK_TEST_CRASH_H

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

#include "block/test_check.h"
#include "block/test_disk.h"
#include "block/test_host.h"
#include "block/test_lent.h"
#include "block/test_power.h"
#include "block/test_snapshot.h"

#define THREADS_MAX   3
#define OPS_MAX	      160
#define TEST_COMPRESS (TEST_READ + 1) /* one more action */

enum with {
	EXTENDED = 1 << 0,
	DATA_FILE = 1 << 1,
	DATA_RAW = 1 << 2,
	ZSTD = 1 << 3,
	COMPRESS = 1 << 4, /* some of the writes */
	FILL = 1 << 5,	   /* before: the refcount table is about to grow */
	SNAPSHOT = 1 << 6, /* before */
	THREADS = 1 << 7,  /* not one, but three */
	NO_HOLES = 1 << 8, /* the file system has none */
	FAULTS = 1 << 9,   /* now and then the host refuses a call */
};

struct scenario {
	const char *name;
	uint64_t sectors;
	unsigned int cluster_bits, version, refcount_order;
	uint64_t l2_cache_size; /* 1: of one slice */
	uint64_t backing_sectors;
	unsigned int ops;
	unsigned int share; /* of the states, compared with the others */
	unsigned int with;
};

/* An operation, and the time of its start and its end. */
struct timed_op {
	struct test_op op;
	unsigned long start, end;
};

/* What one thread does, to sectors of its own. */
struct actor {
	struct run *run;
	struct test_disk *disk; /* its own, but for the block */
	uint64_t first, sectors;
	unsigned int op_count;
	struct timed_op ops[OPS_MAX];
};

/* A run, and what is needed to judge the disks that it may leave. */
struct run {
	const struct scenario *scenario;
	struct test_recorder *recorder, *data;
	struct block *block;
	unsigned int threads;
	uint64_t sectors;
	uint64_t *before; /* what the sectors held before the run */
	atomic_ulong clock;
	struct actor *actors[THREADS_MAX];
	struct test_random random;
	uint8_t *buffer; /* for a whole disk */
	bool quiet;	 /* failures are expected */
	unsigned long told;
};

static unsigned long qemu_every; /* so many states; 0: never */
static unsigned long qemu_states;

/* --- The oracle ----------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static inline bool wrong(
	struct run *run, const char *format, ...)
{
	va_list args;

	if (!run->quiet && run->told++ < 3) {
		va_start(args, format);
		printf("# %s: ", run->scenario->name);
		vprintf(format, args);
		printf("\n");
		va_end(args);
	}
	return false;
}

/* When the last flush began that had ended when the log was so long. */
static inline unsigned long flushed_until(const struct run *run,
					  size_t log_length)
{
	unsigned long until = 0;

	for (unsigned int t = 0; t < run->threads; t++)
		for (unsigned int i = 0; i < run->actors[t]->op_count; i++) {
			const struct timed_op *timed = &run->actors[t]->ops[i];

			if (timed->op.action == TEST_FLUSH && !timed->op.ret &&
			    timed->op.log_end <= log_length)
				until = max_u64(until, timed->start);
		}
	return until;
}

/*
 * A discarded sector holds zeroes, or what it held; one that could not be
 * written what it held or what was to be written.
 */
static inline bool is_allowed(const struct run *run, const struct actor *actor,
			      size_t log_length, unsigned long flushed,
			      uint64_t sector, uint64_t value)
{
	for (unsigned int i = actor->op_count; i-- > 0;) {
		const struct timed_op *timed = &actor->ops[i];
		const struct test_op *op = &timed->op;

		if (op->action == TEST_FLUSH || op->log_start >= log_length ||
		    sector - op->first >= op->count)
			continue;
		if (op->value == value)
			return true;
		if (op->action != TEST_DISCARD && !op->ret &&
		    timed->end < flushed)
			return false;
	}
	return run->before[sector] == value;
}

static inline bool is_content_right(struct run *run, size_t log_length)
{
	unsigned long flushed = flushed_until(run, log_length);
	uint64_t value;

	for (unsigned int t = 0; t < run->threads; t++) {
		const struct actor *actor = run->actors[t];

		for (uint64_t i = 0; i < actor->sectors; i++) {
			uint64_t sector = actor->first + i;

			value = test_sector_value(run->buffer +
						  sector * BLOCK_SECTOR);
			if (!is_allowed(run, actor, log_length, flushed, sector,
					value))
				return wrong(run,
					     "log %zu: sector %" PRIu64
					     " holds %#" PRIx64,
					     log_length, sector, value);
		}
	}
	return true;
}

/* --- Judging a state ------------------------------------------------------ */

/*
 * Reads the disk into the run's buffer. A writer opens it, who is stricter; but
 * not to see a snapshot, whose tables are in two places then.
 */
static inline bool read_state(struct run *run, struct file **disk,
			      bool read_only)
{
	struct image_options options = {
		.name = "test",
		.read_only = read_only,
		.data_file = test_lend(disk[1]),
	};
	struct file *file = test_lend(disk[0]);
	struct image *image;
	struct err err;
	bool right;

	if (qcow2_open(file, &options, &image, &err)) {
		file_close(file);
		file_close(options.data_file);
		return wrong(run, "%s", err.text);
	}
	if (run->scenario->backing_sectors)
		image->backing =
			test_backing_new(run->scenario->backing_sectors);
	right = !image_read_padded(image, 0, image->size, run->buffer);
	image_close(image);
	return right || wrong(run, "it cannot be read");
}

/* Opened with the snapshot's L1 table, it is what it was before the run. */
static inline bool is_snapshot_right(struct run *run, struct file **disk)
{
	struct test_check view = test_view(disk[0]);
	uint64_t active = test_get(&view, 40, 8);
	bool right;

	test_put(disk[0], 40, 8, test_get(&view, test_get(&view, 64, 8), 8));
	right = read_state(run, disk, true);
	test_put(disk[0], 40, 8, active);
	for (uint64_t i = 0; i < run->sectors && right; i++)
		right = test_sector_value(run->buffer + i * BLOCK_SECTOR) ==
			run->before[i];
	return right || wrong(run, "the snapshot has changed");
}

/* 0: all is right; 3: leaks. */
static inline bool is_right_for_qemu(struct run *run, struct file **disk)
{
	int status;

	qemu_states++;
	if (!test_file_save(disk[0], "state") ||
	    (disk[1] && !test_file_save(disk[1], "data")))
		return wrong(run, "no room in the temporary folder");
	status = test_shell("exec qemu-img check -q -f qcow2 state");
	return status == 0 || status == 3 ||
	       wrong(run, "qemu-img check ends with %d", status);
}

static inline bool judge(struct test_power *power, size_t log_length)
{
	struct run *run = power->context;
	struct test_check check =
		test_check_image(file_memory_data(power->disk[0]),
				 file_size(power->disk[0]));

	if (check.errors)
		return wrong(run, "log %zu: %u errors", log_length,
			     check.errors);
	if (!read_state(run, power->disk, false) ||
	    !is_content_right(run, log_length))
		return false;
	if (run->scenario->with & SNAPSHOT && power->states % 4 == 0 &&
	    !is_snapshot_right(run, power->disk))
		return false;
	return !qemu_every || power->states % qemu_every ||
	       is_right_for_qemu(run, power->disk);
}

#endif

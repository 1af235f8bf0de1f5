/*
 * block/qcow2_fault_test.c - the host fails: at every call in turn, for once
 * or for good, with EIO or ENOSPC. What was promised is kept nevertheless: no
 * crash, no lie, an image without errors, and after a failed flush no more
 * promises. If the host only refused something for a while, and a flush
 * succeeds in the end, then nothing is leaked either.
 */
#include "block/preallocate.h"
#include "block/qcow2.h"
#include "block/qcow2_compress.h"
#include "block/test_check.h"
#include "block/test_disk.h"
#include "block/test_host.h"
#include "block/test_recorder.h"

#define SCRIPT_OPS 60

/* What the script runs on. */
struct target {
	struct qcow2_create_options create;
	uint64_t backing_sectors; /* 0: none */
	uint64_t filled;	  /* sectors before the script */
	bool compress;		  /* some of the writes */
	bool data_file;
	uint64_t seed;
};

static const struct target targets[] = {
	{TEST_CREATE(256 * 512, 9, 3, 4, 0), 100, 0, false, false, 7},
	{TEST_CREATE(256 * 512, 9, 3, 6, 0), 0, 0, true, false, 8},
	{TEST_CREATE_EXTENDED(256 * 512, 14, 4), 100, 0, true, false, 9},
	{TEST_CREATE(256 * 512, 9, 3, 4, 0), 100, 0, false, true, 10},
	/* 64 blocks for 64 clusters each: the refcount table grows. */
	{TEST_CREATE(5000 * 512, 9, 3, 6, 0), 0, 3962, false, false, 11},
};

struct fault {
	int code;
	unsigned long length; /* calls */
	bool reads;
};

/* What each sector may hold: what it held, or what a failed write left. */
struct promise {
	uint64_t old[5000];
	bool unsure[5000];
};

static void note(struct promise *promise, const struct test_disk *disk,
		 const struct test_op *op)
{
	for (uint64_t i = op->first; i < op->first + op->count; i++) {
		if (op->ret || op->action == TEST_DISCARD)
			promise->unsure[i] = true;
		else if (op->action <= TEST_UNMAP)
			promise->unsure[i] = false;
		promise->old[i] = disk->value[i];
	}
}

static bool is_kept(const struct promise *promise, struct image *image)
{
	uint8_t *data = malloc(image->size);
	bool kept = !image_read_padded(image, 0, image->size, data);

	for (uint64_t i = 0; i < image->size / BLOCK_SECTOR && kept; i++)
		kept = promise->unsure[i] ||
		       test_sector_value(data + i * BLOCK_SECTOR) ==
			       promise->old[i];
	free(data);
	return kept;
}

static struct image *new_backing(const struct target *target)
{
	if (!target->backing_sectors)
		return NULL;
	return test_backing_new(target->backing_sectors);
}

static struct file *copy_of(struct file *file)
{
	return file_memory_new(file_memory_data(file), file_size(file));
}

/* A script in progress. */
struct script {
	const struct target *target;
	struct test_recorder *recorder, *data;
	struct test_disk *disk;
	struct promise promise;
	bool flush_failed;
};

/* The image as the disk holds it, opened anew. */
static void judge(struct script *script, bool flushed, bool leaks_allowed,
		  unsigned long call)
{
	struct file *below = script->recorder->below;
	struct test_check check = test_check_image(file_memory_data(below),
						   file_size(below));
	struct image *image = test_image_open_data(
		copy_of(below), 0, new_backing(script->target),
		script->data ? copy_of(script->data->below) : NULL);

	if (check.errors || (check.leaks && flushed && !leaks_allowed))
		printf("# call %lu: %u errors, %u leaks\n", call, check.errors,
		       check.leaks);
	CHECK_EQUAL(check.errors, 0);
	if (flushed && !leaks_allowed)
		CHECK_EQUAL(check.leaks, 0);
	if (flushed && !CHECK(is_kept(&script->promise, image)))
		printf("# after call %lu failed\n", call);
	image_close(image);
}

/* The image that all scripts for a target begin with. */
static struct file *prepare(const struct target *target)
{
	struct qcow2_create_options create = target->create;
	struct test_disk *disk;
	struct file *file, *copy;

	create.data_file = target->data_file ? "data" : NULL;
	file = test_image_new(&create);
	if (!target->filled)
		return file;
	disk = test_disk_new(test_image_open(file, 0, NULL), 1);
	CHECK(!test_disk_write(disk, 0, target->filled, 1));
	CHECK(!test_block_settle(disk->block));
	copy = copy_of(file);
	block_close(disk->block);
	free(disk);
	return copy;
}

/* A whole cluster, its bytes compressed. */
static void run_compressed(struct script *script, struct test_op *op)
{
	const struct qcow2_create_options *create = &script->target->create;
	size_t size = 1UL << create->cluster_bits, length = 0;
	struct test_disk *disk = script->disk;
	uint8_t *packed = malloc(size);

	op->count = size / BLOCK_SECTOR;
	op->first -= op->first % op->count;
	test_fill(disk->buffer, op->count, op->value);
	qcow2_compress(create->compression, disk->buffer, size, packed,
		       &length);
	op->ret = block_write_compressed(disk->block, op->first * BLOCK_SECTOR,
					 packed, length);
	for (uint64_t i = 0; i < op->count && !op->ret; i++)
		disk->value[op->first + i] = op->value;
	free(packed);
}

static void run_op(struct script *script, const struct fault *fault)
{
	struct test_disk *disk = script->disk;
	struct test_op op = test_disk_choose(disk);

	op.count = min_u64(op.count, 64);
	if (script->target->compress && op.action == TEST_WRITE &&
	    test_below(&disk->random, 2))
		run_compressed(script, &op);
	else
		test_disk_run(disk, &op);
	CHECK(!op.ret || op.ret == fault->code);
	script->flush_failed |= op.ret && script->recorder->file.flush_error;
	if (op.action == TEST_FLUSH && script->flush_failed)
		CHECK_EQUAL(op.ret, fault->code);
	note(&script->promise, disk, &op);
}

static void open_script(struct script *script, struct file *start,
			const struct fault *fault, unsigned long call)
{
	const struct target *target = script->target;
	struct image *image;

	script->recorder = test_recorder_new(copy_of(start));
	if (target->data_file)
		script->data = test_recorder_new(file_memory_new(NULL, 0));
	image = test_image_open_data(&script->recorder->file, 1,
				     new_backing(target),
				     script->data ? &script->data->file : NULL);
	script->disk = test_disk_new(image, target->seed);
	script->recorder->fail_code = fault->code;
	script->recorder->fails_reads = fault->reads;
	script->recorder->calls = 0;
	script->recorder->fail_first = call;
	script->recorder->fail_end = call + fault->length;
	memcpy(script->promise.old, script->disk->value,
	       sizeof(script->promise.old));
}

/* Runs the script; returns how many calls it made. */
static unsigned long run_script(const struct target *target, struct file *start,
				const struct fault *fault, unsigned long call)
{
	struct script *script = calloc(1, sizeof(*script));
	unsigned long calls;
	int ret;

	script->target = target;
	open_script(script, start, fault, call);
	for (unsigned int i = 0; i < SCRIPT_OPS; i++)
		run_op(script, fault);
	ret = test_block_settle(script->disk->block);
	if (script->flush_failed)
		CHECK(ret);
	calls = script->recorder->calls;
	judge(script, !ret, fault->length > 100, call);
	block_close(script->disk->block);
	free(script->disk);
	free(script);
	return calls;
}

static void run_target(const struct target *target, const struct fault *fault)
{
	unsigned long step = target->filled ? 3 : 1, calls;
	struct file *start = prepare(target);

	if (test_is_small())
		step *= 11;
	calls = run_script(target, start, fault, ~0UL / 2);
	CHECK(calls > 40);
	for (unsigned long call = 0; call < calls && !test_failed; call += step)
		run_script(target, start, fault, call);
	file_close(start);
}

static void run_faults(const struct fault *fault)
{
	for (size_t i = 0; i < ARRAY_LENGTH(targets) && !test_failed; i++) {
		run_target(&targets[i], fault);
		if (test_failed)
			printf("# target %zu\n", i);
	}
}

static void one_call_fails(void)
{
	run_faults(&(struct fault){-EIO, 1, false});
}

static void reads_fail_as_well(void)
{
	run_faults(&(struct fault){-EIO, 1, true});
}

static void all_calls_fail_from_then_on(void)
{
	run_faults(&(struct fault){-EIO, ~0UL / 4, true});
}

static void space_runs_out_and_returns(void)
{
	run_faults(&(struct fault){-ENOSPC, 20, false});
}

/* Returns how many calls it has taken, none of which is a flush. */
static unsigned long fail_preallocation(unsigned long call)
{
	struct qcow2_create_options create = TEST_CREATE(MIB, 12, 3, 4, 0);
	struct test_recorder *recorder =
		test_recorder_new(test_image_new(&create));
	struct image *image = test_image_open(&recorder->file, 0, NULL);
	static const atomic_bool never;
	struct test_check check;
	unsigned long calls;
	int ret;

	recorder->fail_first = call;
	recorder->fail_end = call + 1;
	ret = qcow2_preallocate(image, PREALLOCATE_FULL, &never);
	calls = recorder->calls;
	/* Where the file cannot be made longer ahead, it is by what follows. */
	CHECK(!ret || (ret == -EIO && call < calls));
	CHECK_EQUAL(qcow2_quiesce(qcow2_of(image)), 0);
	check = test_check_image(file_memory_data(recorder->below),
				 file_size(recorder->below));
	CHECK_EQUAL(check.errors, 0);
	CHECK_EQUAL(check.leaks, 0);
	image_close(image);
	return calls;
}

static void preallocation_that_fails_leaks_nothing(void)
{
	unsigned long calls = fail_preallocation(~0UL / 2);

	CHECK(calls > 1);
	for (unsigned long call = 0; call < calls; call++)
		fail_preallocation(call);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(one_call_fails),
		TEST(reads_fail_as_well),
		TEST(all_calls_fail_from_then_on),
		TEST(space_runs_out_and_returns),
		TEST(preallocation_that_fails_leaks_nothing),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * block/qcow2_fault_test.c - the host fails: at every call in turn, for once
 * or for good, with EIO or ENOSPC. What was promised is kept nevertheless: no
 * crash, no lie, an image without errors, and after a failed flush no more
 * promises.
 */
#include "block/test_check.h"
#include "block/test_disk.h"
#include "block/test_host.h"
#include "block/test_recorder.h"

#define SCRIPT_OPS 60

struct fault {
	int code;
	unsigned long length; /* calls */
	bool reads;
};

/* What each sector may hold: what it held, or what a failed write left. */
struct promise {
	uint64_t old[256];
	bool unsure[256];
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

/* The image as the disk holds it, opened anew. */
static void judge(struct test_recorder *recorder, bool flushed,
		  const struct promise *promise, unsigned long call)
{
	struct file *below = recorder->below;
	struct test_check check = test_check_image(file_memory_data(below),
						   file_size(below));
	struct file *copy = file_memory_new(file_memory_data(below),
					    file_size(below));
	struct image *image = test_image_open(copy, 0, test_backing_new(100));

	if (check.errors)
		printf("# call %lu: %u errors\n", call, check.errors);
	CHECK_EQUAL(check.errors, 0);
	if (flushed && !CHECK(is_kept(promise, image)))
		printf("# after call %lu failed\n", call);
	image_close(image);
}

/* Runs the script; returns how many calls it made. */
static unsigned long run_script(const struct fault *fault, unsigned long call)
{
	struct qcow2_create_options create = TEST_CREATE(256 * 512, 9, 3, 4, 0);
	struct test_recorder *recorder =
		test_recorder_new(test_image_new(&create));
	struct test_disk *disk = test_disk_new(
		test_image_open(&recorder->file, 1, test_backing_new(100)), 7);
	struct promise promise = {0};
	bool flush_failed = false;
	unsigned long calls;
	struct test_op op;
	int ret;

	recorder->fail_code = fault->code;
	recorder->fails_reads = fault->reads;
	recorder->calls = 0;
	recorder->fail_first = call;
	recorder->fail_end = call + fault->length;
	memcpy(promise.old, disk->value, sizeof(promise.old));
	for (unsigned int i = 0; i < SCRIPT_OPS; i++) {
		op = test_disk_choose(disk);
		test_disk_run(disk, &op);
		CHECK(!op.ret || op.ret == fault->code);
		flush_failed |= op.ret && recorder->file.flush_error;
		if (op.action == TEST_FLUSH && flush_failed)
			CHECK_EQUAL(op.ret, fault->code);
		note(&promise, disk, &op);
	}
	ret = block_flush(disk->block);
	if (flush_failed)
		CHECK(ret);
	calls = recorder->calls;
	judge(recorder, !ret, &promise, call);
	block_close(disk->block);
	free(disk);
	return calls;
}

static void run_faults(const struct fault *fault)
{
	unsigned long calls = run_script(fault, ~0UL / 2);
	unsigned long step = test_is_small() ? 5 : 1;

	CHECK(calls > 100);
	for (unsigned long call = 0; call < calls && !test_failed; call += step)
		run_script(fault, call);
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

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(one_call_fails),
		TEST(reads_fail_as_well),
		TEST(all_calls_fail_from_then_on),
		TEST(space_runs_out_and_returns),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * block/qcow2_tables_fault_test.c - the host fails while a disk changes as a
 * whole: at every call in turn, reads and changes of size included, for once,
 * for a while or for good. What is there then is the image from before or the
 * one from after, without errors; it is the one from after, durably, if the
 * operation said so; it can still be written; and when the host has recovered,
 * the operation succeeds.
 *
 * ALCOR_TEST_SEED says where the random numbers begin, ALCOR_TEST_FAULTS how
 * many of the calls are left out between two that fail (default 5).
 */
#include <errno.h>

#include "block/test_host.h"
#include "block/test_operations.h"

struct fault {
	int code;
	unsigned long length; /* calls */
	bool reads;	      /* as well */
};

/* An operation, undisturbed: what is right before it and after it. */
struct plan {
	const struct test_operation *operation;
	const struct test_shape *shape;
	struct test_files start;
	struct test_sight before, after;
	unsigned long calls; /* of its files' */
	uint64_t seed;
};

/* What is written to a sector after an operation has failed. */
#define POKED_SECTOR 3
#define POKED_VALUE  0x706f6b65

static bool poked; /* and that was flushed */

/* --- What may be there ---------------------------------------------------- */

static bool is_after(const struct plan *plan, const struct test_sight *now)
{
	return test_sight_is_same(now, &plan->after);
}

/*
 * Before it or after it, but for the mark that it is dirty, or corrupt; and a
 * raw data file may be longer than the disk.
 */
static bool is_known(const struct plan *plan, const struct test_sight *now)
{
	struct test_sight changed = *now;

	changed.raw_size = plan->before.raw_size;
	if (test_sight_is_same(&changed, &plan->before))
		return true;
	changed.raw_size = plan->after.raw_size;
	if (is_after(plan, &changed))
		return true;
	changed.features = plan->after.features;
	return now->features == plan->before.features &&
	       is_after(plan, &changed);
}

/* A write that was not flushed is in a raw data file, but not in the tables. */
static bool is_half_poked(const struct test_sight *now, struct file *data)
{
	uint8_t sector[BLOCK_SECTOR];

	if (!now->raw_size || now->disk[POKED_SECTOR] == POKED_VALUE)
		return false;
	file_read(data, sector, sizeof(sector), POKED_SECTOR * BLOCK_SECTOR);
	return test_sector_value(sector) == POKED_VALUE;
}

static bool look(const struct plan *plan, struct test_files *files,
		 struct test_sight *ret)
{
	bool right = test_sight_make(files, ret);

	if (!poked && is_half_poked(ret, files->file[TEST_DATA]))
		ret->errors--;
	if (poked)
		right = right && ret->disk[POKED_SECTOR] == POKED_VALUE;
	/* It was not flushed, or that is known now. */
	if (ret->disk[POKED_SECTOR] == POKED_VALUE)
		ret->disk[POKED_SECTOR] = plan->before.disk[POKED_SECTOR];
	return right;
}

/* The files as they would be if power went away now. */
static struct test_files replay_durable(const struct plan *plan,
					const struct test_change *change)
{
	const struct test_log_entry *log = change->log->log;
	struct test_files files = test_files_copy(&plan->start);
	size_t synced[TEST_FILES] = {0};

	for (size_t i = 0; i < change->ended; i++)
		if (log[i].kind == TEST_LOG_FLUSH)
			synced[log[i].file] = i;
	for (size_t i = 0; i < change->ended; i++)
		if (i < synced[log[i].file])
			test_log_apply(&log[i], files.file[log[i].file], 0,
				       log[i].length);
	return files;
}

static void judge(const struct plan *plan, const struct test_change *change)
{
	static struct test_sight now, durable;
	struct test_files files = test_change_replay(change,
						     change->log->log_length);
	struct test_files disk = replay_durable(plan, change);
	bool promised = !change->ret;

	CHECK(look(plan, &files, &now) && is_known(plan, &now));
	CHECK(test_sight_make(&disk, &durable) && is_known(plan, &durable));
	if (promised) {
		CHECK(is_after(plan, &now));
		CHECK(is_after(plan, &durable));
	}
	test_files_close(&files);
	test_files_close(&disk);
}

/* --- Running it ----------------------------------------------------------- */

/* The host works again: can the disk still be used? */
static void poke(struct test_change *change, struct image *top)
{
	uint8_t sector[BLOCK_SECTOR];
	struct iovec iov = {sector, sizeof(sector)};
	struct cursor from = cursor_make(&iov, 1);

	change->log->fail_end = 0;
	if (!change->ret)
		return;
	test_fill(sector, 1, POKED_VALUE);
	poked = !image_write(top, POKED_SECTOR * BLOCK_SECTOR, sizeof(sector),
			     &from) &&
		!top->ops->flush(top);
	/* Nothing but a failed flush, or tables in doubt, is for ever. */
	CHECK(poked || top->file->flush_error || top->data->flush_error ||
	      qcow2_of(top)->corrupt);
}

static void run(struct plan *plan, const struct test_files *start,
		struct test_change *change, const struct fault *fault,
		unsigned long call)
{
	test_change_init(change, start, fault && fault->reads);
	poked = false;
	if (fault) {
		change->log->fail_code = fault->code;
		change->log->fail_first = call;
		change->log->fail_end = call + fault->length;
		change->afterwards = poke;
	}
	plan->operation->run(change);
	test_change_close(change);
}

/* Later, when the host has recovered, somebody tries once more. */
static void try_again(struct plan *plan, const struct test_change *failed)
{
	struct test_files start = test_change_replay(failed,
						     failed->log->log_length);
	static struct test_sight now;
	struct test_change change;
	struct test_files end;
	/* What was written in the meantime goes with the rest. */
	bool was_poked = poked && plan->operation->run != test_run_empty;

	run(plan, &start, &change, NULL, 0);
	CHECK_EQUAL(change.ret, 0);
	end = test_change_replay(&change, change.log->log_length);
	poked = was_poked;
	CHECK(look(plan, &end, &now) && is_after(plan, &now));
	test_change_fini(&change);
	test_files_close(&start);
	test_files_close(&end);
}

/* Has it happened although it has failed? Then there is nothing to repeat. */
static bool has_happened(const struct plan *plan,
			 const struct test_change *change)
{
	struct test_files files = test_change_replay(change,
						     change->log->log_length);
	static struct test_sight now;
	bool happened = look(plan, &files, &now) && is_after(plan, &now);

	test_files_close(&files);
	return happened;
}

static void fail(struct plan *plan, const struct fault *fault,
		 unsigned long call)
{
	struct test_change change;

	run(plan, &plan->start, &change, fault, call);
	CHECK(!change.ret || change.ret == fault->code ||
	      change.ret == -EUCLEAN);
	judge(plan, &change);
	if (change.ret && !has_happened(plan, &change))
		try_again(plan, &change);
	if (test_failed)
		printf("# %s, %s: error %d for %lu calls from call %lu on; it "
		       "ends with %d\n",
		       plan->operation->name, plan->shape->name, fault->code,
		       fault->length, call, change.ret);
	test_change_fini(&change);
}

/* --- All operations, shapes, faults --------------------------------------- */

static void make_plan(struct plan *plan, bool reads)
{
	const struct fault none = {.reads = reads};
	struct test_change change;
	struct test_files end;

	plan->start = test_operation_start(plan->operation, plan->shape,
					   plan->seed);
	CHECK(test_sight_make(&plan->start, &plan->before));
	run(plan, &plan->start, &change, &none, 0);
	plan->calls = change.log->calls;
	end = test_change_replay(&change, change.log->log_length);
	CHECK(test_sight_make(&end, &plan->after));
	test_change_fini(&change);
	test_files_close(&end);
}

/* Returns how many calls have failed. */
static unsigned long fail_everywhere(const struct test_operation *operation,
				     const struct test_shape *shape,
				     const struct fault *fault, uint64_t seed)
{
	unsigned long step = 1 + test_number("ALCOR_TEST_FAULTS",
					     test_is_small() ? 40 : 5);
	struct plan *plan = calloc(1, sizeof(*plan));
	unsigned long failed = 0;

	plan->operation = operation;
	plan->shape = shape;
	plan->seed = seed;
	make_plan(plan, fault->reads);
	for (unsigned long call = seed % step;
	     call < plan->calls && !test_failed; call += step, failed++)
		fail(plan, fault, call);
	test_files_close(&plan->start);
	free(plan);
	return failed;
}

static void run_fault(const struct fault *fault)
{
	unsigned long seed = test_number("ALCOR_TEST_SEED", 1), failed = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(test_operations); i++)
		for (size_t j = 0; j < ARRAY_LENGTH(test_shapes); j++)
			if (!test_failed &&
			    test_operation_fits(&test_operations[i],
						&test_shapes[j]))
				failed += fail_everywhere(&test_operations[i],
							  &test_shapes[j],
							  fault, seed++);
	printf("# %lu calls have failed\n", failed);
}

static void one_call_fails(void)
{
	run_fault(&(struct fault){-EIO, 1, true});
}

static void all_calls_fail_from_then_on(void)
{
	run_fault(&(struct fault){-EIO, ~0UL / 4, true});
}

static void space_runs_out_and_returns(void)
{
	run_fault(&(struct fault){-ENOSPC, 20, false});
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(one_call_fails),
		TEST(all_calls_fail_from_then_on),
		TEST(space_runs_out_and_returns),
	};

	/* That it was repaired is said there; not news here. */
	stderr = fopen("/dev/null", "w");
	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

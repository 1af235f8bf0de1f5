/*
 * block/qcow2_tables_crash_test.c - power cuts while a disk changes as a whole:
 * snapshots, sizes, repairs, commits. Whatever is on the disk then is the image
 * from before or the one from after, without errors; and once the operation has
 * returned, it is the one from after.
 *
 * ALCOR_TEST_STATES says how many states, ALCOR_TEST_QEMU_STATES how many of
 * them go to qemu-img, ALCOR_TEST_SEED where the random numbers begin.
 */
#include "block/test_host.h"
#include "block/test_operations.h"
#include "block/test_power.h"

struct run {
	const struct test_operation *operation;
	const struct test_shape *shape;
	struct test_change change;
	struct test_files start;
	struct test_sight before, after;
	unsigned int leaks; /* after it */
	unsigned long states, failures, told;
	bool quiet; /* failures are expected */
};

static unsigned long qemu_every; /* so many states; 0: never */
static unsigned long qemu_states;

/*
 * Is it an image that may be there while the operation runs? The mark that it
 * is dirty, or corrupt, goes when all else is repaired; and a raw data file may
 * be longer than the disk.
 */
static bool is_on_the_way(const struct run *run, const struct test_sight *now)
{
	struct test_sight *allowed = malloc(sizeof(*allowed));
	bool is;

	*allowed = run->before;
	allowed->raw_size = now->raw_size;
	is = test_sight_is_same(now, allowed);
	*allowed = run->after;
	allowed->raw_size = now->raw_size;
	is |= test_sight_is_same(now, allowed);
	allowed->features = run->before.features;
	is |= test_sight_is_same(now, allowed);
	free(allowed);
	return is;
}

/* 0: all is right; 3: leaks. */
static bool is_right_for_qemu(const struct test_files *files)
{
	int status;

	qemu_states++;
	for (unsigned int i = 0; i < TEST_FILES; i++)
		if (files->file[i] &&
		    !test_file_save(files->file[i], test_file_names[i]))
			return false;
	status = test_shell("exec qemu-img check -q -f qcow2 image");
	return status == 0 || status == 3;
}

static bool judge(struct test_power *power, size_t log_length)
{
	struct run *run = power->context;
	bool over = power->until >= run->change.ended, right;
	static struct test_sight now;
	struct test_files files;
	unsigned int leaks, errors;

	memcpy(files.file, power->disk, sizeof(files.file));
	right = test_sight_make(&files, &now) &&
		(over ? test_sight_is_same(&now, &run->after)
		      : is_on_the_way(run, &now));
	leaks = test_files_check(&files, &errors);
	if (over && run->operation->damage)
		right = right && leaks <= run->leaks;
	if (right && !errors && qemu_every && power->states % qemu_every == 0)
		right = is_right_for_qemu(&files);
	if (!right && !run->quiet && !run->told++)
		printf("# %s, %s: log %zu of %zu: not the new image%s (%u "
		       "errors, %u leaks)\n",
		       run->operation->name, run->shape->name, log_length,
		       run->change.log->log_length,
		       over ? "" : ", nor the old one", errors, leaks);
	return right;
}

/* Runs it undisturbed, for what is right after it, and for its log. */
static void record(struct run *run, uint64_t seed, bool skips_flush)
{
	struct test_change *change = &run->change;
	struct test_files end;
	unsigned int errors;

	run->start = test_operation_start(run->operation, run->shape, seed);
	CHECK(test_sight_make(&run->start, &run->before));
	CHECK(run->operation->damage || !run->before.errors);
	test_change_init(change, &run->start, false);
	for (unsigned int i = 0; skips_flush && i < TEST_FILES; i++)
		if (change->recorder[i])
			change->recorder[i]->skips_flush = true;
	run->operation->run(change);
	test_change_close(change);
	CHECK_EQUAL(change->ret, 0);
	end = test_change_replay(change, change->log->log_length);
	CHECK(test_sight_make(&end, &run->after));
	run->leaks = test_files_check(&end, &errors);
	CHECK_EQUAL(run->after.errors, 0);
	CHECK(run->operation->shows_nothing ||
	      !test_sight_is_same(&run->before, &run->after));
	test_files_close(&end);
}

static void cut_power(struct run *run, unsigned long wanted)
{
	struct test_files disks = test_files_copy(&run->start);
	struct test_power power = {
		.judge = judge,
		.context = run,
		.log = run->change.log->log,
		.log_length = run->change.log->log_length,
	};

	memcpy(power.disk, disks.file, sizeof(disks.file));
	test_power_run(&power, wanted);
	run->states = power.states;
	run->failures = power.failures;
	test_files_close(&disks);
}

static struct run *run_case(const struct test_operation *operation,
			    const struct test_shape *shape, uint64_t seed,
			    unsigned long wanted, bool skips_flush)
{
	struct run *run = calloc(1, sizeof(*run));

	run->operation = operation;
	run->shape = shape;
	run->quiet = skips_flush;
	record(run, seed, skips_flush);
	cut_power(run, wanted);
	return run;
}

static void run_free(struct run *run)
{
	test_change_fini(&run->change);
	test_files_close(&run->start);
	free(run);
}

/* Returns how many states were tried. */
static unsigned long try_case(const struct test_operation *operation,
			      const struct test_shape *shape, uint64_t seed,
			      unsigned long wanted)
{
	struct run *run = run_case(operation, shape, seed, wanted, false);
	unsigned long states = run->states;

	CHECK_EQUAL(run->failures, 0);
	if (test_failed)
		printf("# ALCOR_TEST_SEED=%llu, %s, %s\n",
		       (unsigned long long)seed, operation->name, shape->name);
	run_free(run);
	return states;
}

static unsigned long try_all(uint64_t seed, unsigned long wanted)
{
	const struct test_operation *operation = test_operations;
	unsigned long states = 0;

	for (; operation < test_operations + ARRAY_LENGTH(test_operations);
	     operation++)
		for (size_t i = 0; i < ARRAY_LENGTH(test_shapes); i++)
			if (!test_failed &&
			    test_operation_fits(operation, &test_shapes[i]))
				states += try_case(operation, &test_shapes[i],
						   seed, wanted);
	return states;
}

/* A round is all operations on all shapes. */
#define CASE_STATES 200

static void power_cuts(void)
{
	unsigned long wanted = test_number("ALCOR_TEST_STATES",
					   test_is_small() ? 1000 : 4000);
	unsigned long seed = test_number("ALCOR_TEST_SEED", 1), states = 0;
	unsigned long by_qemu = test_number("ALCOR_TEST_QEMU_STATES", 0);
	unsigned long each = min_u64(CASE_STATES, wanted / 50 + 1);

	if (by_qemu && test_have_qemu())
		qemu_every = max_u64(1, wanted / by_qemu);
	for (; states < wanted && !test_failed; seed++)
		states += try_all(seed, each);
	printf("# %lu states, %lu of them judged by qemu-img; the seed after "
	       "them is %lu\n",
	       states, qemu_states, seed);
}

/* Without barriers there must be wrong states, or the harness sees nothing. */
static void missing_barriers_are_seen(void)
{
	const struct test_shape *shape = &test_shapes[3];
	struct run *run;

	qemu_every = 0;
	for (size_t i = 0; i < ARRAY_LENGTH(test_operations); i++) {
		run = run_case(&test_operations[i], shape, 1, 500, true);
		if (!CHECK(run->failures > 0))
			printf("# %s\n", test_operations[i].name);
		run_free(run);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(power_cuts),
		TEST(missing_barriers_are_seen),
	};

	/* That it was repaired is said there; not news here. */
	stderr = fopen("/dev/null", "w");
	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * block/qcow2_crash_test.c - power cuts: what is on the disk at any moment is
 * an image without errors that holds everything that was flushed.
 *
 * Random operations run on an image whose writes and flushes are recorded.
 * Then disks are rebuilt as a power cut may have left them: everything up to
 * some flush of the file, and of the later writes all, none, or some, the last
 * perhaps only in part. Each such image is checked, opened and read.
 */
#include "block/test_check.h"
#include "block/test_disk.h"
#include "block/test_host.h"
#include "block/test_recorder.h"

#define OPS_MAX 200

struct scenario {
	struct qcow2_create_options create;
	uint64_t l2_cache_size;
	uint64_t backing_sectors;
	unsigned int ops;
	bool fill_first; /* so that the refcount table grows while recording */
};

static const struct scenario scenarios[] = {
	{TEST_CREATE(256 * 512, 9, 3, 4, 0), 1, 0, 120, false},
	{TEST_CREATE(256 * 512, 9, 3, 0, 0), 0, 200, 120, false},
	{TEST_CREATE(256 * 512, 10, 2, 4, 0), 0, 200, 120, false},
	{TEST_CREATE(256 * 512, 12, 3, 6, 0), 1, 300, 120, false},
	{TEST_CREATE(8192 * 512, 9, 3, 6, 0), 0, 0, 40, true},
};

/* A run, and what is needed to judge the disks that it may leave. */
struct run {
	struct test_recorder *recorder;
	struct test_op ops[OPS_MAX];
	unsigned int op_count;
	uint64_t *flushed[OPS_MAX + 1]; /* the model after op i, if a flush */
	uint64_t sectors;
	uint64_t backing_sectors;
	uint8_t *start; /* the file before the run */
	uint64_t start_size;
	unsigned long states, failures;
};

static uint64_t *copy_model(const struct test_disk *disk)
{
	uint64_t bytes = disk->sectors * sizeof(disk->value[0]);
	uint64_t *copy = malloc(bytes);

	memcpy(copy, disk->value, bytes);
	return copy;
}

/* May the sector hold that value if power was cut when the log was so long? */
static bool is_allowed(const struct run *run, size_t log_length,
		       uint64_t sector, uint64_t value)
{
	const struct test_op *op;

	for (unsigned int i = run->op_count; i-- > 0;) {
		op = &run->ops[i];
		if (op->action == TEST_FLUSH && op->log_end <= log_length)
			return run->flushed[i + 1][sector] == value;
		if (op->log_start <= log_length && op->action <= TEST_DISCARD &&
		    sector - op->first < op->count && op->value == value)
			return true;
	}
	return run->flushed[0][sector] == value;
}

static bool is_content_right(struct run *run, struct image *image,
			     size_t log_length)
{
	uint8_t *data = malloc(image->size);
	bool right = !image_read_padded(image, 0, image->size, data);
	uint64_t value;

	for (uint64_t i = 0; i < run->sectors && right; i++) {
		value = test_sector_value(data + i * BLOCK_SECTOR);
		right = is_allowed(run, log_length, i, value);
		if (!right && !run->recorder->skips_flush)
			printf("# log %zu: sector %llu holds %#llx\n",
			       log_length, (unsigned long long)i,
			       (unsigned long long)value);
	}
	free(data);
	return right;
}

/* Judges a disk, and takes it over. */
static void judge(struct run *run, struct file *file, size_t log_length)
{
	struct test_check check = test_check_image(file_memory_data(file),
						   file_size(file));
	struct image_options options = {.name = "test"};
	struct image *image = NULL;
	bool right = !check.errors;

	run->states++;
	if (!right && !run->recorder->skips_flush)
		printf("# log %zu: %u errors\n", log_length, check.errors);
	if (right)
		right = !qcow2_open(file, &options, &image, NULL);
	if (right && run->backing_sectors)
		image->backing = test_backing_new(run->backing_sectors);
	right = right && is_content_right(run, image, log_length);
	run->failures += !right;
	if (image)
		image_close(image);
	else
		file_close(file);
}

enum subset { SUBSET_ALL, SUBSET_NONE, SUBSET_SOME, SUBSET_TORN, SUBSETS };

/* What of [from, to) of the log is on the disk, on top of @file. */
static void apply_subset(struct run *run, struct file *file, size_t from,
			 size_t to, enum subset subset,
			 struct test_random *random)
{
	for (size_t i = from; i < to; i++) {
		const struct test_log_entry *entry = &run->recorder->log[i];
		uint64_t bytes = entry->length;

		if (subset == SUBSET_NONE)
			continue;
		if (subset >= SUBSET_SOME && test_below(random, 2))
			continue;
		if (subset == SUBSET_TORN)
			bytes = test_below(random, bytes / 512 + 1) * 512;
		test_log_apply(entry, file, bytes);
	}
}

static void judge_all(struct run *run, struct test_random *random)
{
	const struct test_recorder *recorder = run->recorder;
	struct file *durable = file_memory_new(run->start, run->start_size);
	size_t synced = 0;
	struct file *file;

	for (size_t length = 0; length <= recorder->log_length; length++) {
		for (unsigned int s = 0; s < SUBSETS; s++) {
			file = file_memory_new(file_memory_data(durable),
					       file_size(durable));
			apply_subset(run, file, synced, length, s, random);
			judge(run, file, length);
		}
		if (length == recorder->log_length ||
		    recorder->log[length].kind != TEST_LOG_FLUSH)
			continue;
		apply_subset(run, durable, synced, length, SUBSET_ALL, random);
		synced = length;
	}
	file_close(durable);
}

static void record(struct run *run, struct test_disk *disk, unsigned int count)
{
	struct test_recorder *recorder = run->recorder;
	struct test_op *op;

	run->flushed[0] = copy_model(disk);
	recorder->keeps_log = true;
	for (run->op_count = 0; run->op_count < count; run->op_count++) {
		op = &run->ops[run->op_count];
		*op = test_disk_choose(disk);
		op->count = min_u64(op->count, 64);
		op->log_start = recorder->log_length;
		test_disk_run(disk, op);
		op->log_end = recorder->log_length;
		CHECK_EQUAL(op->ret, 0);
		if (op->action == TEST_DISCARD)
			test_disk_adopt(disk, op);
		if (op->action == TEST_FLUSH)
			run->flushed[run->op_count + 1] = copy_model(disk);
	}
}

/* All of it but a bit, which is left for the run to write. */
static void fill(struct test_disk *disk)
{
	struct test_op flush = {TEST_FLUSH, 0, 0, 0, 0, 0, 0};

	for (uint64_t i = 0; i + 256 < 3900; i += 256) {
		struct test_op op = {TEST_WRITE, i, 256, i + 1, 0, 0, 0};

		test_disk_run(disk, &op);
	}
	test_disk_run(disk, &flush);
	test_disk_run(disk, &flush);
}

static void run_scenario(const struct scenario *scenario, uint64_t seed,
			 bool skips_flush, struct run *run)
{
	struct file *below = test_image_new(&scenario->create);
	struct test_random random = {seed};
	struct image *backing = NULL;
	struct test_disk *disk;

	*run = (struct run){.backing_sectors = scenario->backing_sectors};
	run->recorder = test_recorder_new(below);
	run->recorder->skips_flush = skips_flush;
	if (scenario->backing_sectors)
		backing = test_backing_new(scenario->backing_sectors);
	disk = test_disk_new(test_image_open(&run->recorder->file,
					     scenario->l2_cache_size, backing),
			     seed);
	run->sectors = disk->sectors;
	if (scenario->fill_first)
		fill(disk);
	run->start_size = file_size(below);
	run->start = malloc(run->start_size);
	memcpy(run->start, file_memory_data(below), run->start_size);
	record(run, disk, test_is_small() ? scenario->ops / 4 : scenario->ops);
	judge_all(run, &random);
	for (unsigned int i = 0; i <= run->op_count; i++)
		free(run->flushed[i]);
	free(run->start);
	block_close(disk->block);
	free(disk);
}

static void power_cuts(void)
{
	unsigned long states = 0;
	struct run run;

	for (size_t i = 0; i < ARRAY_LENGTH(scenarios) && !test_failed; i++) {
		run_scenario(&scenarios[i], i + 1, false, &run);
		CHECK_EQUAL(run.failures, 0);
		states += run.states;
	}
	printf("# %lu states\n", states);
}

/* Without barriers there must be wrong states, or the harness sees nothing. */
static void missing_barriers_are_seen(void)
{
	struct run run;

	run_scenario(&scenarios[0], 1, true, &run);
	CHECK(run.failures > 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(power_cuts),
		TEST(missing_barriers_are_seen),
	};

	/* What becomes of corrupt images is said there; not news here. */
	stderr = fopen("/dev/null", "w");
	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * block/qcow2_tables_crash_test.c - power cuts and failing hosts while whole
 * tables change: snapshots, sizes, repairs. Whatever is on the disk then is the
 * image from before or the one from after, without errors.
 */
#include "block/qcow2_check.h"
#include "block/qcow2_snapshots.h"
#include "block/test_disk.h"
#include "block/test_host.h"
#include "block/test_recorder.h"

#define SECTORS	     256ULL
#define SECTORS_MAX  (3 * SECTORS)
#define SNAPSHOT     "a"
#define FRONT	     (SECTORS / 3 * BLOCK_SECTOR)
#define LONGER	     (2 * SECTORS * BLOCK_SECTOR + BLOCK_SECTOR)
#define SUBSET_COUNT 5

/* Bytes of an image file. */
struct bytes {
	uint8_t *data;
	uint64_t size;
};

static struct bytes bytes_copy(struct file *file)
{
	struct bytes copy = {malloc(file_size(file)), file_size(file)};

	memcpy(copy.data, file_memory_data(file), copy.size);
	return copy;
}

/* What a user sees of an image. */
struct view {
	uint64_t corruptions, check_errors;
	uint64_t size;
	uint64_t disk[SECTORS_MAX];	/* what each sector holds */
	uint64_t snapshot[SECTORS_MAX]; /* zeroes if it is not there */
};

static bool read_disk(const struct bytes *bytes, const char *snapshot_id,
		      uint64_t *ret_size, uint64_t *ret_values)
{
	struct image_options options = {
		.name = "test",
		.read_only = true,
		.snapshot_id = snapshot_id,
	};
	struct file *file = file_memory_new(bytes->data, bytes->size);
	uint8_t *data = malloc(SECTORS_MAX * BLOCK_SECTOR);
	struct image *image;
	bool right = !qcow2_open(file, &options, &image, NULL);

	if (right) {
		*ret_size = image->size;
		right = image->size <= SECTORS_MAX * BLOCK_SECTOR &&
			!image_read_padded(image, 0, SECTORS_MAX * BLOCK_SECTOR,
					   data);
		for (uint64_t i = 0; i < SECTORS_MAX && right; i++)
			ret_values[i] =
				test_sector_value(data + i * BLOCK_SECTOR);
		image_close(image);
	} else {
		file_close(file);
	}
	free(data);
	return right;
}

static bool view_make(const struct bytes *bytes, struct view *ret_view)
{
	struct qcow2_check_options options = {.name = "test"};
	struct file *file = file_memory_new(bytes->data, bytes->size);
	struct qcow2_check_result result;
	uint64_t size;
	int ret = qcow2_check(file, &options, &result, NULL);

	memset(ret_view, 0, sizeof(*ret_view));
	file_close(file);
	ret_view->corruptions = result.corruptions;
	ret_view->check_errors = result.check_errors;
	if (ret || !read_disk(bytes, NULL, &ret_view->size, ret_view->disk))
		return false;
	read_disk(bytes, SNAPSHOT, &size, ret_view->snapshot);
	return true;
}

/* --- The image to begin with ---------------------------------------------- */

/* Random changes; takes the file over. */
static struct bytes write_randomly(struct file *file, uint64_t seed)
{
	struct test_disk *disk = test_disk_new(test_image_open(file, 0, NULL),
					       seed);
	struct bytes copy;
	struct test_op op;

	for (unsigned int i = 0; i < 40; i++) {
		op = test_disk_choose(disk);
		test_disk_run(disk, &op);
		CHECK_EQUAL(op.ret, 0);
	}
	CHECK_EQUAL(block_flush(disk->block), 0);
	CHECK_EQUAL(block_flush(disk->block), 0);
	copy = bytes_copy(file);
	block_close(disk->block);
	free(disk);
	return copy;
}

static struct bytes make_image(uint64_t seed)
{
	struct qcow2_create_options create = TEST_CREATE(SECTORS * BLOCK_SECTOR,
							 9, 3, 4, 0);
	struct bytes bytes = write_randomly(test_image_new(&create), seed);
	struct file *file = file_memory_new(bytes.data, bytes.size);

	CHECK(!qcow2_snapshot_create(file, "test", SNAPSHOT, NULL));
	free(bytes.data);
	return write_randomly(file, seed + 1);
}

/* --- Operations ----------------------------------------------------------- */

/* *ret_image is set if the operation opened one: it has the file then. */
typedef int operation(struct file *file, struct image **ret_image);

static int create(struct file *file, struct image **ret_image)
{
	*ret_image = NULL;
	return qcow2_snapshot_create(file, "test", "b", NULL);
}

static int apply(struct file *file, struct image **ret_image)
{
	*ret_image = NULL;
	return qcow2_snapshot_apply(file, "test", SNAPSHOT, NULL);
}

static int delete (struct file *file, struct image **ret_image)
{
	*ret_image = NULL;
	return qcow2_snapshot_delete(file, "test", SNAPSHOT, NULL);
}

static int repair(struct file *file, struct image **ret_image)
{
	struct qcow2_check_options options = {
		.name = "test",
		.fix = QCOW2_FIX_LEAKS | QCOW2_FIX_ERRORS,
	};
	struct qcow2_check_result result;

	*ret_image = NULL;
	return qcow2_check(file, &options, &result, NULL);
}

static int resize(struct file *file, struct image **ret_image, uint64_t size)
{
	struct image_options options = {.name = "test"};
	int ret;

	*ret_image = NULL;
	ret = qcow2_open(file, &options, ret_image, NULL);
	return ret ? ret : (*ret_image)->ops->resize(*ret_image, size, NULL);
}

static int shrink(struct file *file, struct image **ret_image)
{
	return resize(file, ret_image, FRONT);
}

static int grow(struct file *file, struct image **ret_image)
{
	return resize(file, ret_image, LONGER);
}

static int empty(struct file *file, struct image **ret_image)
{
	struct image_options options = {.name = "test"};
	int ret;

	*ret_image = NULL;
	ret = qcow2_open(file, &options, ret_image, NULL);
	return ret ? ret : (*ret_image)->ops->empty(*ret_image, NULL);
}

/* A block's refcounts are lost, and a flag is wrong. */
static void damage(struct bytes *bytes)
{
	const struct qcow2_header *header = (void *)bytes->data;
	uint64_t reftable = be64_get(header->refcount_table_offset);
	uint64_t l1 = be64_get(header->l1_table_offset);
	uint64_t block = be64_get(*(be64 *)(bytes->data + reftable));

	memset(bytes->data + block + 100, 0, 200);
	bytes->data[l1] ^= 0x80;
}

static const struct scenario {
	const char *name;
	operation *run;
	void (*damage)(struct bytes *bytes);
} scenarios[] = {
	{"create", create, NULL},   {"apply", apply, NULL},
	{"delete", delete, NULL},   {"shrink", shrink, NULL},
	{"grow", grow, NULL},	    {"empty", empty, NULL},
	{"repair", repair, damage},
};

/* --- Power cuts ----------------------------------------------------------- */

struct run {
	const struct scenario *scenario;
	struct view before, after;
	unsigned long states, failures;
};

static void judge(struct run *run, struct file *file, const char *when,
		  unsigned long number)
{
	struct bytes bytes = {file_memory_data(file), file_size(file)};
	static struct view view;
	bool right = view_make(&bytes, &view) &&
		     (!memcmp(&view, &run->before, sizeof(view)) ||
		      !memcmp(&view, &run->after, sizeof(view)));

	run->states++;
	if (!right && !run->failures++)
		printf("# %s, %s %lu: neither the old image nor the new one "
		       "(%llu errors)\n",
		       run->scenario->name, when, number,
		       (unsigned long long)view.corruptions);
}

/* All, none, some, some, or some in part. */
static void apply_subset(struct file *file, const struct test_recorder *from,
			 size_t first, size_t end, unsigned int subset,
			 struct test_random *random)
{
	for (size_t i = first; i < end; i++) {
		const struct test_log_entry *entry = &from->log[i];
		uint64_t bytes = entry->length;

		if (subset == 1 || (subset > 1 && test_below(random, 2)))
			continue;
		if (subset == SUBSET_COUNT - 1)
			bytes = test_below(random, bytes / 512 + 1) * 512;
		test_log_apply(entry, file, 0, bytes);
	}
}

static void cut_everywhere(struct run *run, const struct bytes *start,
			   const struct test_recorder *recorder)
{
	struct file *durable = file_memory_new(start->data, start->size), *file;
	struct test_random random = {run->states + 1};
	size_t synced = 0;

	for (size_t end = 0; end <= recorder->log_length; end++) {
		for (unsigned int i = 0; i < SUBSET_COUNT; i++) {
			file = file_memory_new(file_memory_data(durable),
					       file_size(durable));
			apply_subset(file, recorder, synced, end, i, &random);
			judge(run, file, "after write", end);
			file_close(file);
		}
		if (end == recorder->log_length ||
		    recorder->log[end].kind != TEST_LOG_FLUSH)
			continue;
		apply_subset(durable, recorder, synced, end, 0, &random);
		synced = end;
	}
	file_close(durable);
}

static struct bytes start_of(const struct scenario *scenario, uint64_t seed)
{
	struct bytes start = make_image(seed);

	if (scenario->damage)
		scenario->damage(&start);
	return start;
}

static void close_all(struct image *image, struct test_recorder *recorder)
{
	if (image)
		image_close(image);
	else
		file_close(&recorder->file);
}

/* Runs it undisturbed, for what is right before and after, and for its log. */
static void run_scenario(struct run *run, const struct bytes *start,
			 bool skips_flush, bool cuts)
{
	struct test_recorder *recorder =
		test_recorder_new(file_memory_new(start->data, start->size));
	struct image *image;
	struct bytes end;

	CHECK(view_make(start, &run->before));
	recorder->keeps_log = true;
	recorder->skips_flush = skips_flush;
	CHECK_EQUAL(run->scenario->run(&recorder->file, &image), 0);
	end = bytes_copy(recorder->below);
	CHECK(view_make(&end, &run->after));
	CHECK_EQUAL(run->after.corruptions, 0);
	CHECK(memcmp(&run->before, &run->after, sizeof(run->before)) ||
	      run->scenario->run == create);
	if (cuts)
		cut_everywhere(run, start, recorder);
	free(end.data);
	close_all(image, recorder);
}

/* Of all scenarios, each time with other images. */
static size_t rounds(void)
{
	return test_is_small() ? 1 : 6;
}

static void power_cuts(void)
{
	unsigned long states = 0;

	size_t count = ARRAY_LENGTH(scenarios);

	for (size_t i = 0; i < rounds() * count && !test_failed; i++) {
		struct run run = {.scenario = &scenarios[i % count]};
		struct bytes start = start_of(run.scenario, 10 * i + 1);

		run_scenario(&run, &start, false, true);
		CHECK_EQUAL(run.failures, 0);
		states += run.states;
		free(start.data);
	}
	printf("# %lu states\n", states);
}

/* Without barriers there must be wrong states, or the harness sees nothing. */
static void missing_barriers_are_seen(void)
{
	struct run run = {.scenario = &scenarios[2]};
	struct bytes start = start_of(run.scenario, 1);

	run_scenario(&run, &start, true, true);
	CHECK(run.failures > 0);
	free(start.data);
}

/* --- Failing hosts -------------------------------------------------------- */

/* Returns how many calls were made. */
static unsigned long fail_once(struct run *run, const struct bytes *start,
			       unsigned long call)
{
	struct test_recorder *recorder =
		test_recorder_new(file_memory_new(start->data, start->size));
	struct image *image;
	unsigned long calls;

	recorder->fails_reads = true;
	recorder->fail_first = call;
	recorder->fail_end = call + 1;
	run->scenario->run(&recorder->file, &image);
	calls = recorder->calls;
	judge(run, recorder->below, "after failed call", call);
	close_all(image, recorder);
	return calls;
}

static void one_call_fails(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(scenarios); i++) {
		struct run run = {.scenario = &scenarios[i]};
		struct bytes start = start_of(&scenarios[i], 10 * i + 1);
		unsigned long calls;

		run_scenario(&run, &start, false, false);
		calls = fail_once(&run, &start, ~0UL / 2);
		for (unsigned long call = 0; call < calls; call++)
			fail_once(&run, &start, call);
		CHECK_EQUAL(run.failures, 0);
		free(start.data);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(power_cuts),
		TEST(missing_barriers_are_seen),
		TEST(one_call_fails),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

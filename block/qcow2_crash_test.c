/*
 * block/qcow2_crash_test.c - power cuts: what is on the disk at any moment is
 * an image without errors that holds everything that was flushed.
 *
 * Random operations run on an image whose writes and flushes are recorded.
 * Then disks are rebuilt as a power cut may have left them (test_power.h), and
 * each is checked, opened and read: a sector holds what the last flushed write
 * left there or what a later one, already begun, would leave; snapshots hold
 * what they held. Some of the images are judged by qemu-img as well.
 *
 * ALCOR_TEST_STATES says how many states, ALCOR_TEST_QEMU_STATES how many of
 * them go to qemu-img, ALCOR_TEST_SEED where the random numbers begin.
 */
#include <errno.h>
#include <pthread.h>

#include "block/qcow2_compress.h"
#include "block/test_crash.h"

/* A slice is 4 KiB, or a cluster if that is less. */
static const struct scenario scenarios[] = {
	{"512, one slice", 256, 9, 3, 4, 1, 0, 120, 8, 0},
	{"512, two slices", 256, 9, 3, 6, 1024, 200, 120, 8, 0},
	{"512, 1 bit", 256, 9, 3, 0, 0, 200, 120, 8, 0},
	{"1K, version 2", 256, 10, 2, 4, 0, 200, 120, 8, 0},
	{"table grows", 8192, 9, 3, 6, 0, 0, 120, 2, FILL},
	{"table grows, faults", 8192, 9, 3, 6, 0, 0, 120, 2, FILL | FAULTS},
	{"512, no holes", 256, 9, 3, 4, 1, 0, 120, 8, NO_HOLES},
	{"many tables, no holes", 2048, 9, 3, 4, 1, 0, 150, 8, NO_HOLES},
	{"512, faults", 256, 9, 3, 6, 1, 200, 120, 8, FAULTS},
	{"1K, snapshot, no holes", 256, 10, 3, 4, 1, 200, 120, 8,
	 SNAPSHOT | NO_HOLES},
	{"4K", 512, 12, 3, 4, 1, 300, 120, 8, 0},
	{"4K, 64 bits", 512, 12, 3, 6, 0, 0, 120, 8, 0},
	{"64K", 2048, 16, 3, 4, 0, 0, 100, 4, 0},
	{"64K, 1 bit", 2048, 16, 3, 0, 1, 1000, 100, 4, 0},
	{"2M", 16384, 21, 3, 4, 0, 0, 40, 1, 0},
	{"compressed", 512, 12, 3, 4, 0, 300, 100, 8, COMPRESS},
	{"compressed 512", 256, 9, 3, 3, 1, 0, 100, 8, COMPRESS | ZSTD},
	{"snapshot", 512, 12, 3, 4, 0, 300, 100, 8, SNAPSHOT},
	{"snapshot, compressed", 512, 12, 3, 4, 1, 0, 100, 8,
	 SNAPSHOT | COMPRESS},
	{"extended", 1024, 14, 3, 4, 0, 0, 100, 8, EXTENDED},
	{"extended, backing", 1024, 14, 3, 0, 1, 700, 100, 8, EXTENDED},
	{"extended, snapshot", 1024, 14, 3, 4, 1, 700, 100, 8,
	 EXTENDED | SNAPSHOT},
	{"extended, faults", 1024, 14, 3, 4, 1, 700, 100, 8,
	 EXTENDED | FAULTS | COMPRESS | NO_HOLES},
	{"extended 64K", 2048, 16, 3, 4, 1, 700, 100, 4, EXTENDED},
	{"extended, compressed", 1024, 14, 3, 6, 0, 700, 100, 8,
	 EXTENDED | COMPRESS | ZSTD},
	{"data file", 512, 12, 3, 4, 1, 300, 100, 8, DATA_FILE},
	{"data file, extended", 1024, 14, 3, 4, 0, 700, 100, 8,
	 DATA_FILE | EXTENDED},
	{"data file, raw", 512, 12, 3, 4, 0, 0, 100, 8, DATA_FILE | DATA_RAW},
	{"threads", 300, 9, 3, 4, 1024, 200, 120, 8, THREADS},
	{"threads, extended", 900, 14, 3, 4, 1, 0, 120, 8, THREADS | EXTENDED},
};

static struct qcow2_create_options create_options(
	const struct scenario *scenario)
{
	return (struct qcow2_create_options){
		.size = scenario->sectors * BLOCK_SECTOR,
		.cluster_bits = scenario->cluster_bits,
		.version = scenario->version,
		.refcount_order = scenario->refcount_order,
		.compression = scenario->with & ZSTD ? QCOW2_ZSTD
						     : QCOW2_DEFLATE,
		.extended_l2 = scenario->with & EXTENDED,
		.data_file = scenario->with & DATA_FILE ? "data" : NULL,
		.data_file_raw = scenario->with & DATA_RAW,
	};
}

static unsigned int thread_count(const struct scenario *scenario)
{
	return scenario->with & THREADS ? THREADS_MAX : 1;
}

/* --- Recording ------------------------------------------------------------ */

static size_t log_length(struct run *run)
{
	size_t length;

	test_recorder_lock(run->recorder);
	length = run->recorder->log_length;
	test_recorder_unlock(run->recorder, 0);
	return length;
}

/* A whole cluster; one that the disk's end cuts off is not for this. */
static int write_compressed(struct actor *actor, struct test_op *op)
{
	struct qcow2_create_options create =
		create_options(actor->run->scenario);
	size_t size = 1UL << create.cluster_bits, length = 0;
	uint8_t *packed = malloc(size);
	int ret;

	test_fill(actor->disk->buffer, size / BLOCK_SECTOR, op->value);
	ret = qcow2_compress(create.compression, actor->disk->buffer, size,
			     packed, &length);
	if (!ret)
		ret = block_write_compressed(actor->run->block,
					     op->first * BLOCK_SECTOR, packed,
					     length);
	free(packed);
	return ret;
}

static struct test_op choose(struct actor *actor)
{
	struct test_disk *disk = actor->disk;
	uint64_t cluster = (1ULL << actor->run->scenario->cluster_bits) /
			   BLOCK_SECTOR;
	struct test_op op = test_disk_choose(disk);

	op.count = min_u64(op.count, 16 + cluster);
	if (actor->run->scenario->with & COMPRESS &&
	    !test_below(&disk->random, 4)) {
		op = (struct test_op){
			.action = TEST_COMPRESS,
			.first = test_below(&disk->random,
					    disk->sectors / cluster) *
				 cluster,
			.count = cluster,
			.value = ++disk->next_value,
		};
	}
	op.first += actor->first;
	return op;
}

static void read_back(struct actor *actor, const struct test_op *op)
{
	int ret = test_disk_read(actor->disk, op->first, op->count);

	if (ret && actor->run->scenario->with & FAULTS)
		return;
	CHECK_EQUAL(ret, 0);
	for (uint64_t i = 0; i < op->count && !test_failed; i++)
		CHECK_EQUAL(test_sector_value(actor->disk->buffer +
					      i * BLOCK_SECTOR),
			    op->value);
}

static void *act(void *context)
{
	struct actor *actor = context;
	struct run *run = actor->run;
	unsigned int ops = run->scenario->ops / run->threads;
	struct timed_op *timed;

	for (; actor->op_count < ops; actor->op_count++) {
		timed = &actor->ops[actor->op_count];
		timed->op = choose(actor);
		timed->op.log_start = log_length(run);
		timed->start = atomic_fetch_add(&run->clock, 1);
		if (timed->op.action == TEST_COMPRESS)
			timed->op.ret = write_compressed(actor, &timed->op);
		else
			test_disk_run(actor->disk, &timed->op);
		timed->end = atomic_fetch_add(&run->clock, 1);
		timed->op.log_end = log_length(run);
		if (!(run->scenario->with & FAULTS) || timed->op.ret != -EIO)
			CHECK_EQUAL(timed->op.ret, 0);
		if (timed->op.value && !timed->op.ret)
			read_back(actor, &timed->op);
	}
	return NULL;
}

static void add_actors(struct run *run, uint64_t seed)
{
	unsigned int count = run->threads;
	struct actor *actor;

	for (unsigned int i = 0; i < count; i++) {
		actor = calloc(1, sizeof(*actor));
		actor->run = run;
		actor->sectors = run->sectors / count;
		actor->first = i * actor->sectors;
		actor->disk = calloc(1, sizeof(*actor->disk));
		actor->disk->block = run->block;
		actor->disk->sectors = actor->sectors;
		actor->disk->random.state = seed * THREADS_MAX + i;
		actor->disk->next_value = (seed * THREADS_MAX + i) << 20;
		run->actors[i] = actor;
	}
}

static void record(struct run *run)
{
	unsigned int count = run->threads;
	pthread_t threads[THREADS_MAX];

	run->recorder->keeps_log = true;
	run->recorder->has_no_holes = run->scenario->with & NO_HOLES;
	if (run->scenario->with & FAULTS)
		run->recorder->fail_rate = 65536 / 40;
	if (run->data)
		run->data->keeps_log = true;
	for (unsigned int i = 1; i < count; i++)
		pthread_create(&threads[i], NULL, act, run->actors[i]);
	act(run->actors[0]);
	for (unsigned int i = 1; i < count; i++)
		pthread_join(threads[i], NULL);
	run->recorder->fail_rate = 0;
}

/* --- Before --------------------------------------------------------------- */

static struct image *new_backing(const struct scenario *scenario)
{
	if (!scenario->backing_sectors)
		return NULL;
	return test_backing_new(scenario->backing_sectors);
}

/* All of it but a bit, which is left for the run to write. */
static void fill(struct block *block)
{
	uint8_t *data = calloc(256, BLOCK_SECTOR);
	struct iovec iov = {data, 256 * BLOCK_SECTOR};

	for (uint64_t i = 0; i + 256 < 3900; i += 256) {
		test_fill(data, 256, i + 1);
		CHECK(!block_write(block, i * BLOCK_SECTOR, &iov, 1));
	}
	CHECK(!test_block_settle(block));
	free(data);
}

/* The image that a run begins with: an empty one, or one with a past. */
static struct file *prepare(const struct scenario *scenario, uint64_t seed)
{
	struct qcow2_create_options create = create_options(scenario);
	struct file *file = test_image_new(&create), *copy;
	struct test_disk *disk;
	struct test_op op;

	if (!(scenario->with & (FILL | SNAPSHOT)))
		return file;
	disk = test_disk_new(test_image_open(file, 0, new_backing(scenario)),
			     ~seed);
	if (scenario->with & FILL)
		fill(disk->block);
	for (unsigned int i = 0; scenario->with & SNAPSHOT && i < 40; i++) {
		op = test_disk_choose(disk);
		op.count = min_u64(op.count, 12);
		test_disk_run(disk, &op);
	}
	CHECK(!test_block_settle(disk->block));
	copy = file_memory_new(file_memory_data(file), file_size(file));
	block_close(disk->block);
	free(disk);
	if (scenario->with & SNAPSHOT)
		test_snapshot_add(copy);
	return copy;
}

static struct file *copy_of(struct test_recorder *recorder)
{
	if (!recorder)
		return NULL;
	return file_memory_new(file_memory_data(recorder->below),
			       file_size(recorder->below));
}

static void open_run(struct run *run, uint64_t seed)
{
	const struct scenario *scenario = run->scenario;
	struct image *image;

	run->recorder = test_recorder_new(prepare(scenario, seed));
	if (scenario->with & DATA_FILE) {
		run->data = test_recorder_new(file_memory_new(NULL, 0));
		run->data->number = 1;
		run->data->log_to = run->recorder;
	}
	image = test_image_open_data(&run->recorder->file,
				     scenario->l2_cache_size,
				     new_backing(scenario),
				     run->data ? &run->data->file : NULL);
	run->block = block_new(image);
	run->sectors = image->size / BLOCK_SECTOR;
	run->buffer = malloc(image->size);
	run->before = calloc(run->sectors, sizeof(*run->before));
	CHECK(!image_read_padded(image, 0, image->size, run->buffer));
	for (uint64_t i = 0; i < run->sectors; i++)
		run->before[i] =
			test_sector_value(run->buffer + i * BLOCK_SECTOR);
	add_actors(run, seed);
}

static void close_run(struct run *run)
{
	block_close(run->block);
	for (unsigned int i = 0; i < run->threads; i++) {
		free(run->actors[i]->disk);
		free(run->actors[i]);
	}
	free(run->buffer);
	free(run->before);
}

/* Adds to *ret_states and *ret_failures. */
static void run_scenario(const struct scenario *scenario, uint64_t seed,
			 unsigned long wanted, bool skips_flush,
			 unsigned long *ret_states, unsigned long *ret_failures)
{
	struct run run = {
		.scenario = scenario,
		.threads = thread_count(scenario),
		.quiet = skips_flush,
	};
	struct test_power power = {.judge = judge, .context = &run};

	open_run(&run, seed);
	run.recorder->skips_flush = skips_flush;
	run.recorder->fail_random = seed;
	power.random.state = seed;
	power.disk[0] = copy_of(run.recorder);
	power.disk[1] = copy_of(run.data);
	record(&run);
	power.log = run.recorder->log;
	power.log_length = run.recorder->log_length;
	test_power_run(&power, wanted);
	*ret_states += power.states;
	*ret_failures += power.failures;
	close_run(&run);
	file_close(power.disk[0]);
	file_close(power.disk[1]);
}

/* --- The tests ------------------------------------------------------------ */

static unsigned int all_shares(void)
{
	unsigned int shares = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(scenarios); i++)
		shares += scenarios[i].share;
	return shares;
}

/* Rounds of some 20,000 states, each with a seed of its own. */
#define ROUND_STATES 20000

static void power_cuts(void)
{
	unsigned long wanted = test_number("ALCOR_TEST_STATES",
					   test_is_small() ? 1000 : 4000);
	unsigned long seed = test_number("ALCOR_TEST_SEED", 1);
	unsigned long by_qemu = test_number("ALCOR_TEST_QEMU_STATES", 0);
	unsigned long states = 0, failures = 0, unit;

	if (by_qemu && test_have_qemu())
		qemu_every = max_u64(1, wanted / by_qemu);
	for (; states < wanted && !test_failed; seed++) {
		unit = min_u64(ROUND_STATES, wanted) * 17 / 16 / all_shares();
		for (size_t i = 0; i < ARRAY_LENGTH(scenarios) && !test_failed;
		     i++) {
			run_scenario(&scenarios[i], seed,
				     (unit + 1) * scenarios[i].share, false,
				     &states, &failures);
			CHECK_EQUAL(failures, 0);
			if (test_failed)
				printf("# ALCOR_TEST_SEED=%lu, scenario "
				       "\"%s\"\n",
				       seed, scenarios[i].name);
		}
	}
	printf("# %lu states, %lu of them judged by qemu-img; the seed after "
	       "them is %lu\n",
	       states, qemu_states, seed);
}

/* Without barriers there must be wrong states, or the harness sees nothing. */
static void missing_barriers_are_seen(void)
{
	unsigned long states = 0, failures = 0;

	qemu_every = 0;
	run_scenario(&scenarios[0], 1, 500, true, &states, &failures);
	CHECK(failures > 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(power_cuts),
		TEST(missing_barriers_are_seen),
	};

	/* What becomes of corrupt images is said there; not news here. */
	stderr = fopen("/dev/null", "w");
	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}

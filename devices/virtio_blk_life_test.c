/*
 * devices/virtio_blk_life_test.c - virtio-blk apart from its requests:
 * configuration, queues and their threads, and resets at any time.
 */
#include "devices/virtio_blk.h"

#include <dirent.h>
#include <unistd.h>

#include "devices/test_blk.h"

/* --- Configuration, queues, threads --------------------------------------- */

static void test_config(void)
{
	const struct bus_ops *ops = &virtio_mmio_bus_ops;
	struct virtio_blk_config config = {0};
	struct bench bench;

	REQUIRE(bench_init_with(&bench, 4, false));
	for (unsigned int i = 0; i < 60; i++)
		((uint8_t *)&config)[i] =
			(uint8_t)ops->read(bench.mmio, VIRTIO_MMIO_CONFIG + i,
					   1);
	CHECK_EQUAL(le64toh(config.capacity), DISK_SIZE / 512);
	CHECK_EQUAL(le32toh(config.seg_max), 254);
	CHECK_EQUAL(le32toh(config.blk_size), 512);
	CHECK_EQUAL(le16toh(config.num_queues), 4);
	CHECK_EQUAL(le32toh(config.discard_sector_alignment), 128);
	CHECK_EQUAL(le32toh(config.max_discard_seg), 32);
	CHECK_EQUAL(config.write_zeroes_may_unmap, 1);
	/* Only writeback can be written. */
	ops->write(bench.mmio, VIRTIO_MMIO_CONFIG, 4, 0);
	CHECK_EQUAL(ops->read(bench.mmio, VIRTIO_MMIO_CONFIG, 4),
		    DISK_SIZE / 512);
	CHECK(test_mmio_features(bench.mmio) & FEATURE(VIRTIO_BLK_F_MQ));
	bench_fini(&bench);
}

static void test_several_queues(void)
{
	const struct request read = {VIRTIO_BLK_T_IN, 5, 512, WRITE};
	struct bench bench;
	uint32_t written;

	REQUIRE(bench_init_with(&bench, 4, false));
	REQUIRE(start(&bench, USUAL | FEATURE(VIRTIO_BLK_F_MQ)));
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int queue = 0; queue < 4; queue++)
			CHECK_EQUAL(run_on(&bench, queue, &read, &written),
				    VIRTIO_BLK_S_OK);
	}
	CHECK_EQUAL(bench.disk.reads, 12);
	bench_fini(&bench);
}

/* A driver may fill the queue first and then say DRIVER_OK. */
static void test_waiting_at_start(void)
{
	const struct test_piece pieces[] = {{HEADER, 16, 0},
					    {STATUS, 1, WRITE}};
	struct bench bench;
	uint16_t head;

	REQUIRE(bench_init(&bench));
	put_header(&bench, VIRTIO_BLK_T_FLUSH, 0);
	head = test_chain(&bench.queues[0], pieces, 2);
	test_offer(&bench.queues[0], head);
	REQUIRE(test_mmio_start(bench.mmio, USUAL, bench.queues, 1));
	CHECK_EQUAL(finish(&bench, 0, head), 1);
	CHECK_EQUAL(*at(&bench, STATUS), VIRTIO_BLK_S_OK);
	bench_fini(&bench);
}

/* Is there a thread of this name now? */
static bool find_thread(const char *name)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	char path[300], comm[32];
	bool found = false;
	FILE *file;

	while (tasks && !found && (entry = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm",
			 entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(comm, sizeof(comm), file))
			found = !strncmp(comm, name, strlen(name));
		fclose(file);
	}
	closedir(tasks);
	return found;
}

/* Threads name themselves: let them come that far. */
static bool has_thread(const char *name)
{
	for (unsigned int i = 0; i < WAIT_MS; i++) {
		if (find_thread(name))
			return true;
		usleep(1000);
	}
	return false;
}

static void test_thread_names(void)
{
	struct bench bench;

	REQUIRE(bench_init_with(&bench, 2, false));
	CHECK(has_thread("disk/3.0"));
	CHECK(has_thread("disk/3.1"));
	bench_fini(&bench);
}

static void test_options_out_of_range(void)
{
	struct block disk = {.size = DISK_SIZE};
	struct virtio_blk_options options = {.disk = &disk, .queues = 0};
	struct virtio_blk *blk;

	CHECK_EQUAL(virtio_blk_new(&options, &blk, NULL), -EINVAL);
	options.queues = VIRTIO_QUEUES_MAX + 1;
	CHECK_EQUAL(virtio_blk_new(&options, &blk, NULL), -EINVAL);
	options.queues = VIRTIO_QUEUES_MAX;
	options.serial = "123456789012345678901";
	CHECK_EQUAL(virtio_blk_new(&options, &blk, NULL), -EINVAL);
	options.serial++;
	REQUIRE(!virtio_blk_new(&options, &blk, NULL));
	virtio_blk_free(blk);
}

/* --- Resets --------------------------------------------------------------- */

static void *reset_main(void *argument)
{
	struct bench *bench = argument;

	test_mmio_write(bench->mmio, VIRTIO_MMIO_STATUS, 0);
	__atomic_store_n(&bench->queue_count, 0, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Resets while a read stands at the gate: it must wait for that read. */
static bool reset_in_flight(struct bench *bench, uint16_t head)
{
	pthread_t thread;
	bool waits;

	test_block_gate(&bench->disk, true);
	submit(bench, 0, head);
	test_block_wait_at_gate(&bench->disk);
	if (!CHECK(!pthread_create(&thread, NULL, reset_main, bench)))
		return false;
	usleep(20000);
	waits = __atomic_load_n(&bench->queue_count, __ATOMIC_SEQ_CST);
	test_block_gate(&bench->disk, false);
	pthread_join(thread, NULL);
	bench->queue_count = 1;
	return CHECK(waits);
}

static void test_reset_waits_for_a_request(void)
{
	const struct test_piece pieces[] = {{HEADER, 16, 0},
					    {DATA, 512, WRITE},
					    {STATUS, 1, WRITE}};
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	put_header(&bench, VIRTIO_BLK_T_IN, 0);
	REQUIRE(reset_in_flight(&bench,
				test_chain(&bench.queues[0], pieces, 3)));
	/* From here on that memory is the driver's again. */
	memset(at(&bench, DATA), 0x55, 512);
	memset(bench.queues[0].used, 0, 6);
	usleep(2000);
	CHECK_EQUAL(at(&bench, DATA)[0], 0x55);
	CHECK_EQUAL(bench.queues[0].used->idx, 0);
	CHECK_EQUAL(device_status(&bench), 0);
	REQUIRE(start(&bench, USUAL));
	CHECK_EQUAL(run_read(&bench, 0, 512), VIRTIO_BLK_S_OK);
	bench_fini(&bench);
}

static void test_reset_cuts_a_long_request(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	REQUIRE(reset_in_flight(&bench, chain_15_mib(&bench)));
	CHECK_EQUAL(bench.disk.reads, 1);
	CHECK_EQUAL(*at(&bench, STATUS), NO_STATUS);
	CHECK_EQUAL(bench.queues[0].used->idx, 0);
	REQUIRE(start(&bench, USUAL));
	CHECK_EQUAL(run_read(&bench, 0, 512), VIRTIO_BLK_S_OK);
	bench_fini(&bench);
}

/* A read with memory of its own for each queue. */
static uint16_t chain_of_queue(struct bench *bench, unsigned int queue)
{
	const struct test_piece pieces[] = {{HEADER, 16, 0},
					    {DATA + queue * 512, 512, WRITE},
					    {STATUS + queue, 1, WRITE}};

	return test_chain(&bench->queues[queue], pieces, 3);
}

/* Start, a few requests that nobody waits for, reset: over and over. */
static void test_resets_under_load(void)
{
	struct bench bench;

	REQUIRE(bench_init_with(&bench, 2, false));
	for (unsigned int round = 0; round < 200; round++) {
		REQUIRE(start(&bench, USUAL | FEATURE(VIRTIO_BLK_F_MQ)));
		put_header(&bench, VIRTIO_BLK_T_IN, 0);
		for (unsigned int i = 0; i < 8; i++)
			submit(&bench, i % 2, chain_of_queue(&bench, i % 2));
		test_mmio_write(bench.mmio, VIRTIO_MMIO_STATUS, 0);
	}
	bench_fini(&bench);
}

/* The queue's thread may take the event that was to wake it for the stop. */
static void test_stops_are_noticed_at_any_time(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	bench.disk.slow_runs = true;
	alarm(60);
	for (unsigned int round = 0; round < 50; round++) {
		REQUIRE(start(&bench, USUAL));
		put_header(&bench, VIRTIO_BLK_T_IN, 0);
		submit(&bench, 0, chain_of_queue(&bench, 0));
		usleep(round % 10 * 50);
		test_mmio_write(bench.mmio, VIRTIO_MMIO_STATUS, 0);
	}
	alarm(0);
	bench_fini(&bench);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_config),
		TEST(test_several_queues),
		TEST(test_waiting_at_start),
		TEST(test_thread_names),
		TEST(test_options_out_of_range),
		TEST(test_reset_waits_for_a_request),
		TEST(test_reset_cuts_a_long_request),
		TEST(test_resets_under_load),
		TEST(test_stops_are_noticed_at_any_time),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * devices/virtio_blk_test.c - the whole device, from the doorbell to the
 * interrupt, with its real threads: requests, errors, configuration, resets.
 */
#include "devices/virtio_blk.h"

#include <dirent.h>
#include <linux/virtio_blk.h>
#include <poll.h>
#include <unistd.h>

#include "devices/test_block.h"
#include "devices/test_driver.h"

#define FEATURE(name) (1ULL << (name))
#define VERSION_1     FEATURE(VIRTIO_F_VERSION_1)
#define EVENT_IDX     FEATURE(VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT      FEATURE(VIRTIO_RING_F_INDIRECT_DESC)
#define FLUSH	      FEATURE(VIRTIO_BLK_F_FLUSH)
#define CONFIG_WCE    FEATURE(VIRTIO_BLK_F_CONFIG_WCE)
#define USUAL                                       \
	(VERSION_1 | EVENT_IDX | INDIRECT | FLUSH | \
	 FEATURE(VIRTIO_BLK_F_DISCARD) | FEATURE(VIRTIO_BLK_F_WRITE_ZEROES))

#define WRITE	   VRING_DESC_F_WRITE
#define DISK_SIZE  (16 * MIB)
#define QUEUE_SIZE 256U
#define HEADER	   0x80000 /* guest addresses */
#define STATUS	   0x80100
#define DATA	   0x90000
#define DATA_SIZE  0x10000
#define WAIT_MS	   10000

#define NO_STATUS 0xee

struct bench {
	struct test_ram ram;
	struct test_queue queues[4];
	unsigned int queue_count;
	struct block disk;
	struct virtio_blk *blk;
	struct virtio_mmio *mmio;
	int irq_fd;
};

static bool bench_init_with(struct bench *bench, unsigned int queues,
			    bool read_only)
{
	struct virtio_blk_options options = {
		.disk = &bench->disk,
		.index = 3,
		.queues = queues,
		.serial = "serial-0123456789",
	};
	struct irq_line irq = {fd_event_new()};

	*bench = (struct bench){.queue_count = queues, .irq_fd = irq.fd};
	if (!test_ram_init(&bench->ram) ||
	    !test_block_init(&bench->disk, DISK_SIZE))
		return false;
	bench->disk.read_only = read_only;
	for (unsigned int i = 0; i < queues; i++)
		test_queue_init(&bench->queues[i], &bench->ram, QUEUE_SIZE);
	return CHECK(!virtio_blk_new(&options, &bench->blk, NULL)) &&
	       CHECK(!virtio_mmio_new(virtio_blk_device(bench->blk),
				      &bench->ram.memory, &irq, &bench->mmio,
				      NULL));
}

static bool bench_init(struct bench *bench)
{
	return bench_init_with(bench, 1, false);
}

static void bench_fini(struct bench *bench)
{
	virtio_mmio_free(bench->mmio);
	virtio_blk_free(bench->blk);
	fd_close(&bench->irq_fd);
	test_block_fini(&bench->disk);
	test_ram_fini(&bench->ram);
}

/* (Re)starts the device with fresh rings. */
static bool start(struct bench *bench, uint64_t features)
{
	/* The rings are the driver's again only after a reset. */
	test_mmio_write(bench->mmio, VIRTIO_MMIO_STATUS, 0);
	for (unsigned int i = 0; i < bench->queue_count; i++)
		test_queue_clear(&bench->queues[i]);
	return test_mmio_start(bench->mmio, features, bench->queues,
			       bench->queue_count);
}

static uint8_t *at(struct bench *bench, gpa_t gpa)
{
	return test_ram_at(&bench->ram, gpa);
}

static uint32_t device_status(struct bench *bench)
{
	return test_mmio_read(bench->mmio, VIRTIO_MMIO_STATUS);
}

/* Waits for the interrupt and acknowledges it; false: it did not come. */
static bool wait_interrupt(struct bench *bench)
{
	struct pollfd irq = {bench->irq_fd, POLLIN, 0};

	if (!CHECK(poll(&irq, 1, WAIT_MS) == 1))
		return false;
	fd_event_clear(bench->irq_fd);
	test_mmio_write(bench->mmio, VIRTIO_MMIO_INTERRUPT_ACK,
			test_mmio_read(bench->mmio,
				       VIRTIO_MMIO_INTERRUPT_STATUS));
	return true;
}

/* --- Requests ------------------------------------------------------------- */

struct request {
	uint32_t type;
	uint64_t sector;
	uint32_t data_length; /* at DATA, in one piece; 0: no data piece */
	uint16_t data_flags;  /* 0 or WRITE */
};

static void put_header(struct bench *bench, uint32_t type, uint64_t sector)
{
	const struct virtio_blk_outhdr header = {
		.type = htole32(type),
		.sector = htole64(sector),
	};

	memcpy(at(bench, HEADER), &header, sizeof(header));
	*at(bench, STATUS) = NO_STATUS;
}

static void submit(struct bench *bench, unsigned int queue, uint16_t head)
{
	test_set_used_event(&bench->queues[queue],
			    bench->queues[queue].used_seen);
	test_offer(&bench->queues[queue], head);
	test_kick(bench->mmio, queue);
}

/* Waits for the completion of @head; the used length, or UINT32_MAX. */
static uint32_t finish(struct bench *bench, unsigned int queue, uint16_t head)
{
	uint32_t used_head, written;

	do
		if (!wait_interrupt(bench))
			return UINT32_MAX;
	while (!test_used(&bench->queues[queue], &used_head, &written));
	CHECK_EQUAL(used_head, head);
	return written;
}

/* The whole way of one request; its status byte. */
static uint8_t run_on(struct bench *bench, unsigned int queue,
		      const struct request *request, uint32_t *ret_written)
{
	const struct test_piece header = {HEADER, 16, 0};
	const struct test_piece data = {DATA, request->data_length,
					request->data_flags};
	const struct test_piece status = {STATUS, 1, WRITE};
	struct test_piece pieces[3] = {header, data, status};
	uint16_t head;

	put_header(bench, request->type, request->sector);
	if (!request->data_length)
		pieces[1] = status;
	head = test_chain(&bench->queues[queue], pieces,
			  request->data_length ? 3 : 2);
	submit(bench, queue, head);
	*ret_written = finish(bench, queue, head);
	return *at(bench, STATUS);
}

static uint8_t run(struct bench *bench, uint32_t type, uint64_t sector,
		   uint32_t data_length, uint16_t data_flags)
{
	const struct request request = {type, sector, data_length, data_flags};
	uint32_t written;

	return run_on(bench, 0, &request, &written);
}

static uint8_t run_read(struct bench *bench, uint64_t sector, uint32_t length)
{
	return run(bench, VIRTIO_BLK_T_IN, sector, length, WRITE);
}

static uint8_t run_write(struct bench *bench, uint64_t sector, uint32_t length)
{
	return run(bench, VIRTIO_BLK_T_OUT, sector, length, 0);
}

static void test_write_and_read(void)
{
	const struct request read = {VIRTIO_BLK_T_IN, 10, 4096, WRITE};
	struct bench bench;
	uint32_t written;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	for (unsigned int i = 0; i < 4096; i++)
		at(&bench, DATA)[i] = (uint8_t)(i * 7);
	CHECK_EQUAL(run_write(&bench, 10, 4096), VIRTIO_BLK_S_OK);
	CHECK(!memcmp(bench.disk.data + 10 * 512, at(&bench, DATA), 4096));
	CHECK_EQUAL(bench.disk.data[10 * 512 - 1], TEST_BLOCK_FRESH);
	CHECK_EQUAL(bench.disk.data[18 * 512], TEST_BLOCK_FRESH);
	memset(at(&bench, DATA), 0, 4096);
	CHECK_EQUAL(run_on(&bench, 0, &read, &written), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(written, 4097);
	CHECK(!memcmp(bench.disk.data + 10 * 512, at(&bench, DATA), 4096));
	bench_fini(&bench);
}

/* Header, data and status cut without regard to each other; indirect. */
static void test_odd_framing(void)
{
	const struct test_piece pieces[] = {{HEADER, 5, 0},
					    {HEADER + 5, 11, 0},
					    {DATA, 100, WRITE},
					    {DATA + 100, 900, WRITE},
					    {DATA + 1000, 24, WRITE},
					    {STATUS, 1, WRITE}};
	struct bench bench;
	uint16_t head;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	for (unsigned int i = 0; i < 1024; i++)
		bench.disk.data[i] = (uint8_t)i;
	put_header(&bench, VIRTIO_BLK_T_IN, 0);
	head = test_chain_indirect(&bench.queues[0], pieces, 6);
	submit(&bench, 0, head);
	CHECK_EQUAL(finish(&bench, 0, head), 1025);
	CHECK_EQUAL(*at(&bench, STATUS), VIRTIO_BLK_S_OK);
	CHECK(!memcmp(bench.disk.data, at(&bench, DATA), 1024));
	bench_fini(&bench);
}

/* 250 pieces of the same 64 KiB: more data than the guest has memory. */
static uint16_t chain_15_mib(struct bench *bench)
{
	struct test_piece pieces[252];

	pieces[0] = (struct test_piece){HEADER, 16, 0};
	for (unsigned int i = 1; i <= 250; i++)
		pieces[i] = (struct test_piece){DATA, DATA_SIZE, WRITE};
	pieces[251] = (struct test_piece){STATUS, 1, WRITE};
	put_header(bench, VIRTIO_BLK_T_IN, 0);
	return test_chain(&bench->queues[0], pieces, 252);
}

static void test_long_request_in_pieces(void)
{
	struct bench bench;
	uint16_t head;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	bench.disk.data[249 * DATA_SIZE + 5] = 42;
	head = chain_15_mib(&bench);
	submit(&bench, 0, head);
	CHECK_EQUAL(finish(&bench, 0, head), 250 * DATA_SIZE + 1);
	CHECK_EQUAL(*at(&bench, STATUS), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(at(&bench, DATA)[5], 42);
	CHECK_EQUAL(bench.disk.reads, 4);
	bench_fini(&bench);
}

static void test_flush(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	CHECK_EQUAL(run_write(&bench, 0, 512), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.flushes, 0);
	CHECK_EQUAL(run(&bench, VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.flushes, 1);
	bench_fini(&bench);
}

/* A driver that cannot flush is not left with a volatile cache. */
static void test_write_through(void)
{
	const unsigned int wce = VIRTIO_MMIO_CONFIG +
				 offsetof(struct virtio_blk_config, wce);
	const struct bus_ops *ops = &virtio_mmio_bus_ops;
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, VERSION_1));
	CHECK_EQUAL(run_write(&bench, 0, 512), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.flushes, 1);

	REQUIRE(start(&bench, VERSION_1 | CONFIG_WCE));
	CHECK_EQUAL(ops->read(bench.mmio, wce, 1), 0);

	REQUIRE(start(&bench, VERSION_1 | FLUSH | CONFIG_WCE));
	CHECK_EQUAL(ops->read(bench.mmio, wce, 1), 1);
	CHECK_EQUAL(run_write(&bench, 0, 512), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.flushes, 1);
	ops->write(bench.mmio, wce, 1, 0);
	CHECK_EQUAL(ops->read(bench.mmio, wce, 1), 0);
	CHECK_EQUAL(run_write(&bench, 0, 512), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.flushes, 2);

	/* Not negotiated, not heard; and a reset forgets it anyway. */
	REQUIRE(start(&bench, VERSION_1 | FLUSH));
	ops->write(bench.mmio, wce, 1, 0);
	CHECK_EQUAL(run_write(&bench, 0, 512), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.flushes, 2);
	bench_fini(&bench);
}

static void test_get_id(void)
{
	static const char id[24] = "serial-0123456789";
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	for (uint32_t length = 8; length <= 24; length += 4) {
		memset(at(&bench, DATA), 0xff, 32);
		CHECK_EQUAL(run(&bench, VIRTIO_BLK_T_GET_ID, 0, length, WRITE),
			    VIRTIO_BLK_S_OK);
		CHECK(!memcmp(at(&bench, DATA), id, length));
		CHECK_EQUAL(at(&bench, DATA)[length], 0xff);
	}
	bench_fini(&bench);
}

/* One segment, or the same one several times. */
static uint8_t run_segments(struct bench *bench, uint32_t type, uint64_t sector,
			    uint32_t sectors, uint32_t flags,
			    unsigned int count)
{
	const struct virtio_blk_discard_write_zeroes segment = {
		htole64(sector), htole32(sectors), htole32(flags)};

	for (unsigned int i = 0; i < count; i++)
		memcpy(at(bench, DATA) + i * sizeof(segment), &segment,
		       sizeof(segment));
	return run(bench, type, 0, count * sizeof(segment), 0);
}

static void test_discard_and_write_zeroes(void)
{
	const uint32_t zeroes = VIRTIO_BLK_T_WRITE_ZEROES;
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	CHECK_EQUAL(run_segments(&bench, VIRTIO_BLK_T_DISCARD, 8, 8, 0, 3),
		    VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.discards, 3);
	CHECK_EQUAL(bench.disk.data[8 * 512], 0);
	CHECK_EQUAL(bench.disk.data[16 * 512], TEST_BLOCK_FRESH);
	CHECK_EQUAL(run_segments(&bench, zeroes, 16, 1, 0, 1), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(run_segments(&bench, zeroes, 17, 1, 1, 1), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.zeroes, 2);
	CHECK_EQUAL(bench.disk.unmaps, 1);
	CHECK_EQUAL(bench.disk.data[17 * 512], 0);
	/* Nothing to do is done. */
	CHECK_EQUAL(run_segments(&bench, zeroes, 16, 0, 0, 1), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.zeroes, 2);
	/* One bad segment, and none is touched. */
	CHECK_EQUAL(run_segments(&bench, zeroes, DISK_SIZE / 512, 1, 0, 2),
		    VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(run_segments(&bench, VIRTIO_BLK_T_DISCARD, 0, 8, 1, 1),
		    VIRTIO_BLK_S_UNSUPP);
	CHECK_EQUAL(bench.disk.discards, 3);
	bench_fini(&bench);
}

/* --- Requests that fail --------------------------------------------------- */

static void test_bad_ranges(void)
{
	const uint64_t end = DISK_SIZE / 512;
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	CHECK_EQUAL(run_read(&bench, end - 1, 512), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(run_read(&bench, end - 1, 1024), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(run_read(&bench, end, 512), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(run_write(&bench, UINT64_MAX, 512), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(run_write(&bench, 1ULL << 55, 512), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(run_read(&bench, 0, 511), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(run_write(&bench, 0, 513), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(bench.disk.reads, 1);
	CHECK_EQUAL(bench.disk.writes, 0);
	bench_fini(&bench);
}

static void test_unknown_types(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, VERSION_1 | FLUSH));
	CHECK_EQUAL(run(&bench, VIRTIO_BLK_T_SCSI_CMD, 0, 512, WRITE),
		    VIRTIO_BLK_S_UNSUPP);
	CHECK_EQUAL(run(&bench, VIRTIO_BLK_T_SECURE_ERASE, 0, 16, 0),
		    VIRTIO_BLK_S_UNSUPP);
	CHECK_EQUAL(run(&bench, UINT32_MAX, 0, 0, 0), VIRTIO_BLK_S_UNSUPP);
	/* Known, but not negotiated. */
	CHECK_EQUAL(run_segments(&bench, VIRTIO_BLK_T_DISCARD, 0, 8, 0, 1),
		    VIRTIO_BLK_S_UNSUPP);
	CHECK_EQUAL(run_segments(&bench, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0, 1),
		    VIRTIO_BLK_S_UNSUPP);
	CHECK_EQUAL(bench.disk.discards + bench.disk.zeroes, 0);
	bench_fini(&bench);
}

static void test_host_errors(void)
{
	const struct request read = {VIRTIO_BLK_T_IN, 0, 512, WRITE};
	struct bench bench;
	uint32_t written;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	bench.disk.fails_with = -EIO;
	CHECK_EQUAL(run_on(&bench, 0, &read, &written), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(written, 0);
	CHECK_EQUAL(run_write(&bench, 0, 512), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(run(&bench, VIRTIO_BLK_T_FLUSH, 0, 0, 0),
		    VIRTIO_BLK_S_IOERR);
	bench.disk.fails_with = -ENOTSUP;
	CHECK_EQUAL(run_segments(&bench, VIRTIO_BLK_T_DISCARD, 0, 8, 0, 1),
		    VIRTIO_BLK_S_UNSUPP);
	bench.disk.fails_with = 0;
	CHECK_EQUAL(run_write(&bench, 0, 512), VIRTIO_BLK_S_OK);
	bench_fini(&bench);
}

static void test_read_only(void)
{
	struct bench bench;
	uint64_t features;

	REQUIRE(bench_init_with(&bench, 1, true));
	features = test_mmio_features(bench.mmio);
	CHECK(features & FEATURE(VIRTIO_BLK_F_RO));
	CHECK(!(features & FEATURE(VIRTIO_BLK_F_DISCARD)));
	CHECK(!(features & FEATURE(VIRTIO_BLK_F_WRITE_ZEROES)));
	/* Also for a driver that did not listen. */
	REQUIRE(start(&bench, VERSION_1 | FLUSH));
	CHECK_EQUAL(run_read(&bench, 0, 512), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(run_write(&bench, 0, 512), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(run(&bench, VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.writes, 0);
	bench_fini(&bench);
}

/* A header that ends too early still has a place for the answer. */
static void test_short_header(void)
{
	const struct test_piece pieces[] = {{HEADER, 15, 0},
					    {STATUS, 1, WRITE}};
	struct bench bench;
	uint16_t head;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	put_header(&bench, VIRTIO_BLK_T_FLUSH, 0);
	head = test_chain(&bench.queues[0], pieces, 2);
	submit(&bench, 0, head);
	CHECK_EQUAL(finish(&bench, 0, head), 1);
	CHECK_EQUAL(*at(&bench, STATUS), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(bench.disk.flushes, 0);
	bench_fini(&bench);
}

static void expect_needs_reset(struct bench *bench, uint16_t head)
{
	submit(bench, 0, head);
	CHECK(wait_interrupt(bench));
	CHECK(device_status(bench) & VIRTIO_CONFIG_S_NEEDS_RESET);
	CHECK_EQUAL(bench->queues[0].used->idx, 0);
	REQUIRE(start(bench, USUAL));
	CHECK_EQUAL(run_read(bench, 0, 512), VIRTIO_BLK_S_OK);
}

static void test_rules_broken(void)
{
	const struct test_piece no_status = {HEADER, 16, 0};
	const struct test_piece nowhere[] = {{HEADER, 16, 0},
					     {TEST_LOW_SIZE, 512, WRITE},
					     {STATUS, 1, WRITE}};
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	expect_needs_reset(&bench, test_chain(&bench.queues[0], &no_status, 1));
	REQUIRE(start(&bench, USUAL));
	expect_needs_reset(&bench, test_chain(&bench.queues[0], nowhere, 3));
	REQUIRE(start(&bench, USUAL));
	expect_needs_reset(&bench, QUEUE_SIZE);
	bench_fini(&bench);
}

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

/* Is there a thread of this name? */
static bool has_thread(const char *name)
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

static void test_thread_names(void)
{
	struct bench bench;

	REQUIRE(bench_init_with(&bench, 2, false));
	/* The threads name themselves; let them come that far. */
	for (unsigned int i = 0; i < 1000 && !has_thread("disk/3.1"); i++)
		usleep(1000);
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

/* Many requests in a row, each by its own kick and interrupt. */
static void test_many_requests(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, USUAL));
	for (unsigned int i = 0; i < 1000; i++)
		REQUIRE(run_read(&bench, i, 512) == VIRTIO_BLK_S_OK);
	CHECK_EQUAL(bench.disk.reads, 1000);
	bench_fini(&bench);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_write_and_read),
		TEST(test_odd_framing),
		TEST(test_long_request_in_pieces),
		TEST(test_flush),
		TEST(test_write_through),
		TEST(test_get_id),
		TEST(test_discard_and_write_zeroes),
		TEST(test_bad_ranges),
		TEST(test_unknown_types),
		TEST(test_host_errors),
		TEST(test_read_only),
		TEST(test_short_header),
		TEST(test_rules_broken),
		TEST(test_config),
		TEST(test_several_queues),
		TEST(test_waiting_at_start),
		TEST(test_thread_names),
		TEST(test_options_out_of_range),
		TEST(test_reset_waits_for_a_request),
		TEST(test_reset_cuts_a_long_request),
		TEST(test_resets_under_load),
		TEST(test_many_requests),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

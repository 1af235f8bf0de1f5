/*
 * A reset with requests under way, over and over: once the status reads 0, the
 * device touches neither buffers nor rings (2.4.1), and it starts afresh.
 */
#include "runtime/blk.h"
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/test.h"

#define REQUESTS      32
#define REQUEST_BYTES (32 * SECTOR)
#define MARK	      0x6b72616d6b72616dULL
#define MARKS	      4 /* in each buffer */
#define WAIT_US	      2000

static struct blk disk;
static struct virtio_blk_outhdr headers[REQUESTS];
static volatile uint64_t status[REQUESTS]; /* the byte, and what follows it */

UNCLEARED static uint8_t buffers[REQUESTS][REQUEST_BYTES];

static volatile uint64_t *mark(unsigned int request, unsigned int nth)
{
	return (volatile uint64_t *)&buffers[request]
					    [nth * REQUEST_BYTES / MARKS];
}

static void set_marks(void)
{
	for (unsigned int i = 0; i < REQUESTS; i++) {
		for (unsigned int j = 0; j < MARKS; j++)
			*mark(i, j) = MARK;
		status[i] = MARK;
	}
}

static unsigned int marks_changed(void)
{
	unsigned int changed = 0;

	for (unsigned int i = 0; i < REQUESTS; i++) {
		for (unsigned int j = 0; j < MARKS; j++)
			changed += *mark(i, j) != MARK;
		changed += status[i] != MARK;
	}
	return changed;
}

/* Fills the queue with requests of @type over the disk's first part. */
static void start_requests(uint32_t type, unsigned int round)
{
	for (unsigned int i = 0; i < REQUESTS; i++) {
		const struct piece pieces[] = {
			{&headers[i], sizeof(headers[i]), false},
			{buffers[i], REQUEST_BYTES, type == VIRTIO_BLK_T_IN},
			{&status[i], 1, true},
		};

		headers[i] = (struct virtio_blk_outhdr){
			.type = type, .sector = (i + round) % REQUESTS * 32};
		queue_chain(&disk.queue, (uint16_t)(3 * i), pieces, 3);
		queue_offer(&disk.queue, (uint16_t)(3 * i));
	}
	queue_kick(&disk.queue);
}

static void wait_a_moment(void)
{
	uint64_t since = clock_ticks();
	uint64_t moment = clock_ticks_per_second() / 1000000 * WAIT_US;

	while (clock_ticks() - since < moment)
		cpu_relax();
}

/* One round: nothing may change from the moment that the status reads 0. */
static bool reset_round(uint32_t type, unsigned int round)
{
	uint16_t used;

	if (!CHECK(blk_restart(&disk, BLK_FEATURES)))
		return false;
	start_requests(type, round);
	for (unsigned int i = 0; i < round % 4 * 200; i++)
		cpu_relax();
	if (!CHECK(virtio_reset(&disk.virtio)))
		return false;
	set_marks();
	used = *disk.queue.used_idx;
	*disk.queue.used_flags = (uint16_t)MARK;
	wait_a_moment();
	return CHECK_EQUAL(marks_changed(), 0) &&
	       CHECK_EQUAL(*disk.queue.used_idx, used) &&
	       CHECK_EQUAL(*disk.queue.used_flags, (uint16_t)MARK) &&
	       CHECK_EQUAL(virtio_status(&disk.virtio), 0);
}

static void rounds(uint32_t type)
{
	unsigned int count = (unsigned int)option_number("rounds", 100);

	for (unsigned int i = 0; i < count; i++)
		if (!reset_round(type, i))
			break;
	REQUIRE(blk_restart(&disk, BLK_FEATURES));
	CHECK_EQUAL(blk_read(&disk, 0, buffers[0], 1), VIRTIO_BLK_S_OK);
}

static void reads_in_flight(void)
{
	rounds(VIRTIO_BLK_T_IN);
}

/* What they write is what the buffers hold, of whatever round. */
static void writes_in_flight(void)
{
	rounds(VIRTIO_BLK_T_OUT);
}

static void flushes_in_flight(void)
{
	if (!(disk.features & VIRTIO_BIT(VIRTIO_BLK_F_FLUSH)))
		SKIP("FLUSH is not offered");
	rounds(VIRTIO_BLK_T_FLUSH);
}

static void resets_without_work(void)
{
	for (unsigned int i = 0; i < 50; i++)
		REQUIRE(virtio_reset(&disk.virtio));
	REQUIRE(blk_restart(&disk, BLK_FEATURES));
	CHECK_EQUAL(blk_read(&disk, 0, buffers[0], 1), VIRTIO_BLK_S_OK);
}

static void flushed_write_outlives_a_reset(void)
{
	pattern_fill(buffers[0], 8200, 8, 's');
	REQUIRE(blk_restart(&disk, BLK_FEATURES));
	CHECK_EQUAL(blk_write(&disk, 8200, buffers[0], 8), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(blk_flush(&disk), VIRTIO_BLK_S_OK);
	start_requests(VIRTIO_BLK_T_IN, 0);
	REQUIRE(blk_restart(&disk, BLK_FEATURES));
	CHECK_EQUAL(blk_read(&disk, 8200, buffers[1], 8), VIRTIO_BLK_S_OK);
	CHECK(pattern_holds(buffers[1], 8200, 8, 's'));
	print("# holds 0 s 8200 8\n");
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(resets_without_work),
		TEST(reads_in_flight),
		TEST(writes_in_flight),
		TEST(flushes_in_flight),
		TEST(flushed_write_outlives_a_reset),
	};

	if (!blk_open(&disk, 0, BLK_FEATURES))
		test_report("open", "no disk, or it refuses");
	else
		tests_run_natively(tests, ARRAY_LENGTH(tests));
}

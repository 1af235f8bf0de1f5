/*
 * Two disks at once: each answers for itself, and a reset of one leaves the
 * other alone. And a disk with several queues.
 */
#include "runtime/blk.h"
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/test.h"

#define PLACE	   12300
#define DEPTH	   16
#define QUEUES_MAX 4

static struct blk disks[2];
static struct virtio_blk_outhdr headers[2][DEPTH];
static volatile uint8_t status[2][DEPTH];

UNCLEARED static uint8_t buffers[2][DEPTH][SECTOR];
UNCLEARED static struct queue_rings rings[QUEUES_MAX];

static void capacities(void)
{
	CHECK_EQUAL(disks[0].sectors, option_number("sectors0", 0));
	CHECK_EQUAL(disks[1].sectors, option_number("sectors1", 0));
}

static void each_keeps_its_own(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		pattern_fill(buffers[i], PLACE, DEPTH, (char)('t' + i));
		REQUIRE(CHECK_EQUAL(blk_write(&disks[i], PLACE, buffers[i],
					      DEPTH),
				    VIRTIO_BLK_S_OK));
	}
	for (unsigned int i = 0; i < 2; i++) {
		CHECK_EQUAL(blk_read(&disks[i], PLACE, buffers[i], DEPTH),
			    VIRTIO_BLK_S_OK);
		CHECK(pattern_holds(buffers[i], PLACE, DEPTH, (char)('t' + i)));
	}
	print("# holds 0 t %u %u\n# holds 1 u %u %u\n", PLACE, DEPTH, PLACE,
	      DEPTH);
}

static void offer(struct queue *queue, unsigned int disk, unsigned int nth)
{
	const struct piece pieces[] = {
		{&headers[disk][nth], sizeof(headers[disk][nth]), false},
		{buffers[disk][nth], SECTOR, true},
		{&status[disk][nth], 1, true},
	};

	headers[disk][nth] = (struct virtio_blk_outhdr){.type = VIRTIO_BLK_T_IN,
							.sector = PLACE + nth};
	status[disk][nth] = 0xff;
	queue_chain(queue, (uint16_t)(3 * nth), pieces, 3);
	queue_offer(queue, (uint16_t)(3 * nth));
}

static bool all_used(struct queue *queue, unsigned int count)
{
	struct vring_used_elem used;

	while (count--)
		if (!queue_wait_used(queue, &used))
			return false;
	return true;
}

static void both_at_once(void)
{
	for (unsigned int round = 0; round < 10; round++) {
		for (unsigned int i = 0; i < DEPTH; i++)
			for (unsigned int j = 0; j < 2; j++) {
				offer(&disks[j].queue, j, i);
				queue_kick(&disks[j].queue);
			}
		for (unsigned int j = 0; j < 2; j++)
			REQUIRE(all_used(&disks[j].queue, DEPTH));
	}
	for (unsigned int j = 0; j < 2; j++)
		CHECK(pattern_holds(buffers[j], PLACE, DEPTH, (char)('t' + j)));
}

static void reset_of_one(void)
{
	for (unsigned int i = 0; i < DEPTH; i++) {
		offer(&disks[0].queue, 0, i);
		offer(&disks[1].queue, 1, i);
	}
	queue_kick(&disks[0].queue);
	queue_kick(&disks[1].queue);
	REQUIRE(virtio_reset(&disks[0].virtio));
	REQUIRE(all_used(&disks[1].queue, DEPTH));
	CHECK(pattern_holds(buffers[1], PLACE, DEPTH, 'u'));
	REQUIRE(blk_restart(&disks[0], BLK_FEATURES));
	CHECK_EQUAL(blk_read(&disks[0], PLACE, buffers[0], DEPTH),
		    VIRTIO_BLK_S_OK);
	CHECK(pattern_holds(buffers[0], PLACE, DEPTH, 't'));
}

static void several_queues(void)
{
	static struct queue queues[QUEUES_MAX];
	struct blk *disk = &disks[0];
	const struct virtio *virtio = &disk->virtio;
	unsigned int count;

	REQUIRE(virtio_offered(virtio) & VIRTIO_BIT(VIRTIO_BLK_F_MQ));
	REQUIRE(virtio_negotiate(virtio, VIRTIO_BIT(VIRTIO_F_VERSION_1) |
						 VIRTIO_BIT(VIRTIO_BLK_F_MQ)));
	count = virtio_config16(virtio,
				offsetof(struct virtio_blk_config, num_queues));
	CHECK_EQUAL(count, option_number("queues0", 1));
	if (count > QUEUES_MAX)
		count = QUEUES_MAX;
	for (unsigned int i = 0; i < count; i++)
		queue_init(&queues[i], virtio, i, 64, &rings[i]);
	virtio_status_add(virtio, VIRTIO_CONFIG_S_DRIVER_OK);
	memset(buffers[0], 0, sizeof(buffers[0]));
	for (unsigned int i = 0; i < DEPTH; i++)
		offer(&queues[i % count], 0, i);
	for (unsigned int i = 0; i < count; i++)
		queue_kick(&queues[i]);
	for (unsigned int i = 0; i < count; i++)
		REQUIRE(all_used(&queues[i], (DEPTH + count - 1 - i) / count));
	CHECK(pattern_holds(buffers[0], PLACE, DEPTH, 't'));
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(capacities),     TEST(each_keeps_its_own),
		TEST(both_at_once),   TEST(reset_of_one),
		TEST(several_queues), /* of a disk that has them */
	};
	size_t count = ARRAY_LENGTH(tests) - !option_number("queues0", 0);

	if (!blk_open(&disks[0], 0, BLK_FEATURES) ||
	    !blk_open(&disks[1], 1, BLK_FEATURES)) {
		test_report("open", "not two disks, or one refuses");
		return;
	}
	tests_run_natively(tests, count);
}

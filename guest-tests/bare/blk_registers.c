/*
 * The driver's side of the registers, used in ways that no driver should:
 * states out of order, queues that are not there, addresses changed behind the
 * device's back, and a storm of random writes. Afterwards the disk must work.
 */
#include "runtime/blk.h"
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/test.h"

#define PLACE	     12200
#define STORM_WRITES 400

#define ACKNOWLEDGE VIRTIO_CONFIG_S_ACKNOWLEDGE
#define DRIVER	    VIRTIO_CONFIG_S_DRIVER
#define FEATURES_OK VIRTIO_CONFIG_S_FEATURES_OK
#define DRIVER_OK   VIRTIO_CONFIG_S_DRIVER_OK

static struct blk disk;
static uint8_t sector[SECTOR] __attribute__((aligned(8)));

/* Where a misled device may write: rings and buffers of nobody. */
UNCLEARED static struct queue_rings decoy;

static void works(void)
{
	REQUIRE(blk_restart(&disk, BLK_FEATURES));
	memset(sector, 0, SECTOR);
	REQUIRE(CHECK_EQUAL(blk_read(&disk, PLACE, sector, 1),
			    VIRTIO_BLK_S_OK));
	CHECK(pattern_holds(sector, PLACE, 1, 'r'));
}

static void prepare(void)
{
	pattern_fill(sector, PLACE, 1, 'r');
	CHECK_EQUAL(blk_write(&disk, PLACE, sector, 1), VIRTIO_BLK_S_OK);
	works();
}

/* Feature words as the driver writes them, then FEATURES_OK; accepted? */
static bool accepts(uint64_t features)
{
	return virtio_negotiate(&disk.virtio, features);
}

static void features_refused(void)
{
	uint64_t offered = virtio_offered(&disk.virtio);
	uint64_t version_1 = VIRTIO_BIT(VIRTIO_F_VERSION_1);

	CHECK(accepts(offered));
	CHECK(accepts(version_1));
	if (!on_qemu()) {
		/* Without VERSION_1 (6.1), and with what was not offered. */
		CHECK(!accepts(offered & ~version_1));
		CHECK(!accepts(version_1 | VIRTIO_BIT(63)));
		CHECK(!accepts(version_1 | VIRTIO_BIT(VIRTIO_F_RING_PACKED)));
	}
	works();
}

static void features_after_features_ok(void)
{
	struct virtio *virtio = &disk.virtio;

	REQUIRE(accepts(VIRTIO_BIT(VIRTIO_F_VERSION_1)));
	virtio_write(virtio, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	virtio_write(virtio, VIRTIO_MMIO_DRIVER_FEATURES, ~0u);
	queue_init(&disk.queue, virtio, 0, 0, disk.rings);
	virtio_status_add(virtio, DRIVER_OK);
	CHECK_EQUAL(blk_read(&disk, PLACE, sector, 1), VIRTIO_BLK_S_OK);
	works();
}

static void negotiated_again_and_again(void)
{
	uint64_t features = 0;

	for (unsigned int i = 0; i < 20; i++) {
		features ^= i & 1 ? VIRTIO_BIT(VIRTIO_BLK_F_FLUSH)
				  : VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC);
		REQUIRE(blk_restart(&disk, features));
		REQUIRE(CHECK_EQUAL(blk_read(&disk, PLACE, sector, 1),
				    VIRTIO_BLK_S_OK));
	}
	works();
}

static void doorbell_before_driver_ok(void)
{
	struct virtio *virtio = &disk.virtio;

	virtio_reset(virtio);
	for (unsigned int i = 0; i < 4; i++)
		virtio_write(virtio, VIRTIO_MMIO_QUEUE_NOTIFY, i);
	REQUIRE(accepts(VIRTIO_BIT(VIRTIO_F_VERSION_1)));
	virtio_write(virtio, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	queue_init(&disk.queue, virtio, 0, 0, disk.rings);
	virtio_write(virtio, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	works();
}

static void doorbell_of_other_queues(void)
{
	const uint32_t queues[] = {1,	 2,	 15,	  16, 63,
				   1024, 0xffff, 0x10000, ~0u};

	for (unsigned int i = 0; i < ARRAY_LENGTH(queues); i++)
		virtio_write(&disk.virtio, VIRTIO_MMIO_QUEUE_NOTIFY, queues[i]);
	CHECK(!virtio_needs_reset(&disk.virtio));
	CHECK_EQUAL(blk_read(&disk, PLACE, sector, 1), VIRTIO_BLK_S_OK);
	works();
}

static void driver_ok_without_queues(void)
{
	REQUIRE(accepts(VIRTIO_BIT(VIRTIO_F_VERSION_1)));
	virtio_status_add(&disk.virtio, DRIVER_OK);
	virtio_write(&disk.virtio, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	works();
	/* And without anything at all. */
	virtio_reset(&disk.virtio);
	virtio_write(&disk.virtio, VIRTIO_MMIO_STATUS, DRIVER_OK);
	virtio_write(&disk.virtio, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	works();
}

static void queues_that_are_not_there(void)
{
	const uint32_t queues[] = {64, 1024, 0xffff, 0x10000, ~0u};
	struct virtio *virtio = &disk.virtio;

	virtio_reset(virtio);
	for (unsigned int i = 0; i < ARRAY_LENGTH(queues); i++) {
		virtio_write(virtio, VIRTIO_MMIO_QUEUE_SEL, queues[i]);
		if (!on_qemu()) /* which keeps the last good one */
			CHECK_EQUAL(virtio_read(virtio,
						VIRTIO_MMIO_QUEUE_NUM_MAX),
				    0);
		virtio_write(virtio, VIRTIO_MMIO_QUEUE_NUM, 16);
		virtio_write64(virtio, VIRTIO_MMIO_QUEUE_DESC_LOW, 0x1000);
		virtio_write(virtio, VIRTIO_MMIO_QUEUE_READY, 1);
	}
	works();
}

/* A device may refuse such a size in any way, but a good one must do after. */
static void queue_sizes(void)
{
	const uint32_t sizes[] = {0, 3, 100, 1025, 32768, 65535, 65536, ~0u};
	struct virtio *virtio = &disk.virtio;

	for (unsigned int i = 0; i < ARRAY_LENGTH(sizes); i++) {
		REQUIRE(accepts(VIRTIO_BIT(VIRTIO_F_VERSION_1)));
		queue_init(&disk.queue, virtio, 0, 16, &decoy);
		virtio_write(virtio, VIRTIO_MMIO_QUEUE_READY, 0);
		virtio_write(virtio, VIRTIO_MMIO_QUEUE_NUM, sizes[i]);
		virtio_write(virtio, VIRTIO_MMIO_QUEUE_READY, 1);
		virtio_status_add(virtio, DRIVER_OK);
		virtio_write(virtio, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		works();
	}
}

static void small_queues(void)
{
	for (uint16_t size = 4; size <= 128; size *= 2) {
		REQUIRE(accepts(VIRTIO_BIT(VIRTIO_F_VERSION_1)));
		queue_init(&disk.queue, &disk.virtio, 0, size, disk.rings);
		virtio_status_add(&disk.virtio, DRIVER_OK);
		for (unsigned int i = 0; i < 10; i++)
			REQUIRE(CHECK_EQUAL(blk_read(&disk, PLACE, sector, 1),
					    VIRTIO_BLK_S_OK));
	}
	works();
}

static void queue_addresses_without_memory(void)
{
	const uint64_t addresses[] = {machine.hole, disk.virtio.base, 1,
				      1ULL << 52,   -16ULL,	      ~0ULL};
	struct virtio *virtio = &disk.virtio;

	for (unsigned int i = 0; i < 3 * ARRAY_LENGTH(addresses); i++) {
		const unsigned int registers[] = {VIRTIO_MMIO_QUEUE_DESC_LOW,
						  VIRTIO_MMIO_QUEUE_AVAIL_LOW,
						  VIRTIO_MMIO_QUEUE_USED_LOW};

		REQUIRE(accepts(VIRTIO_BIT(VIRTIO_F_VERSION_1)));
		queue_init(&disk.queue, virtio, 0, 16, &decoy);
		virtio_write(virtio, VIRTIO_MMIO_QUEUE_READY, 0);
		virtio_write64(virtio, registers[i % 3], addresses[i / 3]);
		virtio_write(virtio, VIRTIO_MMIO_QUEUE_READY, 1);
		virtio_status_add(virtio, DRIVER_OK);
		virtio_write(virtio, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		works();
	}
}

/* Queues are frozen at DRIVER_OK: a later address is not believed. */
static void addresses_after_driver_ok(void)
{
	struct virtio *virtio = &disk.virtio;

	if (on_qemu())
		SKIP("QEMU believes it");
	memset(&decoy.used, 0, 64);
	virtio_write(virtio, VIRTIO_MMIO_QUEUE_SEL, 0);
	virtio_write(virtio, VIRTIO_MMIO_QUEUE_NUM, 8);
	virtio_write64(virtio, VIRTIO_MMIO_QUEUE_DESC_LOW,
		       (uintptr_t)decoy.desc);
	virtio_write64(virtio, VIRTIO_MMIO_QUEUE_AVAIL_LOW,
		       (uintptr_t)decoy.avail);
	virtio_write64(virtio, VIRTIO_MMIO_QUEUE_USED_LOW,
		       (uintptr_t)decoy.used);
	virtio_write(virtio, VIRTIO_MMIO_QUEUE_READY, 1);
	CHECK_EQUAL(blk_read(&disk, PLACE, sector, 1), VIRTIO_BLK_S_OK);
	CHECK(bytes_are(decoy.used, 0, 64));
	works();
}

/* 4.2.2.2: once QueueReady reads 0, the device does not touch the queue. */
static void queue_taken_away(void)
{
	const struct virtio *virtio = &disk.virtio;
	struct piece piece = {sector, SECTOR, true};
	uint16_t used = *disk.queue.used_idx;

	if (on_qemu())
		SKIP("QEMU goes on with it");
	virtio_write(virtio, VIRTIO_MMIO_QUEUE_SEL, 0);
	virtio_write(virtio, VIRTIO_MMIO_QUEUE_READY, 0);
	CHECK_EQUAL(virtio_read(virtio, VIRTIO_MMIO_QUEUE_READY), 0);
	queue_chain(&disk.queue, 0, &piece, 1);
	queue_offer(&disk.queue, 0);
	queue_kick(&disk.queue);
	WAIT_UNTIL(*disk.queue.used_idx != used, 1);
	CHECK_EQUAL(*disk.queue.used_idx, used);
	CHECK(!virtio_needs_reset(virtio));
	works();
}

static void status_bits_stay(void)
{
	struct virtio *virtio = &disk.virtio;

	virtio_reset(virtio);
	CHECK_EQUAL(virtio_status(virtio), 0);
	virtio_write(virtio, VIRTIO_MMIO_STATUS, ACKNOWLEDGE);
	CHECK_EQUAL(virtio_status(virtio), ACKNOWLEDGE);
	virtio_write(virtio, VIRTIO_MMIO_STATUS,
		     ACKNOWLEDGE | DRIVER | VIRTIO_CONFIG_S_FAILED);
	CHECK_EQUAL(virtio_status(virtio),
		    ACKNOWLEDGE | DRIVER | VIRTIO_CONFIG_S_FAILED);
	virtio_reset(virtio);
	CHECK_EQUAL(virtio_status(virtio), 0);
	works();
}

/* Accesses of other sizes and places than the specification allows (4.2.2). */
static void odd_accesses(void)
{
	const struct virtio *virtio = &disk.virtio;

	for (unsigned int offset = 0; offset < 0x120; offset += 3) {
		(void)*(volatile uint8_t *)(virtio->base + offset);
		*(volatile uint8_t *)(virtio->base + offset) = 0;
		if (!(offset & 1))
			(void)*(volatile uint16_t *)(virtio->base + offset);
		if (!(offset & 7))
			(void)*(volatile uint64_t *)(virtio->base + offset);
	}
	*(volatile uint64_t *)(virtio->base + VIRTIO_MMIO_QUEUE_DESC_LOW) = 0;
	for (unsigned int offset = 0; offset < 0x200; offset += 4)
		virtio_read(virtio, offset);
	works();
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Mostly states and queues, values that lead nowhere but to the decoy. */
static uint32_t storm_value(uint64_t *state, unsigned int offset)
{
	const uint32_t small[] = {0, 1, 3, 7, 11, 15, 16, 0x4f, 0x80, ~0u};
	uint64_t random = next_random(state);

	switch (offset) {
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_USED_LOW:
		return random & 1 ? (uint32_t)(uintptr_t)&decoy
				  : (uint32_t)machine.hole;
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		return random & 3 ? 0 : (uint32_t)random | 1u << 31;
	case VIRTIO_MMIO_QUEUE_NUM:
		return 1u << random % 20;
	default:
		return small[random % ARRAY_LENGTH(small)];
	}
}

static void storm(void)
{
	const uint16_t offsets[] = {
		VIRTIO_MMIO_DEVICE_FEATURES_SEL,
		VIRTIO_MMIO_DRIVER_FEATURES,
		VIRTIO_MMIO_DRIVER_FEATURES_SEL,
		VIRTIO_MMIO_QUEUE_SEL,
		VIRTIO_MMIO_QUEUE_NUM,
		VIRTIO_MMIO_QUEUE_READY,
		VIRTIO_MMIO_QUEUE_NOTIFY,
		VIRTIO_MMIO_INTERRUPT_ACK,
		VIRTIO_MMIO_STATUS,
		VIRTIO_MMIO_STATUS,
		VIRTIO_MMIO_QUEUE_DESC_LOW,
		VIRTIO_MMIO_QUEUE_DESC_HIGH,
		VIRTIO_MMIO_QUEUE_AVAIL_LOW,
		VIRTIO_MMIO_QUEUE_AVAIL_HIGH,
		VIRTIO_MMIO_QUEUE_USED_LOW,
		VIRTIO_MMIO_QUEUE_USED_HIGH,
		VIRTIO_MMIO_CONFIG,
		0x0b0,
	};
	uint64_t state = option_number("seed", 88172645463325252ULL);

	print("# seed=%lu\n", state);
	for (unsigned int i = 1; i <= STORM_WRITES; i++) {
		unsigned int offset =
			offsets[next_random(&state) % ARRAY_LENGTH(offsets)];

		virtio_write(&disk.virtio, offset, storm_value(&state, offset));
		if (i % 100 == 0)
			works();
	}
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(prepare),
		TEST(features_refused),
		TEST(features_after_features_ok),
		TEST(negotiated_again_and_again),
		TEST(doorbell_before_driver_ok),
		TEST(doorbell_of_other_queues),
		TEST(driver_ok_without_queues),
		TEST(queues_that_are_not_there),
		TEST(queue_sizes),
		TEST(small_queues),
		TEST(queue_addresses_without_memory),
		TEST(addresses_after_driver_ok),
		TEST(queue_taken_away),
		TEST(status_bits_stay),
		TEST(odd_accesses),
		TEST(storm),
	};

	if (!blk_open(&disk, 0, BLK_FEATURES))
		test_report("open", "no disk, or it refuses");
	else
		tests_run_natively(tests, ARRAY_LENGTH(tests));
}

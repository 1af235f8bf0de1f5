/*
 * What a disk says of itself: registers, features, configuration space and
 * its serial number. The command line tells what it should be: sectors0=,
 * serial0=, ro0=1.
 */
#include "runtime/blk.h"
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/string.h"
#include "runtime/test.h"

#define CONFIG(field) offsetof(struct virtio_blk_config, field)

static struct blk disk;

static bool offers(unsigned int feature)
{
	return virtio_offered(&disk.virtio) & VIRTIO_BIT(feature);
}

static void registers(void)
{
	const struct virtio *virtio = &disk.virtio;

	CHECK_EQUAL(virtio_read(virtio, VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	CHECK_EQUAL(virtio_read(virtio, VIRTIO_MMIO_VERSION), 2);
	CHECK_EQUAL(virtio_read(virtio, VIRTIO_MMIO_DEVICE_ID),
		    VIRTIO_ID_BLOCK);
	virtio_write(virtio, VIRTIO_MMIO_QUEUE_SEL, 0);
	CHECK(virtio_read(virtio, VIRTIO_MMIO_QUEUE_NUM_MAX) >= 128);
	CHECK_EQUAL(virtio_read(virtio, VIRTIO_MMIO_QUEUE_READY), 1);
	CHECK_EQUAL(virtio_status(virtio), VIRTIO_CONFIG_S_ACKNOWLEDGE |
						   VIRTIO_CONFIG_S_DRIVER |
						   VIRTIO_CONFIG_S_FEATURES_OK |
						   VIRTIO_CONFIG_S_DRIVER_OK);
}

static void features(void)
{
	CHECK(offers(VIRTIO_F_VERSION_1));
	CHECK(offers(VIRTIO_RING_F_INDIRECT_DESC));
	CHECK(offers(VIRTIO_RING_F_EVENT_IDX));
	CHECK(offers(VIRTIO_BLK_F_SEG_MAX));
	CHECK(offers(VIRTIO_BLK_F_BLK_SIZE));
	CHECK(offers(VIRTIO_BLK_F_TOPOLOGY));
	CHECK(offers(VIRTIO_BLK_F_FLUSH));
	CHECK(offers(VIRTIO_BLK_F_CONFIG_WCE) || option_number("ro0", 0));
	if (!on_qemu())
		CHECK_EQUAL(offers(VIRTIO_BLK_F_RO), option_number("ro0", 0));
	/* Nothing that only a legacy device has. */
	CHECK(!offers(VIRTIO_BLK_F_BARRIER));
}

static void feature_words_past_the_second(void)
{
	const struct virtio *virtio = &disk.virtio;

	if (on_qemu())
		SKIP("QEMU shows the second again");
	virtio_write(virtio, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
	CHECK_EQUAL(virtio_read(virtio, VIRTIO_MMIO_DEVICE_FEATURES), 0);
	virtio_write(virtio, VIRTIO_MMIO_DEVICE_FEATURES_SEL, ~0u);
	CHECK_EQUAL(virtio_read(virtio, VIRTIO_MMIO_DEVICE_FEATURES), 0);
}

static void capacity(void)
{
	uint64_t sectors = option_number("sectors0", 0);

	CHECK_EQUAL(disk.sectors, sectors);
	CHECK_EQUAL(virtio_config64(&disk.virtio, CONFIG(capacity)), sectors);
}

static void limits(void)
{
	const struct virtio *virtio = &disk.virtio;
	uint32_t block = virtio_config32(virtio, CONFIG(blk_size));

	CHECK(virtio_config32(virtio, CONFIG(seg_max)) >= 126);
	CHECK(block == 512 || block == 4096);
	CHECK(virtio_config8(virtio, CONFIG(physical_block_exp)) <= 16);
	CHECK(virtio_config8(virtio, CONFIG(alignment_offset)) == 0);
	if (offers(VIRTIO_BLK_F_MQ))
		CHECK(virtio_config16(virtio, CONFIG(num_queues)) >= 1);
	if (offers(VIRTIO_BLK_F_DISCARD)) {
		CHECK(virtio_config32(virtio, CONFIG(max_discard_sectors)) > 0);
		CHECK(virtio_config32(virtio, CONFIG(max_discard_seg)) > 0);
		CHECK(virtio_config32(virtio,
				      CONFIG(discard_sector_alignment)) > 0);
	}
	if (offers(VIRTIO_BLK_F_WRITE_ZEROES)) {
		CHECK(virtio_config32(virtio,
				      CONFIG(max_write_zeroes_sectors)) > 0);
		CHECK(virtio_config32(virtio, CONFIG(max_write_zeroes_seg)) >
		      0);
	}
}

/* Each byte by itself is the same as the word, and bytes past the end too. */
static void config_by_bytes(void)
{
	const struct virtio *virtio = &disk.virtio;
	uint32_t word = virtio_config32(virtio, CONFIG(capacity));

	for (unsigned int i = 0; i < 4; i++)
		CHECK_EQUAL(virtio_config8(virtio, i),
			    (uint8_t)(word >> 8 * i));
	CHECK_EQUAL(virtio_config16(virtio, 2), (uint16_t)(word >> 16));
	for (unsigned int i = 64; i < 0x100; i += 17)
		virtio_config8(virtio, i);
	virtio_config32(virtio, 0x200 - VIRTIO_MMIO_CONFIG - 4);
}

static void write_cache_switch(void)
{
	volatile uint8_t *wce = (volatile uint8_t *)(disk.virtio.base +
						     VIRTIO_MMIO_CONFIG +
						     CONFIG(wce));

	if (!offers(VIRTIO_BLK_F_CONFIG_WCE))
		SKIP("CONFIG_WCE is not offered");
	CHECK_EQUAL(*wce, 1);
	*wce = 0;
	CHECK_EQUAL(*wce, 0);
	CHECK_EQUAL(blk_flush(&disk), VIRTIO_BLK_S_OK);
	*wce = 1;
	CHECK_EQUAL(*wce, 1);
}

static void config_is_read_only(void)
{
	volatile uint32_t *low =
		(volatile uint32_t *)(disk.virtio.base + VIRTIO_MMIO_CONFIG);

	*low = 0;
	CHECK_EQUAL(virtio_config64(&disk.virtio, CONFIG(capacity)),
		    disk.sectors);
}

static void identity(void)
{
	static char id[32] __attribute__((aligned(8)));
	struct piece piece = {id, VIRTIO_BLK_ID_BYTES, true};

	memset(id, 'x', sizeof(id));
	REQUIRE(CHECK_EQUAL(blk_do(&disk, VIRTIO_BLK_T_GET_ID, 0, &piece, 1),
			    VIRTIO_BLK_S_OK));
	CHECK_EQUAL(id[VIRTIO_BLK_ID_BYTES], 'x');
	id[VIRTIO_BLK_ID_BYTES] = '\0';
	CHECK(option_is("serial0", id));
}

static void identity_of_another_length(void)
{
	static uint8_t id[64] __attribute__((aligned(8)));
	struct piece piece = {id, 7, true};
	unsigned int answer;

	memset(id, 0xee, sizeof(id));
	answer = blk_do(&disk, VIRTIO_BLK_T_GET_ID, 0, &piece, 1);
	CHECK(answer == VIRTIO_BLK_S_OK || answer == VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(id[7], 0xee);
	piece.length = 40;
	answer = blk_do(&disk, VIRTIO_BLK_T_GET_ID, 0, &piece, 1);
	CHECK(answer == VIRTIO_BLK_S_OK || answer == VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(id[40], 0xee);
}

/* A read-only disk reads, and refuses to be changed. */
static void read_only(void)
{
	static uint8_t sector[SECTOR] __attribute__((aligned(8)));

	CHECK(offers(VIRTIO_BLK_F_RO));
	CHECK_EQUAL(blk_read(&disk, 0, sector, 1), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(blk_write(&disk, 0, sector, 1), VIRTIO_BLK_S_IOERR);
	if (offers(VIRTIO_BLK_F_WRITE_ZEROES))
		CHECK(blk_range(&disk, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0) !=
		      VIRTIO_BLK_S_OK);
	if (offers(VIRTIO_BLK_F_DISCARD))
		CHECK(blk_range(&disk, VIRTIO_BLK_T_DISCARD, 0, 8, 0) !=
		      VIRTIO_BLK_S_OK);
	if (offers(VIRTIO_BLK_F_FLUSH))
		CHECK_EQUAL(blk_flush(&disk), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(blk_read(&disk, 0, sector, 1), VIRTIO_BLK_S_OK);
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(registers),
		TEST(features),
		TEST(feature_words_past_the_second),
		TEST(capacity),
		TEST(limits),
		TEST(config_by_bytes),
		TEST(write_cache_switch),
		TEST(config_is_read_only),
		TEST(identity),
		TEST(identity_of_another_length),
		TEST(read_only), /* of a read-only disk */
	};
	size_t count = ARRAY_LENGTH(tests) - !option_number("ro0", 0);

	if (!blk_open(&disk, 0, BLK_FEATURES))
		test_report("open", "no disk, or it refuses");
	else
		tests_run_natively(tests, count);
}

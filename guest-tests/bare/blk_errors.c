/*
 * Requests that are well-formed chains and yet cannot be done: each gets its
 * error, changes nothing, and the next one works.
 */
#include "runtime/blk.h"
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/test.h"

/* Away from what other guests leave on the same disk. */
#define PLACE 12000

static struct blk disk;

UNCLEARED static uint8_t buffer[16 * SECTOR];

/* Is the disk as it should be: what stood here still does? */
static void still_works(void)
{
	CHECK_EQUAL(blk_read(&disk, PLACE, buffer, 4), VIRTIO_BLK_S_OK);
	CHECK(pattern_holds(buffer, PLACE, 4, 'o'));
	CHECK_EQUAL(blk_read(&disk, disk.sectors - 4, buffer, 4),
		    VIRTIO_BLK_S_OK);
	CHECK(pattern_holds(buffer, disk.sectors - 4, 4, 'o'));
}

static void prepare(void)
{
	pattern_fill(buffer, PLACE, 4, 'o');
	CHECK_EQUAL(blk_write(&disk, PLACE, buffer, 4), VIRTIO_BLK_S_OK);
	pattern_fill(buffer, disk.sectors - 4, 4, 'o');
	CHECK_EQUAL(blk_write(&disk, disk.sectors - 4, buffer, 4),
		    VIRTIO_BLK_S_OK);
	still_works();
}

static void past_the_end(void)
{
	const uint64_t sectors[] = {
		disk.sectors,	 disk.sectors - 1, disk.sectors + 1000,
		1ULL << 55,	 1ULL << 56,	   (1ULL << 55) - 1,
		~0ULL,		 ~0ULL - 1,	   1ULL << 63,
		~0ULL / 512 + 1,
	};

	memset(buffer, 0, 2 * SECTOR);
	for (unsigned int i = 0; i < ARRAY_LENGTH(sectors); i++) {
		CHECK_EQUAL(blk_read(&disk, sectors[i], buffer, 2),
			    VIRTIO_BLK_S_IOERR);
		CHECK_EQUAL(blk_write(&disk, sectors[i], buffer, 2),
			    VIRTIO_BLK_S_IOERR);
	}
	still_works();
}

static void not_whole_sectors(void)
{
	const uint32_t lengths[] = {1, 16, 511, 513, 1023};

	memset(buffer, 0, 2 * SECTOR);
	for (unsigned int i = 0; i < ARRAY_LENGTH(lengths); i++) {
		struct piece piece = {buffer, lengths[i], true};

		CHECK_EQUAL(blk_do(&disk, VIRTIO_BLK_T_IN, PLACE, &piece, 1),
			    VIRTIO_BLK_S_IOERR);
		piece.device_writes = false;
		CHECK_EQUAL(blk_do(&disk, VIRTIO_BLK_T_OUT, PLACE, &piece, 1),
			    VIRTIO_BLK_S_IOERR);
	}
	still_works();
}

static bool answered(unsigned int answer)
{
	return answer == VIRTIO_BLK_S_OK || answer == VIRTIO_BLK_S_IOERR ||
	       answer == VIRTIO_BLK_S_UNSUPP;
}

static void no_data(void)
{
	CHECK(answered(blk_do(&disk, VIRTIO_BLK_T_IN, PLACE, NULL, 0)));
	CHECK(answered(blk_do(&disk, VIRTIO_BLK_T_OUT, PLACE, NULL, 0)));
	CHECK(answered(blk_do(&disk, VIRTIO_BLK_T_GET_ID, 0, NULL, 0)));
	still_works();
}

/* Data of the wrong direction: a read into what only the device may read. */
static void wrong_direction(void)
{
	struct piece piece = {buffer, SECTOR, false};

	CHECK(answered(blk_do(&disk, VIRTIO_BLK_T_IN, PLACE, &piece, 1)));
	piece.device_writes = true;
	memset(buffer, 0, SECTOR);
	CHECK(answered(blk_do(&disk, VIRTIO_BLK_T_OUT, PLACE, &piece, 1)));
	still_works();
}

static void expect_unsupported(const uint32_t *types, unsigned int count)
{
	struct piece piece = {buffer, SECTOR, true};

	for (unsigned int i = 0; i < count; i++) {
		unsigned int answer = blk_do(&disk, types[i], PLACE, &piece, 1);

		if (!CHECK_EQUAL(answer, VIRTIO_BLK_S_UNSUPP))
			print("# type 0x%x\n", types[i]);
	}
	still_works();
}

static void unknown_types(void)
{
	const uint32_t types[] = {6, 7, 10, 12, 14, 99, 0x7ffffff0};

	expect_unsupported(types, ARRAY_LENGTH(types));
}

/* What legacy devices knew: SCSI commands, a barrier bit, bit 0 as a flag. */
static void legacy_types(void)
{
	const uint32_t types[] = {2, 3, 5, 9, 1u << 31, 1u << 31 | 1};

	if (on_qemu())
		SKIP("QEMU still knows them");
	expect_unsupported(types, ARRAY_LENGTH(types));
}

static bool has(unsigned int feature)
{
	return disk.features & VIRTIO_BIT(feature);
}

static void ranges_past_the_end(void)
{
	const struct {
		uint64_t sector;
		uint32_t sectors;
	} ranges[] = {
		{disk.sectors, 8}, {disk.sectors - 4, 5}, {~0ULL, 1},
		{~0ULL - 7, 16},   {1ULL << 55, 1},	  {PLACE, ~0u},
	};

	if (!has(VIRTIO_BLK_F_DISCARD) || !has(VIRTIO_BLK_F_WRITE_ZEROES))
		SKIP("DISCARD and WRITE_ZEROES are not both offered");
	for (unsigned int i = 0; i < ARRAY_LENGTH(ranges); i++) {
		CHECK_EQUAL(blk_range(&disk, VIRTIO_BLK_T_DISCARD,
				      ranges[i].sector, ranges[i].sectors, 0),
			    VIRTIO_BLK_S_IOERR);
		CHECK_EQUAL(blk_range(&disk, VIRTIO_BLK_T_WRITE_ZEROES,
				      ranges[i].sector, ranges[i].sectors, 0),
			    VIRTIO_BLK_S_IOERR);
	}
	still_works();
}

/* 5.2.6.2: reserved flags, and unmap in a discard, are not supported. */
static void range_flags(void)
{
	if (!has(VIRTIO_BLK_F_DISCARD) || !has(VIRTIO_BLK_F_WRITE_ZEROES))
		SKIP("DISCARD and WRITE_ZEROES are not both offered");
	CHECK_EQUAL(blk_range(&disk, VIRTIO_BLK_T_DISCARD, PLACE, 4, 1),
		    VIRTIO_BLK_S_UNSUPP);
	CHECK_EQUAL(blk_range(&disk, VIRTIO_BLK_T_DISCARD, PLACE, 4, 2),
		    VIRTIO_BLK_S_UNSUPP);
	CHECK_EQUAL(blk_range(&disk, VIRTIO_BLK_T_WRITE_ZEROES, PLACE, 4, 2),
		    VIRTIO_BLK_S_UNSUPP);
	CHECK_EQUAL(blk_range(&disk, VIRTIO_BLK_T_WRITE_ZEROES, PLACE, 4,
			      0x80000001),
		    VIRTIO_BLK_S_UNSUPP);
	still_works();
}

/* Half a range, none at all, more of them than the disk allows. */
static void range_lengths(void)
{
	static struct virtio_blk_discard_write_zeroes ranges[128];
	const uint32_t lengths[] = {8, 15, 17, sizeof(ranges)};

	if (!has(VIRTIO_BLK_F_DISCARD))
		SKIP("DISCARD is not offered");
	if (on_qemu())
		SKIP("QEMU needs a reset after half a range");
	for (unsigned int i = 0; i < ARRAY_LENGTH(ranges); i++)
		ranges[i] = (struct virtio_blk_discard_write_zeroes){
			.sector = disk.sectors - 64, .num_sectors = 1};
	for (unsigned int i = 0; i < ARRAY_LENGTH(lengths); i++) {
		struct piece piece = {ranges, lengths[i], false};

		CHECK(answered(
			blk_do(&disk, VIRTIO_BLK_T_DISCARD, 0, &piece, 1)));
	}
	CHECK(answered(blk_do(&disk, VIRTIO_BLK_T_DISCARD, 0, NULL, 0)));
	still_works();
}

/* Several ranges in one request, the last of them bad or all of them good. */
static void several_ranges(void)
{
	struct virtio_blk_discard_write_zeroes ranges[2] = {
		{.sector = PLACE + 16, .num_sectors = 2},
		{.sector = PLACE + 24, .num_sectors = 3},
	};
	struct piece piece = {ranges, sizeof(ranges), false};
	uint32_t most = virtio_config32(&disk.virtio,
					offsetof(struct virtio_blk_config,
						 max_write_zeroes_seg));

	if (!has(VIRTIO_BLK_F_WRITE_ZEROES) || most < 2)
		SKIP("one range at a time");
	pattern_fill(buffer, PLACE + 16, 16, 'p');
	CHECK_EQUAL(blk_write(&disk, PLACE + 16, buffer, 16), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(blk_do(&disk, VIRTIO_BLK_T_WRITE_ZEROES, 0, &piece, 1),
		    VIRTIO_BLK_S_OK);
	CHECK_EQUAL(blk_read(&disk, PLACE + 16, buffer, 16), VIRTIO_BLK_S_OK);
	CHECK(bytes_are(buffer, 0, 2 * SECTOR));
	CHECK(pattern_holds(buffer + 2 * SECTOR, PLACE + 18, 6, 'p'));
	CHECK(bytes_are(buffer + 8 * SECTOR, 0, 3 * SECTOR));
	CHECK(pattern_holds(buffer + 11 * SECTOR, PLACE + 27, 5, 'p'));
	ranges[1].sector = disk.sectors;
	CHECK_EQUAL(blk_do(&disk, VIRTIO_BLK_T_WRITE_ZEROES, 0, &piece, 1),
		    VIRTIO_BLK_S_IOERR);
	still_works();
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(prepare),		 TEST(past_the_end),
		TEST(not_whole_sectors), TEST(no_data),
		TEST(wrong_direction),	 TEST(unknown_types),
		TEST(legacy_types),	 TEST(ranges_past_the_end),
		TEST(range_flags),	 TEST(range_lengths),
		TEST(several_ranges),
	};

	if (!blk_open(&disk, 0, BLK_FEATURES))
		test_report("open", "no disk, or it refuses");
	else
		tests_run_natively(tests, ARRAY_LENGTH(tests));
}

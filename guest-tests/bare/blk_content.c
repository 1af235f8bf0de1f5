/*
 * A disk that has something on it already: make-disks' text in the first MiB
 * and in 64 KiB at 4 MiB, zeroes elsewhere. It reads so, and after a sector
 * was written here and there all around it still does: what a copy-on-write,
 * a compressed cluster or a backing file must not lose.
 */
#include "runtime/blk.h"
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/test.h"

#define TEXT_SECTORS   2048
#define ISLAND	       8192
#define ISLAND_SECTORS 128
#define CHUNK	       64

static struct blk disk;

UNCLEARED static uint8_t buffer[CHUNK * SECTOR];

/* Where the tests write, in ascending order. */
static const uint32_t written_at[] = {
	0,	    5,		 127,  128,  256,  300,	  1000,
	1023,	    1024,	 2040, 2047, 2048, 3000,  4096,
	ISLAND - 1, ISLAND + 64, 8319, 8320, 9000, 12345,
};

static bool is_text(uint32_t sector)
{
	return sector < TEXT_SECTORS ||
	       (sector >= ISLAND && sector < ISLAND + ISLAND_SECTORS);
}

static bool was_written(uint32_t sector)
{
	for (unsigned int i = 0; i < ARRAY_LENGTH(written_at); i++)
		if (written_at[i] == sector)
			return true;
	return false;
}

/* One sector as it should be, before or after the writes. */
static bool sector_holds(uint32_t sector, const void *data, bool after)
{
	if (after && was_written(sector))
		return pattern_holds(data, sector, 1, 'w');
	if (is_text(sector))
		return pattern_holds(data, sector, 1, 'z');
	return bytes_are(data, 0, SECTOR);
}

static void chunk_holds(uint32_t first, bool after)
{
	REQUIRE(CHECK_EQUAL(blk_read(&disk, first, buffer, CHUNK),
			    VIRTIO_BLK_S_OK));
	for (uint32_t i = 0; i < CHUNK; i++)
		if (!sector_holds(first + i, buffer + i * SECTOR, after)) {
			print("# sector %u\n", first + i);
			CHECK(!"the sector is as it should be");
			return;
		}
}

static void reads_as_it_was_made(void)
{
	for (uint32_t first = 0; first < disk.sectors; first += 8 * CHUNK)
		chunk_holds(first, false);
	chunk_holds(ISLAND, false);
	chunk_holds(ISLAND + CHUNK, false);
}

static void reads_across_kinds(void)
{
	chunk_holds(TEXT_SECTORS - CHUNK / 2, false);
	chunk_holds(ISLAND - CHUNK / 2, false);
	chunk_holds(ISLAND + ISLAND_SECTORS - CHUNK / 2, false);
	chunk_holds((uint32_t)disk.sectors - CHUNK, false);
}

static void writes_leave_the_rest(void)
{
	for (unsigned int i = 0; i < ARRAY_LENGTH(written_at); i++) {
		pattern_fill(buffer, written_at[i], 1, 'w');
		REQUIRE(CHECK_EQUAL(blk_write(&disk, written_at[i], buffer, 1),
				    VIRTIO_BLK_S_OK));
	}
	for (unsigned int i = 0; i < ARRAY_LENGTH(written_at); i++) {
		uint32_t first = written_at[i] & ~(CHUNK - 1u);

		chunk_holds(first, true);
		print("# holds 0 w %u 1\n", written_at[i]);
	}
}

static void zeroes_leave_the_rest(void)
{
	if (!(disk.features & VIRTIO_BIT(VIRTIO_BLK_F_WRITE_ZEROES)))
		SKIP("WRITE_ZEROES is not offered");
	REQUIRE(CHECK_EQUAL(blk_range(&disk, VIRTIO_BLK_T_WRITE_ZEROES, 520,
				      100, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP),
			    VIRTIO_BLK_S_OK));
	REQUIRE(CHECK_EQUAL(blk_read(&disk, 512, buffer, CHUNK),
			    VIRTIO_BLK_S_OK));
	CHECK(pattern_holds(buffer, 512, 8, 'z'));
	CHECK(bytes_are(buffer + 8 * SECTOR, 0, (CHUNK - 8) * SECTOR));
	REQUIRE(CHECK_EQUAL(blk_read(&disk, 576, buffer, CHUNK),
			    VIRTIO_BLK_S_OK));
	CHECK(bytes_are(buffer, 0, 44 * SECTOR));
	CHECK(pattern_holds(buffer + 44 * SECTOR, 620, CHUNK - 44, 'z'));
	print("# holds 0 z 512 8\n# holds 0 0 520 100\n# holds 0 z 620 20\n");
}

static void flush(void)
{
	CHECK_EQUAL(blk_flush(&disk), VIRTIO_BLK_S_OK);
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(reads_as_it_was_made),
		TEST(reads_across_kinds),
		TEST(writes_leave_the_rest),
		TEST(zeroes_leave_the_rest),
		TEST(flush),
	};

	if (!blk_open(&disk, 0, BLK_FEATURES))
		test_report("open", "no disk, or it refuses");
	else
		tests_run_natively(tests, ARRAY_LENGTH(tests));
}

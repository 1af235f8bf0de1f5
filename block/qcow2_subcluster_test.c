/*
 * block/qcow2_subcluster_test.c - extended L2 entries: bitmaps that lie, runs
 * of subclusters, and what a write or an erasure touches.
 *
 * The image has clusters of 16 KiB with subclusters of 512 bytes: header,
 * refcount table at 0x4000, block at 0x8000, L1 table at 0xc000, L2 table at
 * 0x10000 and guest cluster 0 at 0x14000, its first 16 subclusters written.
 */
#include <errno.h>

#include "block/test_check.h"
#include "block/test_disk.h"
#include "block/test_recorder.h"

#define L2_TABLE 0x10000

struct bitmap_case {
	const char *what;
	uint64_t word, bitmap;
	int ret; /* of a read of the first subcluster */
};

static const struct bitmap_case cases[] = {
	{"good", 0x8000000000014000, 0x0000ffff, 0},
	{"the zero flag means nothing", 0x8000000000014001, 0x0000ffff, 0},
	{"data and zero", 0x8000000000014000, 0x10000ffff, -EUCLEAN},
	{"data and zero elsewhere", 0x8000000000014000, 0x800000008000ffff,
	 -EUCLEAN},
	{"data without a cluster", 0, 1, -EUCLEAN},
	{"zeroes without a cluster", 0, 1ULL << 32, 0},
	{"nothing without a cluster", 0, 0, 0},
	{"a cluster without data", 0x8000000000014000, 0, 0},
	{"past the end without data", 0x8000000002000000, 0, 0},
	{"past the end", 0x8000000002000000, 1, -EUCLEAN},
	{"not aligned", 0x8000000000014200, 1, -EUCLEAN},
	{"not aligned without data", 0x8000000000014200, 0, -EUCLEAN},
	{"in the L2 table", 0x8000000000010000, 1, -EUCLEAN},
	{"in the L2 table without data", 0x8000000000010000, 0, -EUCLEAN},
	{"COPIED without a cluster", 1ULL << 63, 0, -EUCLEAN},
	{"compressed past the end", 0x4000000070000000, 0, -EUCLEAN},
};

static struct test_op run(struct test_disk *disk, enum test_action action,
			  uint64_t first, uint64_t count, uint64_t value)
{
	struct test_op op = {action, first, count, value, 0, 0, 0};

	test_disk_run(disk, &op);
	CHECK_EQUAL(op.ret, 0);
	return op;
}

static struct test_disk *new_disk(struct image *backing,
				  struct test_recorder **ret_recorder)
{
	struct qcow2_create_options create = TEST_CREATE_EXTENDED(MIB, 14, 4);

	*ret_recorder = test_recorder_new(test_image_new(&create));
	return test_disk_new(test_image_open(&(*ret_recorder)->file, 0,
					     backing),
			     1);
}

static void free_disk(struct test_disk *disk)
{
	block_close(disk->block);
	free(disk);
}

static void bitmaps_are_judged(void)
{
	struct test_recorder *recorder;
	struct test_disk *disk = new_disk(NULL, &recorder);
	uint8_t sector[BLOCK_SECTOR];
	struct iovec iov = {sector, sizeof(sector)};
	struct block *block;
	struct file *file;

	run(disk, TEST_WRITE, 0, 16, 7);
	run(disk, TEST_FLUSH, 0, 0, 0);
	for (size_t i = 0; i < ARRAY_LENGTH(cases) && !test_failed; i++) {
		be64 entry[] = {be64_make(cases[i].word),
				be64_make(cases[i].bitmap)};

		file = file_memory_new(file_memory_data(recorder->below),
				       file_size(recorder->below));
		file_write(file, entry, sizeof(entry), L2_TABLE);
		block = block_new(test_image_open(file, 0, NULL));
		CHECK_EQUAL(block_read(block, 0, &iov, 1), cases[i].ret);
		CHECK_EQUAL(block_write(block, 0, &iov, 1), cases[i].ret);
		CHECK_EQUAL(block_write(block, MIB / 2, &iov, 1), cases[i].ret);
		block_close(block);
		if (test_failed)
			printf("# case \"%s\"\n", cases[i].what);
	}
	free_disk(disk);
}

static uint64_t get_bitmap(struct test_recorder *recorder, uint64_t cluster)
{
	be64 bitmap;

	file_read(recorder->below, &bitmap, sizeof(bitmap),
		  L2_TABLE + 16 * cluster + 8);
	return be64_get(bitmap);
}

static void check_extent(struct test_disk *disk, uint64_t first,
			 enum block_extent_kind kind, uint64_t sectors)
{
	struct block_extent extent;

	block_map(disk->block, first * BLOCK_SECTOR,
		  (disk->sectors - first) * BLOCK_SECTOR, &extent);
	CHECK_EQUAL(extent.kind, kind);
	CHECK_EQUAL(extent.length, sectors * BLOCK_SECTOR);
}

/* Runs end inside clusters, and go on over their edges. */
static void runs_are_mapped(void)
{
	struct test_recorder *recorder;
	struct test_disk *disk = new_disk(test_backing_new(40), &recorder);

	run(disk, TEST_WRITE, 0, 70, 1);
	run(disk, TEST_UNMAP, 3, 2, 0);
	run(disk, TEST_UNMAP, 60, 10, 0);
	check_extent(disk, 0, BLOCK_EXTENT_DATA, 3);
	check_extent(disk, 1, BLOCK_EXTENT_DATA, 2);
	check_extent(disk, 3, BLOCK_EXTENT_ZERO, 2);
	check_extent(disk, 5, BLOCK_EXTENT_DATA, 55);
	/* Nothing of the third cluster is data, so it has none on the host. */
	check_extent(disk, 60, BLOCK_EXTENT_ZERO, 4);
	check_extent(disk, 64, BLOCK_EXTENT_ZERO, disk->sectors - 64);
	free_disk(disk);
}

/* Behind the tables of an image with clusters of 64 KiB. */
static uint64_t count_written(struct test_recorder *recorder)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < recorder->log_length; i++)
		if (recorder->log[i].kind == TEST_LOG_WRITE &&
		    recorder->log[i].offset >= 0x50000)
			bytes += recorder->log[i].length;
	return bytes;
}

/* Of what lies beneath, only the touched subclusters are copied. */
static void copies_are_small(void)
{
	struct qcow2_create_options create = TEST_CREATE_EXTENDED(MIB, 16, 4);
	struct test_recorder *recorder =
		test_recorder_new(test_image_new(&create));
	struct test_disk *disk = test_disk_new(
		test_image_open(&recorder->file, 0, test_backing_new(2048)), 1);

	/* Its subclusters are of four sectors. */
	recorder->keeps_log = true;
	run(disk, TEST_WRITE, 5, 1, 1);
	CHECK_EQUAL(count_written(recorder), 2048);
	run(disk, TEST_WRITE, 6, 3, 2);
	CHECK_EQUAL(count_written(recorder), 2048 + 2048 + 1024);
	run(disk, TEST_WRITE, 8, 4, 3);
	CHECK_EQUAL(count_written(recorder), 2048 + 2048 + 1024 + 2048);
	test_disk_compare(disk, 0, disk->sectors);
	free_disk(disk);
}

static void erasures_are_of_subclusters(void)
{
	struct test_recorder *recorder;
	struct test_disk *disk = new_disk(test_backing_new(2048), &recorder);

	run(disk, TEST_WRITE, 0, 8, 1);
	run(disk, TEST_ZERO, 2, 1, 0);
	run(disk, TEST_UNMAP, 9, 1, 0);
	run(disk, TEST_DISCARD, 4, 1, 0);
	run(disk, TEST_DISCARD, 12, 4, 0); /* were never written: stay */
	run(disk, TEST_FLUSH, 0, 0, 0);
	CHECK_EQUAL(get_bitmap(recorder, 0), 0x00000214000000eb);
	CHECK_EQUAL(test_check_image(file_memory_data(recorder->below),
				     file_size(recorder->below))
			    .errors,
		    0);
	run(disk, TEST_UNMAP, 0, 8, 0);
	run(disk, TEST_FLUSH, 0, 0, 0);
	CHECK_EQUAL(get_bitmap(recorder, 0), 0x000002ff00000000);
	free_disk(disk);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(bitmaps_are_judged),
		TEST(runs_are_mapped),
		TEST(copies_are_small),
		TEST(erasures_are_of_subclusters),
	};

	/* What becomes of corrupt images is said there; not news here. */
	stderr = fopen("/dev/null", "w");
	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

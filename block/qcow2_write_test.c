/*
 * block/qcow2_write_test.c - random operations on qcow2 images in memory, each
 * compared with the model, and the image with the specification.
 */
#include <errno.h>

#include "block/test_check.h"
#include "block/test_disk.h"

/* Kept open by a wrapper that survives the image's close. */
struct shape {
	struct qcow2_create_options create;
	uint64_t l2_cache_size;
	uint64_t backing_sectors; /* 0: none */
	enum { DATA_INSIDE, DATA_OUTSIDE, DATA_RAW } data;
};

#define DISK_SECTORS 1000 /* the last cluster is a part of one */

static const struct shape shapes[] = {
	{TEST_CREATE(512 * DISK_SECTORS, 9, 3, 4, 0), 1, 0, DATA_INSIDE},
	{TEST_CREATE(512 * DISK_SECTORS, 9, 3, 6, 0), 0, 700, DATA_INSIDE},
	{TEST_CREATE(512 * DISK_SECTORS, 10, 3, 0, 0), 1, 2000, DATA_INSIDE},
	{TEST_CREATE(512 * DISK_SECTORS, 10, 3, 1, 0), 0, 0, DATA_INSIDE},
	{TEST_CREATE(512 * DISK_SECTORS, 12, 3, 2, 0), 1, 700, DATA_INSIDE},
	{TEST_CREATE(512 * DISK_SECTORS, 12, 3, 3, 0), 0, 0, DATA_INSIDE},
	{TEST_CREATE(512 * DISK_SECTORS, 16, 3, 5, 0), 1, 701, DATA_INSIDE},
	{TEST_CREATE(512 * DISK_SECTORS, 16, 3, 4, 0), 0, 0, DATA_INSIDE},
	{TEST_CREATE(512 * DISK_SECTORS, 21, 3, 4, 0), 0, 700, DATA_INSIDE},
	{TEST_CREATE(512 * DISK_SECTORS, 9, 2, 4, 0), 1, 700, DATA_INSIDE},
	{TEST_CREATE(512 * DISK_SECTORS, 12, 2, 4, 0), 0, 0, DATA_INSIDE},
	{TEST_CREATE(512 * DISK_SECTORS, 16, 2, 4, 0), 0, 700, DATA_INSIDE},
	{TEST_CREATE_EXTENDED(512 * DISK_SECTORS, 14, 4), 0, 0, DATA_INSIDE},
	{TEST_CREATE_EXTENDED(512 * DISK_SECTORS, 14, 0), 1, 700, DATA_INSIDE},
	{TEST_CREATE_EXTENDED(512 * DISK_SECTORS, 15, 6), 0, 701, DATA_INSIDE},
	{TEST_CREATE_EXTENDED(512 * DISK_SECTORS, 16, 4), 1, 2000, DATA_INSIDE},
	{TEST_CREATE_EXTENDED(512 * DISK_SECTORS, 21, 4), 0, 700, DATA_INSIDE},
	{TEST_CREATE(512 * DISK_SECTORS, 9, 3, 4, 0), 1, 700, DATA_OUTSIDE},
	{TEST_CREATE(512 * DISK_SECTORS, 16, 3, 4, 0), 0, 0, DATA_OUTSIDE},
	{TEST_CREATE(512 * DISK_SECTORS, 12, 3, 4, 0), 0, 0, DATA_RAW},
	{TEST_CREATE_EXTENDED(512 * DISK_SECTORS, 14, 4), 1, 700, DATA_OUTSIDE},
	{TEST_CREATE_EXTENDED(512 * DISK_SECTORS, 15, 4), 0, 0, DATA_RAW},
};

static void run_random(struct test_disk *disk, unsigned int count)
{
	struct test_op op;

	for (unsigned int i = 0; i < count && !test_failed; i++) {
		op = test_disk_choose(disk);
		test_disk_run(disk, &op);
		CHECK_EQUAL(op.ret, 0);
		if (op.action == TEST_DISCARD)
			test_disk_adopt(disk, &op);
		else
			test_disk_compare(disk, op.first, op.count);
	}
	test_disk_compare(disk, 0, disk->sectors);
}

/* The bytes of the image, as they are when it is closed. */
static void check_closed(struct test_disk *disk, struct file *file)
{
	struct test_check check;

	CHECK_EQUAL(test_block_settle(disk->block), 0);
	check = test_check_image(file_memory_data(file), file_size(file));
	CHECK_EQUAL(check.errors, 0);
	CHECK_EQUAL(check.leaks, 0);
}

/* Without a look at the image, a raw data file is the disk. */
static void check_raw(struct test_disk *disk, struct file *data)
{
	uint8_t sector[BLOCK_SECTOR];

	for (uint64_t i = 0; i < disk->sectors && !test_failed; i++) {
		file_read(data, sector, sizeof(sector), i * BLOCK_SECTOR);
		CHECK_EQUAL(test_sector_value(sector), disk->value[i]);
	}
}

static void run_shape(const struct shape *shape, uint64_t seed)
{
	struct qcow2_create_options create = shape->create;
	struct file *file, *data = NULL;
	struct image *backing = NULL, *image;
	struct test_disk *disk;

	create.data_file = shape->data ? "data" : NULL;
	create.data_file_raw = shape->data == DATA_RAW;
	file = test_image_new(&create);
	if (shape->backing_sectors)
		backing = test_backing_new(shape->backing_sectors);
	if (shape->data)
		data = file_memory_new(NULL, 0);
	image = test_image_open_data(file, shape->l2_cache_size, backing, data);
	REQUIRE(image);
	disk = test_disk_new(image, seed);
	for (unsigned int i = 0; i < 3 && !test_failed; i++) {
		run_random(disk, 100);
		check_closed(disk, file);
		if (shape->data == DATA_RAW)
			check_raw(disk, data);
	}
	block_close(disk->block);
	free(disk);
	if (test_failed)
		printf("# clusters of 2^%u, version %u, refcount order %u, "
		       "extended %d, data file %d\n",
		       create.cluster_bits, create.version,
		       create.refcount_order, create.extended_l2, shape->data);
}

static void random_operations(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(shapes) && !test_failed; i++)
		run_shape(&shapes[i], i + 1);
}

/* 64 refcounts of 64 bits a block, 64 blocks a table: 2 MiB, then it grows. */
static void refcount_table_grows(void)
{
	struct qcow2_create_options create = TEST_CREATE(6 * MIB, 9, 3, 6, 0);
	struct file *file = test_image_new(&create);
	struct image *image = test_image_open(file, 0, NULL);
	struct test_disk *disk;
	uint64_t table;

	REQUIRE(image);
	table = image->file->size;
	disk = test_disk_new(image, 1);
	for (uint64_t i = 0; i < disk->sectors; i += 512) {
		struct test_op op = {TEST_WRITE, i, 512, i + 1, 0, 0, 0};

		test_disk_run(disk, &op);
		CHECK_EQUAL(op.ret, 0);
	}
	test_disk_compare(disk, 0, disk->sectors);
	check_closed(disk, file);
	CHECK(file_size(file) > table + 6 * MIB);
	block_close(disk->block);
	free(disk);
}

/* Space comes back: the image does not grow when clusters are reused. */
static void discarded_clusters_are_reused(void)
{
	struct qcow2_create_options create = TEST_CREATE(MIB, 12, 3, 4, 0);
	struct file *file = test_image_new(&create);
	struct test_disk *disk = test_disk_new(test_image_open(file, 0, NULL),
					       1);
	struct test_op write = {TEST_WRITE, 0, 2048, 1, 0, 0, 0};
	struct test_op discard = {TEST_DISCARD, 0, 2048, 0, 0, 0, 0};
	struct test_op flush = {TEST_FLUSH, 0, 0, 0, 0, 0, 0};
	uint64_t size = 0;

	for (unsigned int i = 0; i < 20; i++) {
		test_disk_run(disk, &write);
		test_disk_run(disk, &discard);
		test_disk_run(disk, &flush);
		CHECK(!write.ret && !discard.ret && !flush.ret);
		if (!i)
			size = file_size(file);
	}
	CHECK_EQUAL(file_size(file), size);
	check_closed(disk, file);
	block_close(disk->block);
	free(disk);
}

/* The caller's contract, at the edges. */
static void ranges_are_checked(void)
{
	struct qcow2_create_options create = TEST_CREATE(MIB, 16, 3, 4, 0);
	struct block *block =
		block_new(test_image_open(test_image_new(&create), 0, NULL));
	uint8_t sector[BLOCK_SECTOR] = {0};
	struct iovec iov = {sector, sizeof(sector)}, odd = {sector, 100};

	CHECK_EQUAL(block_size(block), MIB);
	CHECK_EQUAL(block_discard_granularity(block), 64 * KIB);
	CHECK_EQUAL(block_read(block, MIB - 512, &iov, 1), 0);
	CHECK_EQUAL(block_read(block, MIB, &iov, 1), -EINVAL);
	CHECK_EQUAL(block_write(block, MIB, &iov, 1), -EINVAL);
	CHECK_EQUAL(block_write(block, 100, &iov, 1), -EINVAL);
	CHECK_EQUAL(block_write(block, 0, &odd, 1), -EINVAL);
	CHECK_EQUAL(block_write(block, UINT64_MAX - 511, &iov, 1), -EINVAL);
	CHECK_EQUAL(block_discard(block, MIB, 512), -EINVAL);
	CHECK_EQUAL(block_write_zeroes(block, 512, MIB, true), -EINVAL);
	CHECK_EQUAL(block_discard(block, MIB, 0), 0);
	CHECK_EQUAL(block_read(block, MIB, NULL, 0), 0);
	block_close(block);
}

static void map_tells_what_it_knows(void)
{
	struct qcow2_create_options create = TEST_CREATE(MIB, 16, 3, 4, 0);
	struct test_disk *disk =
		test_disk_new(test_image_open(test_image_new(&create), 0, NULL),
			      1);
	struct test_op write = {TEST_WRITE, 0, 256, 1, 0, 0, 0};
	struct block_extent extent;

	block_map(disk->block, 0, MIB, &extent);
	CHECK_EQUAL(extent.kind, BLOCK_EXTENT_ZERO);
	CHECK_EQUAL(extent.length, MIB);
	test_disk_run(disk, &write);
	block_map(disk->block, 512, MIB - 512, &extent);
	CHECK_EQUAL(extent.kind, BLOCK_EXTENT_DATA);
	CHECK(extent.writable_in_place);
	CHECK_EQUAL(extent.length, 256 * 512 - 512);
	CHECK_EQUAL(extent.host_offset % (64 * KIB), 512);
	block_map(disk->block, 256 * 512, MIB - 256 * 512, &extent);
	CHECK_EQUAL(extent.kind, BLOCK_EXTENT_ZERO);
	CHECK_EQUAL(extent.length, MIB - 256 * 512);
	block_close(disk->block);
	free(disk);
}

static void empty_disks_own_their_tables(void)
{
	struct qcow2_create_options create = TEST_CREATE(0, 16, 3, 4, 0);
	struct file *file = test_image_new(&create);
	struct test_check check;

	check = test_check_image(file_memory_data(file), file_size(file));
	CHECK_EQUAL(check.errors, 0);
	CHECK_EQUAL(check.leaks, 0);
	file_close(file);
}

/* A slice of 4 KiB covers 2 MiB here, and there is room for one. */
static void statistics_count_what_was_read(void)
{
	struct qcow2_create_options create = TEST_CREATE(8 * MIB, 12, 3, 4, 0);
	struct test_disk *disk =
		test_disk_new(test_image_open(test_image_new(&create), 1, NULL),
			      1);
	struct test_op first = {TEST_WRITE, 0, 8, 1, 0, 0, 0};
	struct test_op second = {TEST_WRITE, 8192, 8, 2, 0, 0, 0};
	struct block_statistics before, after;

	test_disk_run(disk, &first);
	test_disk_run(disk, &second);
	block_statistics(disk->block, &before);
	for (unsigned int i = 0; i < 10; i++) {
		test_disk_compare(disk, 0, 8);
		test_disk_compare(disk, 8192, 8);
	}
	block_statistics(disk->block, &after);
	CHECK(after.lookups >= before.lookups + 20);
	CHECK_EQUAL(after.misses, before.misses + 20);
	CHECK_EQUAL(after.evictions, before.evictions + 20);
	block_close(disk->block);
	free(disk);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(random_operations),
		TEST(refcount_table_grows),
		TEST(discarded_clusters_are_reused),
		TEST(ranges_are_checked),
		TEST(map_tells_what_it_knows),
		TEST(empty_disks_own_their_tables),
		TEST(statistics_count_what_was_read),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * block/qcow2_inflight_test.c - requests under way outlive what the guest does
 * to their clusters meanwhile: on the host, nobody else gets these before.
 */
#include <pthread.h>
#include <unistd.h>

#include "block/fast.h"
#include "block/test_disk.h"

#define SECTORS 2048

/* Clusters of 4 KiB; the disk is full. */
static struct test_disk *disk_new(struct file **ret_file)
{
	struct qcow2_create_options create = TEST_CREATE(SECTORS * BLOCK_SECTOR,
							 12, 3, 4, 0);
	struct test_op fill = {TEST_WRITE, 0, SECTORS, 1, 0, 0, 0};
	struct test_disk *disk;

	*ret_file = test_image_new(&create);
	disk = test_disk_new(test_image_open(*ret_file, 0, NULL), 1);
	test_disk_run(disk, &fill);
	return disk;
}

static void disk_free(struct test_disk *disk)
{
	block_close(disk->block);
	free(disk);
}

static void run(struct test_disk *disk, enum test_action action, uint64_t first,
		uint64_t count, uint64_t value)
{
	struct test_op op = {action, first, count, value, 0, 0, 0};

	test_disk_run(disk, &op);
	CHECK_EQUAL(op.ret, 0);
}

/* What the host has where a request under way would read. */
static uint64_t value_at(const struct extent *extent)
{
	uint8_t sector[BLOCK_SECTOR];

	CHECK(!file_read(extent->image->data, sector, sizeof(sector),
			 extent->host_offset));
	return test_sector_value(sector);
}

/* Discards, and gives all that is free to others, as often as it takes. */
static void reuse_all(struct test_disk *disk, uint64_t first, uint64_t count)
{
	run(disk, TEST_DISCARD, first, count, 0);
	for (unsigned int i = 0; i < 3; i++)
		run(disk, TEST_FLUSH, 0, 0, 0);
	run(disk, TEST_WRITE, first, count, 2);
}

static void clusters_in_use_are_not_reused(void)
{
	struct block_pass pass, late;
	struct test_disk *disk;
	struct extent extent;
	struct file *file;

	disk = disk_new(&file);
	REQUIRE(block_begin(disk->block, &pass));
	CHECK(!block_next(disk->block, 0, 8 * BLOCK_SECTOR, &extent));
	CHECK_EQUAL(extent.kind, BLOCK_EXTENT_DATA);
	reuse_all(disk, 0, 64);
	CHECK_EQUAL(value_at(&extent), 1);

	/* Who came later does not keep them. */
	CHECK(block_begin(disk->block, &late));
	block_end(disk->block, pass);
	run(disk, TEST_FLUSH, 0, 0, 0);
	CHECK_EQUAL(value_at(&extent), 0);
	block_end(disk->block, late);
	test_disk_compare(disk, 0, SECTORS);
	disk_free(disk);
}

/* A write that comes so late changes nothing that the disk has now. */
static void a_late_write_hits_nobody(void)
{
	uint8_t late[BLOCK_SECTOR];
	struct block_pass pass;
	struct test_disk *disk;
	struct extent extent;
	struct file *file;

	disk = disk_new(&file);
	test_fill(late, 1, 99);
	REQUIRE(block_begin(disk->block, &pass));
	CHECK(!block_next(disk->block, 0, BLOCK_SECTOR, &extent));
	CHECK(extent.writable_in_place);
	reuse_all(disk, 0, 64);
	CHECK(!file_write(extent.image->data, late, sizeof(late),
			  extent.host_offset));
	block_end(disk->block, pass);
	test_disk_compare(disk, 0, SECTORS);
	disk_free(disk);
}

struct holder {
	struct block *block;
	atomic_bool ended;
};

/* There is always a request under way, but none stays for long. */
static void *hold(void *context)
{
	struct holder *holder = context;
	struct block_pass pass;

	while (!atomic_load(&holder->ended)) {
		if (!block_begin(holder->block, &pass))
			continue;
		usleep(500);
		block_end(holder->block, pass);
	}
	return NULL;
}

/* More of them become dead than there is room for, between two flushes. */
static void room_is_waited_for(void)
{
	struct test_disk *disk;
	struct holder holder = {0};
	pthread_t thread;
	struct file *file;

	disk = disk_new(&file);
	holder.block = disk->block;
	pthread_create(&thread, NULL, hold, &holder);
	for (uint64_t round = 0; round < 40 && !test_failed; round++) {
		/* No two of them next to each other. */
		for (uint64_t i = 0; i < SECTORS; i += 16)
			run(disk, TEST_DISCARD, i, 8, 0);
		for (uint64_t i = 0; i < SECTORS; i += 16)
			run(disk, TEST_WRITE, i, 8, round + 3);
	}
	atomic_store(&holder.ended, true);
	pthread_join(thread, NULL);
	test_disk_compare(disk, 0, SECTORS);
	disk_free(disk);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(clusters_in_use_are_not_reused),
		TEST(a_late_write_hits_nobody),
		TEST(room_is_waited_for),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

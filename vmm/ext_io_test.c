/*
 * vmm/ext_io_test.c - windows, the file system's end, the budget, and what the
 * library gets to see.
 */
#include "vmm/ext_io.h"

#include "base/test.h"
#include "vmm/test_disk.h"

#define START	  (64 * KIB + 512) /* of the file system: not a window's */
#define DISK_SIZE (1 * MIB)
#define SIZE	  (DISK_SIZE - START - 512)

static struct test_disk disk;
static struct ext_io *io;
static unsigned int reads;
static int read_error;

static int counting_read(void *context, uint64_t offset, void *buffer,
			 size_t length)
{
	reads++;
	return read_error ? read_error
			  : test_disk_read(context, offset, buffer, length);
}

static void set_up(void)
{
	test_disk_init(&disk, DISK_SIZE);
	for (size_t i = 0; i < DISK_SIZE; i++)
		disk.data[i] = (uint8_t)(i * 7 + (i >> 8));
	disk.view.read = counting_read;
	io = calloc(1, sizeof(*io));
	io->disk = disk.view;
	io->offset = START;
	io->size = SIZE;
	io->budget = 16 * MIB;
	reads = 0;
	read_error = 0;
}

static void tear_down(void)
{
	free(io);
	test_disk_fini(&disk);
}

static void check_read(uint64_t offset, size_t length)
{
	uint8_t *buffer = malloc(length);

	CHECK(!ext_io_read(io, offset, buffer, length));
	CHECK(!memcmp(buffer, disk.data + START + offset, length));
	free(buffer);
}

static void reads_any_range(void)
{
	set_up();
	check_read(0, 1);
	check_read(1024, 1024);
	check_read(EXT_IO_WINDOW - 3, 7);
	check_read(5, 3 * EXT_IO_WINDOW);
	check_read(0, SIZE);
	check_read(SIZE - 1, 1);
	check_read(SIZE, 0);
	tear_down();
}

static void keeps_to_the_file_system(void)
{
	uint8_t byte;

	set_up();
	CHECK_EQUAL(ext_io_read(io, SIZE, &byte, 1), -EINVAL);
	CHECK_EQUAL(ext_io_read(io, UINT64_MAX, &byte, 1), -EINVAL);
	CHECK_EQUAL(reads, 0);
	tear_down();
}

static void keeps_windows(void)
{
	set_up();
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < EXT_IO_WINDOWS; i++)
			check_read((uint64_t)i * EXT_IO_WINDOW + 100, 4096);
	CHECK_EQUAL(reads, EXT_IO_WINDOWS);
	/* One more takes the place of the one that was not used for longest. */
	check_read(EXT_IO_WINDOWS * EXT_IO_WINDOW, 1);
	check_read(1 * EXT_IO_WINDOW, 1);
	CHECK_EQUAL(reads, EXT_IO_WINDOWS + 1);
	check_read(0, 1);
	CHECK_EQUAL(reads, EXT_IO_WINDOWS + 2);
	tear_down();
}

static void ends_with_its_budget(void)
{
	uint8_t byte;
	int ret = 0;

	set_up();
	io->budget = EXT_IO_WINDOW + 100;
	for (int i = 0; !ret && i < 1000; i++)
		ret = ext_io_read(io, 0, &byte, 1);
	CHECK_EQUAL(ret, -ETIME);
	CHECK_EQUAL(reads, 1);
	tear_down();
}

static void does_not_keep_what_failed(void)
{
	uint8_t byte;

	set_up();
	read_error = -EIO;
	CHECK_EQUAL(ext_io_read(io, 0, &byte, 1), -EIO);
	read_error = 0;
	check_read(0, 100);
	tear_down();
}

static void is_a_manager_that_never_writes(void)
{
	char name[EXT_IO_NAME_MAX];
	uint8_t buffer[2048];
	io_channel channel;

	set_up();
	ext_io_name(io, name);
	CHECK_EQUAL(ext_io_manager.open(name, IO_FLAG_RW, &channel), EROFS);
	REQUIRE(!ext_io_manager.open(name, 0, &channel));
	CHECK(!channel->manager->set_blksize(channel, 2048));
	CHECK(!io_channel_read_blk64(channel, 3, 1, buffer));
	CHECK(!memcmp(buffer, disk.data + START + 3 * 2048, 2048));
	CHECK(!io_channel_read_blk64(channel, 3, -10, buffer));
	CHECK_EQUAL(io_channel_read_blk64(channel, 1ULL << 60, 1, buffer),
		    EXT2_ET_SHORT_READ);
	CHECK_EQUAL(io_channel_write_blk64(channel, 3, 1, buffer), EROFS);
	CHECK_EQUAL(io_channel_write_blk(channel, 3, 1, buffer), EROFS);
	io_channel_close(channel);
	tear_down();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(reads_any_range),
		TEST(keeps_to_the_file_system),
		TEST(keeps_windows),
		TEST(ends_with_its_budget),
		TEST(does_not_keep_what_failed),
		TEST(is_a_manager_that_never_writes),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * block/qcow2_hostile_test.c - images whose tables lie, and what becomes of
 * the requests that find out.
 *
 * The image has clusters of 4 KiB: header, refcount table at 0x1000, refcount
 * block at 0x2000, L1 table at 0x3000, L2 table at 0x4000 and guest clusters 0
 * and 1 at 0x5000 and 0x6000.
 */
#include <errno.h>

#include "block/test_check.h"
#include "block/test_disk.h"

enum request { REQUEST_READ, REQUEST_WRITE, REQUEST_WRITE_NEW };

struct hostile_case {
	const char *what;
	unsigned int offset, width;
	uint64_t value;
	enum request request; /* READ and WRITE: of guest cluster 0 */
	int ret;
	bool corrupt; /* the bit is set, writes are refused */
};

static const struct hostile_case cases[] = {
	{"good", 0x4000, 8, 0x8000000000005000, REQUEST_READ, 0, false},
	{"reserved bits", 0x4000, 8, 0xbf000000000051fe, REQUEST_READ, 0,
	 false},
	{"not aligned", 0x4000, 8, 0x8000000000005200, REQUEST_READ, -EUCLEAN,
	 true},
	{"not aligned", 0x4000, 8, 0x8000000000005200, REQUEST_WRITE, -EUCLEAN,
	 true},
	{"past the end", 0x4000, 8, 0x8000000000900000, REQUEST_READ, -EUCLEAN,
	 true},
	{"far past the end", 0x4000, 8, 0x80fffffffffff000, REQUEST_READ,
	 -EUCLEAN, true},
	{"COPIED without an offset", 0x4000, 8, 1ULL << 63, REQUEST_READ,
	 -EUCLEAN, true},
	{"data in the refcount table", 0x4000, 8, 0x8000000000001000,
	 REQUEST_WRITE, -EUCLEAN, true},
	{"data in a refcount block", 0x4000, 8, 0x8000000000002000,
	 REQUEST_WRITE, -EUCLEAN, true},
	{"data in the L1 table", 0x4000, 8, 0x8000000000003000, REQUEST_WRITE,
	 -EUCLEAN, true},
	{"data in the L1 table", 0x4000, 8, 0x8000000000003000, REQUEST_READ,
	 -EUCLEAN, true},
	{"data in an L2 table", 0x4000, 8, 0x8000000000004000, REQUEST_WRITE,
	 -EUCLEAN, true},
	{"shared data in an L2 table", 0x4000, 8, 0x4000, REQUEST_WRITE,
	 -EUCLEAN, true},
	{"preallocation in an L2 table", 0x4000, 8, 0x8000000000004001,
	 REQUEST_WRITE, -EUCLEAN, true},
	{"compressed past the end", 0x4000, 8, 0x4000000070000000, REQUEST_READ,
	 -EUCLEAN, true},
	{"compressed past 2^56", 0x4000, 8, 0x4200000000000000, REQUEST_READ,
	 -EUCLEAN, true},
	{"compressed over tables", 0x4000, 8, 0x4000000000003e00, REQUEST_READ,
	 -EUCLEAN, true},
	{"compressed in the header", 0x4000, 8, 1ULL << 62, REQUEST_READ,
	 -EUCLEAN, true},
	{"compressed nonsense", 0x4000, 8, 0x4000000000005001, REQUEST_READ,
	 -EIO, false},
	{"compressed nonsense", 0x4000, 8, 0x4000000000005001, REQUEST_WRITE,
	 -EIO, false},
	{"L1 table without a refcount", 0x2006, 2, 0, REQUEST_WRITE_NEW,
	 -EUCLEAN, true},
	{"header without a refcount", 0x2000, 2, 0, REQUEST_WRITE_NEW, -EUCLEAN,
	 true},
};

static struct file *make_image(void)
{
	struct qcow2_create_options create = TEST_CREATE(MIB, 12, 3, 4, 0);
	struct file *file = test_image_new(&create), *copy;
	struct test_disk *disk = test_disk_new(test_image_open(file, 0, NULL),
					       1);
	struct test_op write = {TEST_WRITE, 0, 16, 7, 0, 0, 0};

	test_disk_run(disk, &write);
	block_flush(disk->block);
	copy = file_memory_new(file_memory_data(file), file_size(file));
	block_close(disk->block);
	free(disk);
	return copy;
}

static void patch(struct file *file, uint64_t offset, unsigned int width,
		  uint64_t value)
{
	uint8_t bytes[8];

	for (unsigned int i = 0; i < width; i++)
		bytes[i] = (uint8_t)(value >> 8 * (width - 1 - i));
	file_write(file, bytes, width, offset);
}

static int run_request(struct block *block, enum request request)
{
	uint64_t offset = request == REQUEST_WRITE_NEW ? 512 * KIB : 0;
	uint8_t sector[BLOCK_SECTOR] = {1};
	struct iovec iov = {sector, sizeof(sector)};

	if (request == REQUEST_READ)
		return block_read(block, offset, &iov, 1);
	return block_write(block, offset, &iov, 1);
}

/* After that: good parts are read; writes go on or not; the bit is set. */
static void check_after(struct block *block, struct file *file, bool corrupt)
{
	uint8_t sector[BLOCK_SECTOR] = {1};
	struct iovec iov = {sector, sizeof(sector)};
	be64 bits;

	CHECK_EQUAL(block_read(block, 4096, &iov, 1), 0);
	CHECK_EQUAL(test_sector_value(sector), 7);
	CHECK_EQUAL(block_write(block, 4096, &iov, 1), corrupt ? -EUCLEAN : 0);
	CHECK_EQUAL(block_write(block, 900 * KIB, &iov, 1),
		    corrupt ? -EUCLEAN : 0);
	CHECK_EQUAL(block_discard(block, 4096, 4096), corrupt ? -EUCLEAN : 0);
	file_read(file, &bits, sizeof(bits), 72);
	CHECK_EQUAL(be64_get(bits), corrupt ? 2 : 0);
}

static void lies_are_found_out(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(cases) && !test_failed; i++) {
		const struct hostile_case *c = &cases[i];
		struct file *file = make_image();
		struct block *block;

		patch(file, c->offset, c->width, c->value);
		block = block_new(test_image_open(file, 0, NULL));
		CHECK_EQUAL(run_request(block, c->request), c->ret);
		check_after(block, file, c->corrupt);
		block_close(block);
		if (test_failed)
			printf("# case \"%s\"\n", c->what);
	}
}

/* Nothing that a reader finds makes it write. */
static void readers_do_not_mark_the_image(void)
{
	struct image_options options = {.name = "test", .read_only = true};
	static const uint64_t l1_entries[] = {
		0x8000000000004200,
		0x8000000000900000,
	};
	struct image *image = NULL;
	struct block *block;
	struct file *file;
	be64 bits;

	for (size_t i = 0; i < ARRAY_LENGTH(l1_entries); i++) {
		file = make_image();
		patch(file, 0x3000, 8, l1_entries[i]);
		REQUIRE(!qcow2_open(file, &options, &image, NULL));
		block = block_new(image);
		CHECK_EQUAL(run_request(block, REQUEST_READ), -EUCLEAN);
		CHECK_EQUAL(run_request(block, REQUEST_WRITE), -EROFS);
		file_read(file, &bits, sizeof(bits), 72);
		CHECK_EQUAL(be64_get(bits), 0);
		block_close(block);
	}
}

static void zero_clusters_are_not_of_version_2(void)
{
	struct file *file = make_image();
	struct block *block;

	patch(file, 4, 4, 2);
	patch(file, 0x4000, 8, 1);
	block = block_new(test_image_open(file, 0, NULL));
	CHECK_EQUAL(run_request(block, REQUEST_READ), -EUCLEAN);
	block_close(block);
}

/* A refcount that is missing shows when the cluster is let go. */
static void freeing_the_free_is_corruption(void)
{
	struct file *file = make_image();
	struct block *block;

	patch(file, 0x2000 + 5 * 2, 2, 0);
	block = block_new(test_image_open(file, 0, NULL));
	CHECK_EQUAL(block_discard(block, 0, 4096), 0);
	CHECK_EQUAL(block_flush(block), 0);
	CHECK_EQUAL(run_request(block, REQUEST_WRITE_NEW), -EUCLEAN);
	block_close(block);
}

/* One bit of refcount has no room for a second owner; nor is one ever asked. */
static void all_refcounts_at_their_limit(void)
{
	struct file *file = make_image();
	struct block *block;
	uint64_t size = file_size(file);

	for (unsigned int i = 0; i < 2048; i++)
		patch(file, 0x2000 + i * 2, 2, 0xffff);
	block = block_new(test_image_open(file, 0, NULL));
	CHECK_EQUAL(run_request(block, REQUEST_WRITE_NEW), 0);
	/* Behind all that the block covers. */
	CHECK(file_size(file) > size + 1000 * 4096);
	block_close(block);
}

/* Bytes all over the tables are changed; then anything may fail. */
static void random_tables_do_no_harm(void)
{
	struct image_options options = {.name = "test"};
	struct test_random random = {1};
	struct image *image;
	struct file *file;
	struct test_disk *disk;
	struct test_op op;

	for (unsigned int i = 0; i < 400; i++) {
		file = make_image();
		for (unsigned int j = 0; j < 1 + i % 8; j++)
			patch(file,
			      0x1000 * (1 + test_below(&random, 4)) +
				      test_below(&random, 8 + 32 * (i % 2)),
			      1, test_random(&random));
		if (qcow2_open(file, &options, &image, NULL)) {
			file_close(file);
			continue;
		}
		disk = test_disk_new(image, i);
		for (unsigned int j = 0; j < 40; j++) {
			op = test_disk_choose(disk);
			test_disk_run(disk, &op);
		}
		block_close(disk->block);
		free(disk);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(lies_are_found_out),
		TEST(readers_do_not_mark_the_image),
		TEST(zero_clusters_are_not_of_version_2),
		TEST(freeing_the_free_is_corruption),
		TEST(all_refcounts_at_their_limit),
		TEST(random_tables_do_no_harm),
	};

	/* What becomes of corrupt images is said there; not news here. */
	stderr = fopen("/dev/null", "w");
	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

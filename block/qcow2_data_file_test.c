/*
 * block/qcow2_data_file_test.c - external data files: which file is opened,
 * who else may have it, what must lie where.
 */
#include <errno.h>
#include <fcntl.h>

#include "block/test_check.h"
#include "block/test_disk.h"
#include "block/test_host.h"

#define L2_TABLE 0x4000 /* clusters of 4 KiB; behind the L1 table */

static void make_file(const char *path, const void *data, size_t length)
{
	FILE *file = fopen(path, "w");

	REQUIRE(file);
	CHECK_EQUAL(fwrite(data, 1, length, file), length);
	fclose(file);
}

/* "image", which says that its data is in "secret"; and some files. */
static void make_image(bool raw)
{
	struct qcow2_create_options create = TEST_CREATE(MIB, 12, 3, 4, 0);
	struct file *file;

	create.data_file = "secret";
	create.data_file_raw = raw;
	file = test_image_new(&create);
	make_file("image", file_memory_data(file), file_size(file));
	file_close(file);
	make_file("secret", "secret", 6);
	make_file("data", "", 0);
}

static int open_with(const char *data_file, bool read_only,
		     struct block **ret_block, struct err *err)
{
	struct block_options options = {
		.path = "image",
		.data_file = data_file,
		.read_only = read_only,
	};

	err->text[0] = '\0';
	return block_open(&options, ret_block, err);
}

static void only_the_named_file_is_opened(void)
{
	struct block *block;
	struct err err;

	make_image(false);
	CHECK_EQUAL(open_with(NULL, false, &block, &err), -EACCES);
	CHECK(strstr(err.text, "\"secret\"; it is opened only if "
			       "\"data-file=FILE\" names it"));
	CHECK_EQUAL(open_with("none", false, &block, &err), -ENOENT);
	CHECK(strstr(err.text, "cannot open none"));
	REQUIRE(!open_with("data", false, &block, &err));
	CHECK_EQUAL(block_close(block), 0);
}

static void it_is_locked_like_the_image(void)
{
	struct block *block, *other;
	struct err err;

	make_image(false);
	REQUIRE(!open_with("data", false, &block, &err));
	make_file("image2", "", 0);
	CHECK(!test_shell("cp image image2"));
	CHECK_EQUAL(block_open(&(struct block_options){.path = "image2",
						       .data_file = "data"},
			       &other, &err),
		    -EBUSY);
	CHECK(strstr(err.text, "data is in use"));
	CHECK_EQUAL(block_close(block), 0);
	/* And it cannot be the image. */
	CHECK_EQUAL(open_with("image", false, &block, &err), -EBUSY);
}

static void others_have_no_data_file(void)
{
	struct qcow2_create_options create = TEST_CREATE(MIB, 12, 3, 4, 0);
	struct block_options raw = {
		.path = "secret",
		.format = BLOCK_RAW,
		.data_file = "data",
	};
	struct file *file = test_image_new(&create);
	struct block *block;
	struct err err;

	make_image(false);
	make_file("image", file_memory_data(file), file_size(file));
	file_close(file);
	CHECK_EQUAL(open_with("data", false, &block, &err), -EINVAL);
	CHECK(strstr(err.text, "keeps its data in itself"));
	CHECK_EQUAL(block_open(&raw, &block, &err), -EINVAL);
	CHECK(strstr(err.text, "raw disk"));
}

static struct test_disk *open_memory(struct file *file, struct file *data)
{
	return test_disk_new(test_image_open_data(file, 0, NULL, data), 1);
}

static void run(struct test_disk *disk, enum test_action action, uint64_t first,
		uint64_t count, uint64_t value)
{
	struct test_op op = {action, first, count, value, 0, 0, 0};

	test_disk_run(disk, &op);
	CHECK_EQUAL(op.ret, 0);
}

static void data_lies_at_its_guest_offset(void)
{
	struct qcow2_create_options create = TEST_CREATE(MIB, 12, 3, 4, 0);
	struct file *file, *data = file_memory_new(NULL, 0);
	struct test_disk *disk;

	create.data_file = "data";
	file = test_image_new(&create);
	disk = open_memory(file, data);
	run(disk, TEST_WRITE, 1001, 3, 5);
	CHECK_EQUAL(test_sector_value(file_memory_data(data) + 1001 * 512), 5);
	run(disk, TEST_WRITE, 0, 1, 6);
	CHECK_EQUAL(test_sector_value(file_memory_data(data)), 6);
	run(disk, TEST_UNMAP, 1000, 8, 0);
	CHECK_EQUAL(test_sector_value(file_memory_data(data) + 1001 * 512), 0);
	CHECK_EQUAL(block_write_compressed(disk->block, 0, data, 100),
		    -ENOTSUP);
	test_disk_compare(disk, 0, disk->sectors);
	block_close(disk->block);
	free(disk);
}

/* Entries that a hostile image may have; of guest cluster 0. */
static void other_offsets_are_corruption(void)
{
	static const struct {
		uint64_t entry;
		int ret;
	} cases[] = {
		{QCOW2_COPIED, 0},	{0, 0},
		{QCOW2_ZERO_FLAG, 0},	{QCOW2_COPIED | 0x1000, -EUCLEAN},
		{0x1000, -EUCLEAN},	{QCOW2_COPIED | 0x200, -EUCLEAN},
		{1ULL << 62, -EUCLEAN},
	};
	struct qcow2_create_options create = TEST_CREATE(MIB, 12, 3, 4, 0);
	struct file *whole, *file, *data = file_memory_new(NULL, 0);
	uint8_t sector[BLOCK_SECTOR] = {0};
	struct iovec iov = {sector, sizeof(sector)};
	struct test_disk *disk;
	struct block *block;
	be64 entry;

	create.data_file = "data";
	whole = test_image_new(&create);
	disk = open_memory(whole, data);
	run(disk, TEST_WRITE, 0, 8, 5);
	run(disk, TEST_FLUSH, 0, 0, 0);
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		file = file_memory_new(file_memory_data(whole),
				       file_size(whole));
		entry = be64_make(cases[i].entry);
		file_write(file, &entry, sizeof(entry), L2_TABLE);
		block = block_new(
			test_image_open_data(file, 0, NULL,
					     file_memory_new(NULL, 0)));
		CHECK_EQUAL(block_read(block, 0, &iov, 1), cases[i].ret);
		CHECK_EQUAL(block_write(block, 0, &iov, 1), cases[i].ret);
		block_close(block);
		if (test_failed)
			printf("# entry %#llx\n",
			       (unsigned long long)cases[i].entry);
	}
	block_close(disk->block);
	free(disk);
}

/* That the data file is raw stays true, whatever else the bits vouch for. */
static void raw_is_kept_by_writers(void)
{
	struct block *block;
	struct err err;
	be64 bits = be64_make(QCOW2_BITMAPS | QCOW2_DATA_FILE_RAW);
	int fd;

	make_image(true);
	fd = open("image", O_RDWR | O_CLOEXEC);
	CHECK_EQUAL(pwrite(fd, &bits, sizeof(bits), 88), sizeof(bits));
	REQUIRE(!open_with("data", false, &block, &err));
	CHECK_EQUAL(pread(fd, &bits, sizeof(bits), 88), sizeof(bits));
	CHECK_EQUAL(be64_get(bits), QCOW2_DATA_FILE_RAW);
	CHECK_EQUAL(block_close(block), 0);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(only_the_named_file_is_opened),
		TEST(it_is_locked_like_the_image),
		TEST(others_have_no_data_file),
		TEST(data_lies_at_its_guest_offset),
		TEST(other_offsets_are_corruption),
		TEST(raw_is_kept_by_writers),
	};

	/* What becomes of corrupt images is said there; not news here. */
	stderr = fopen("/dev/null", "w");
	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}

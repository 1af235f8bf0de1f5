/*
 * block/file_test.c - host files: what is opened, who is kept out, and
 * O_DIRECT with requests of any alignment.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "block/test_disk.h"
#include "block/test_host.h"
#include "block/test_recorder.h"

static const struct file_options reader = {.read_only = true};
static const struct file_options writer = {.read_only = false};

static int open_file(const char *path, const struct file_options *options,
		     struct file **ret_file)
{
	struct err err;

	return file_open(path, options, ret_file, &err);
}

static void only_files_are_opened(void)
{
	struct file *file;

	REQUIRE(!mkfifo("fifo", 0600));
	CHECK_EQUAL(open_file("fifo", &reader, &file), -EINVAL);
	CHECK_EQUAL(open_file("/dev/null", &reader, &file), -EINVAL);
	CHECK_EQUAL(open_file(".", &reader, &file), -EINVAL);
	CHECK_EQUAL(open_file("absent", &reader, &file), -ENOENT);
}

static void writers_exclude_everybody(void)
{
	struct file *first, *second;

	REQUIRE(!test_shell("truncate -s 1M disk"));
	REQUIRE(!open_file("disk", &writer, &first));
	CHECK_EQUAL(open_file("disk", &writer, &second), -EBUSY);
	CHECK_EQUAL(open_file("disk", &reader, &second), -EBUSY);
	file_close(first);

	REQUIRE(!open_file("disk", &reader, &first));
	CHECK_EQUAL(open_file("disk", &writer, &second), -EBUSY);
	if (CHECK(!open_file("disk", &reader, &second)))
		file_close(second);
	file_close(first);

	if (CHECK(!open_file("disk", &writer, &first)))
		file_close(first);
}

static void qemu_is_excluded(void)
{
	struct file *file;

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	REQUIRE(!test_shell("qemu-img create -f qcow2 image 1M"));
	REQUIRE(!open_file("image", &writer, &file));
	CHECK(test_shell("qemu-io -f qcow2 -c 'write 0 512' image"));
	CHECK(test_shell("qemu-io -f raw -c 'write 0 512' image"));
	CHECK(test_shell("qemu-io -r -f qcow2 -c 'read 0 512' image"));
	CHECK(test_shell("qemu-img info -f qcow2 image"));
	file_close(file);

	REQUIRE(!open_file("image", &reader, &file));
	CHECK(test_shell("qemu-io -f qcow2 -c 'write 0 512' image"));
	CHECK(!test_shell("qemu-io -r -f qcow2 -c 'read 0 512' image"));
	file_close(file);
	CHECK(!test_shell("qemu-io -f qcow2 -c 'write 0 512' image"));
}

/* What opening the image gives while qemu-io has it open. */
static int open_while_qemu(const char *flags, const struct file_options *how)
{
	char command[256], answer[256];
	struct file *file;
	FILE *qemu;
	int ret;

	snprintf(command, sizeof(command),
		 "exec stdbuf -oL qemu-io %s -f qcow2 -c 'read 0 512' "
		 "-c 'sleep 300' image",
		 flags);
	qemu = popen(command, "r");
	/* It answers when it has its locks. */
	if (!qemu || !fgets(answer, sizeof(answer), qemu))
		return 1;
	ret = open_file("image", how, &file);
	if (!ret)
		file_close(file);
	pclose(qemu);
	return ret;
}

static void qemu_excludes_us(void)
{
	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	REQUIRE(!test_shell("qemu-img create -f qcow2 image 1M"));
	CHECK_EQUAL(open_while_qemu("", &writer), -EBUSY);
	CHECK_EQUAL(open_while_qemu("", &reader), -EBUSY);
	CHECK_EQUAL(open_while_qemu("-r", &writer), -EBUSY);
	CHECK_EQUAL(open_while_qemu("-r", &reader), 0);
}

static void nameless_files_are_nameless(void)
{
	struct file *file;
	uint8_t byte = 1;

	setenv("TMPDIR", ".", 1);
	REQUIRE(!file_open_nameless(&file, NULL));
	CHECK_EQUAL(file_size(file), 0);
	CHECK_EQUAL(file_write(file, &byte, 1, 99), 0);
	CHECK_EQUAL(file_size(file), 100);
	CHECK(!test_shell("test -z \"$(ls | grep alcor)\""));
	file_close(file);
}

static void failed_flushes_stick(void)
{
	struct test_recorder *recorder =
		test_recorder_new(file_memory_new(NULL, 0));

	recorder->fail_first = 1;
	recorder->fail_end = 2;
	CHECK_EQUAL(file_flush(&recorder->file), 0);
	CHECK_EQUAL(file_flush(&recorder->file), -EIO);
	CHECK_EQUAL(file_flush(&recorder->file), -EIO);
	file_close(&recorder->file);
}

/* Random requests of any alignment, compared with memory. */
static void direct_requests_of_any_alignment(void)
{
	struct file_options options = {.direct = true};
	static uint8_t model[256 * 1024], buffer[256 * 1024];
	struct test_random random = {1};
	struct file *file;
	uint64_t offset, length;
	int ret;

	REQUIRE(!test_shell("truncate -s 256K direct"));
	ret = open_file("direct", &options, &file);
	if (ret == -EINVAL)
		TEST_SKIP("this file system has no O_DIRECT");
	REQUIRE(!ret);
	for (unsigned int i = 0; i < 300 && !test_failed; i++) {
		offset = test_below(&random, sizeof(model));
		length = 1 + test_below(&random, sizeof(model) - offset);
		if (i % 3)
			length = min_u64(length, 6000);
		if (i % 2) {
			memset(model + offset, (int)i, length);
			CHECK(!file_write(file, model + offset, length,
					  offset));
		} else {
			CHECK(!file_read(file, buffer, length, offset));
			CHECK(!memcmp(buffer, model + offset, length));
		}
	}
	file_close(file);
}

/* The same with all that qcow2 does, and its tables of any length. */
static void direct_images(void)
{
	struct block_options options = {
		.path = "direct-image",
		.cache = BLOCK_DIRECT,
	};
	struct test_disk *disk;
	struct block *block;
	struct test_op op;
	int ret;

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	REQUIRE(!test_shell("qemu-img create -f qcow2 -o cluster_size=1k "
			    "direct-image 2M"));
	ret = block_open(&options, &block, NULL);
	if (ret == -EINVAL)
		TEST_SKIP("this file system has no O_DIRECT");
	REQUIRE(!ret);
	disk = calloc(1, sizeof(*disk));
	disk->block = block;
	disk->sectors = block_size(disk->block) / BLOCK_SECTOR;
	for (unsigned int i = 0; i < 60 && !test_failed; i++) {
		op = test_disk_choose(disk);
		test_disk_run(disk, &op);
		CHECK_EQUAL(op.ret, 0);
		if (op.action == TEST_DISCARD)
			test_disk_adopt(disk, &op);
	}
	test_disk_compare(disk, 0, disk->sectors);
	CHECK_EQUAL(block_close(disk->block), 0);
	free(disk);
	CHECK_EQUAL(test_shell("qemu-img check direct-image"), 0);
}

static void raw_sizes_are_rounded_up(void)
{
	struct block_options options = {.path = "odd", .format = BLOCK_RAW};
	uint8_t sector[BLOCK_SECTOR];
	struct iovec iov = {sector, sizeof(sector)};
	struct block *block;

	REQUIRE(!test_shell("yes | head -c 1000 > odd"));
	REQUIRE(!block_open(&options, &block, NULL));
	CHECK_EQUAL(block_size(block), 1024);
	CHECK_EQUAL(block_read(block, 512, &iov, 1), 0);
	CHECK_EQUAL(sector[487], '\n');
	CHECK_EQUAL(sector[488], 0);
	memset(sector, 'x', sizeof(sector));
	CHECK_EQUAL(block_write(block, 512, &iov, 1), 0);
	CHECK_EQUAL(block_write_zeroes(block, 0, 512, true), 0);
	CHECK_EQUAL(block_flush(block), 0);
	CHECK_EQUAL(block_close(block), 0);
	CHECK(!test_shell("test $(stat -c %%s odd) = 1024"));
	CHECK(!test_shell("test \"$(tail -c 600 odd | tr -d '\\0')\" = "
			  "$(yes | head -c 1024 | tr -d '\\n' | tr y x)"));
}

static void holes_are_known(void)
{
	struct file *file;

	REQUIRE(!test_shell("rm -f disk; truncate -s 16M disk && "
			    "printf x | dd of=disk bs=1M seek=4 conv=notrunc"));
	REQUIRE(!open_file("disk", &reader, &file));
	if (file_find_data(file, 0, 16 * MIB) == 0) {
		file_close(file);
		TEST_SKIP("the file system does not tell of holes");
	}
	CHECK_EQUAL(file_find_data(file, 0, 16 * MIB), 4 * MIB);
	CHECK_EQUAL(file_find_data(file, 4 * MIB, 16 * MIB), 4 * MIB);
	CHECK_EQUAL(file_find_data(file, 0, 3 * MIB), 3 * MIB);
	CHECK_EQUAL(file_find_data(file, 8 * MIB, 16 * MIB), 16 * MIB);
	CHECK_EQUAL(file_find_data(file, 16 * MIB, 20 * MIB), 20 * MIB);
	CHECK(file_allocated(file) > 0);
	CHECK(file_allocated(file) <= 4 * MIB);
	file_close(file);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(only_files_are_opened),
		TEST(writers_exclude_everybody),
		TEST(qemu_is_excluded),
		TEST(qemu_excludes_us),
		TEST(nameless_files_are_nameless),
		TEST(failed_flushes_stick),
		TEST(direct_requests_of_any_alignment),
		TEST(direct_images),
		TEST(raw_sizes_are_rounded_up),
		TEST(holes_are_known),
	};

	return test_main_on_disk(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * block/chain_test.c - which backing files are opened, which are refused and
 * why, and overlays.
 */
#include <errno.h>
#include <sys/stat.h>

#include "block/file_host.h"
#include "block/test_disk.h"
#include "block/test_host.h"

/* Makes an image that names a backing file, as any program might. */
static void make_image(const char *path, const char *backing,
		       const char *format)
{
	struct qcow2_create_options create = TEST_CREATE(MIB, 16, 3, 4, 0);
	struct file *file = test_image_new(&create);
	uint32_t format_length = (uint32_t)strlen(format);
	struct {
		be32 type, length;
		char format[32];
	} extension = {be32_make(0xe2792aca), be32_make(format_length), ""};
	be64 offset = be64_make(512);
	be32 length = be32_make((uint32_t)strlen(backing));
	FILE *image = fopen(path, "w");

	if (*backing) {
		file_write(file, &offset, sizeof(offset), 8);
		file_write(file, &length, sizeof(length), 16);
		file_write(file, backing, strlen(backing), 512);
	}
	memcpy(extension.format, format, format_length);
	if (*format)
		file_write(file, &extension, sizeof(extension), 112);
	fwrite(file_memory_data(file), 1, file_size(file), image);
	fclose(image);
	file_close(file);
}

static int try_open(const char *path, enum block_backing backing,
		    const char *sentence)
{
	struct block_options options = {
		.path = path,
		.backing = backing,
	};
	struct err err = {""};
	struct block *block;
	int ret = block_open(&options, &block, &err);

	if (ret && !CHECK(strstr(err.text, sentence)))
		printf("# \"%s\"\n", err.text);
	return ret ? ret : block_close(block);
}

struct name_case {
	const char *name, *format;
	int near, on, off;
	const char *sentence;
};

/* In the folder "images", with "secret" beside it. */
static const struct name_case names[] = {
	{"base", "raw", 0, 0, -EACCES, "\"backing=off\""},
	{"sub/base", "raw", 0, 0, -EACCES, ""},
	{"sub/../base", "raw", 0, 0, -EACCES, ""},
	{"link-inside", "raw", 0, 0, -EACCES, ""},
	{"base", "qcow2", -EINVAL, -EINVAL, -EACCES, ""},
	{"base", "", -EINVAL, -EINVAL, -EACCES, ""},
	{"base", "vmdk", -ENOTSUP, -ENOTSUP, -EACCES, ""},
	{"base", "a-very-long-format-name", -ENOTSUP, -ENOTSUP, -EACCES, ""},
	{"../secret", "raw", -EACCES, 0, -EACCES, ""},
	{"link-outside", "raw", -EACCES, 0, -EACCES, ""},
	{"folder-outside/secret", "raw", -EACCES, 0, -EACCES, ""},
	{"/etc/passwd", "raw", -EACCES, 0, -EACCES, ""},
	{"../images-too/base", "raw", -EACCES, 0, -EACCES, ""},
	{"absent", "raw", -ENOENT, -ENOENT, -EACCES, ""},
	{"/dev/null", "raw", -EACCES, -EINVAL, -EACCES, ""},
	{"sub", "raw", -EINVAL, -EINVAL, -EACCES, ""},
	{"fifo", "raw", -EINVAL, -EINVAL, -EACCES, ""},
	{"nbd:unix:/run/x", "raw", -EACCES, -EACCES, -EACCES, ""},
	{"json:{\"driver\":\"file\"}", "raw", -EACCES, -EACCES, -EACCES, ""},
	{"file:base", "raw", -EACCES, -EACCES, -EACCES, ""},
	{"fat:rw:/tmp", "raw", -EACCES, -EACCES, -EACCES, ""},
};

static void make_folders(void)
{
	CHECK(!test_shell("mkdir -p images/sub images-too && "
			  "truncate -s 64K images/base images/sub/base "
			  "images-too/base secret && cd images && "
			  "ln -sf base link-inside && "
			  "ln -sf ../secret link-outside && "
			  "ln -sfn .. folder-outside && "
			  "{ test -p fifo || mkfifo fifo; }"));
}

static void names_are_judged_by_the_policy(void)
{
	make_folders();
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		make_image("images/top", names[i].name, names[i].format);
		CHECK_EQUAL(try_open("images/top", BLOCK_BACKING_NEAR, ""),
			    names[i].near);
		CHECK_EQUAL(try_open("images/top", BLOCK_BACKING_ON, ""),
			    names[i].on);
		CHECK_EQUAL(try_open("images/top", BLOCK_BACKING_OFF,
				     names[i].sentence),
			    names[i].off);
		if (test_failed) {
			printf("# case \"%s\"\n", names[i].name);
			break;
		}
	}
}

static void sentences_help(void)
{
	make_folders();
	make_image("images/top", "../secret", "raw");
	try_open("images/top", BLOCK_BACKING_NEAR, "\"backing=on\"");
	make_image("images/top", "base", "");
	try_open("images/top", BLOCK_BACKING_NEAR, "qemu-img rebase");
	make_image("images/top", "nbd:x", "raw");
	try_open("images/top", BLOCK_BACKING_ON, "plain file name");
}

static void names_of_the_near_are_absolute_or_not(void)
{
	char folder[256], name[512];

	REQUIRE(getcwd(folder, sizeof(folder)));
	make_folders();
	snprintf(name, sizeof(name), "%s/images/base", folder);
	make_image("images/top", name, "raw");
	CHECK_EQUAL(try_open("images/top", BLOCK_BACKING_NEAR, ""), 0);
	/* Without a folder in the image's own path. */
	make_image("top", "images/base", "raw");
	CHECK_EQUAL(try_open("top", BLOCK_BACKING_NEAR, ""), 0);
}

static void chains_end(void)
{
	char above[16], below[16];

	make_image("a", "b", "qcow2");
	make_image("b", "c", "qcow2");
	make_image("c", "b", "qcow2");
	CHECK_EQUAL(try_open("a", BLOCK_BACKING_NEAR, "of itself"), -ELOOP);
	/* Its own writer keeps the reader out. */
	make_image("a", "a", "qcow2");
	CHECK_EQUAL(try_open("a", BLOCK_BACKING_NEAR, "in use"), -EBUSY);

	make_image("i0", "", "");
	for (unsigned int i = 1; i < 17; i++) {
		snprintf(below, sizeof(below), "i%u", i - 1);
		snprintf(above, sizeof(above), "i%u", i);
		make_image(above, below, "qcow2");
	}
	CHECK_EQUAL(try_open("i15", BLOCK_BACKING_NEAR, ""), 0);
	CHECK_EQUAL(try_open("i16", BLOCK_BACKING_NEAR, "more than 15"),
		    -ELOOP);
}

static void failed_opens_write_nothing(void)
{
	const uint8_t bits[8] = {1};
	FILE *image;

	make_image("a", "absent", "raw");
	image = fopen("a", "r+");
	fseek(image, 88, SEEK_SET);
	fwrite(bits, sizeof(bits), 1, image);
	fclose(image);
	REQUIRE(!test_shell("cp a a.before"));
	CHECK_EQUAL(try_open("a", BLOCK_BACKING_NEAR, "absent"), -ENOENT);
	CHECK(!test_shell("cmp a a.before"));
}

static struct block *open_snapshot(const char *path, enum block_format format,
				   bool read_only)
{
	struct block_options options = {
		.path = path,
		.format = format,
		.snapshot = true,
		.read_only = read_only,
	};
	struct err err = {""};
	struct block *block = NULL;

	if (block_open(&options, &block, &err))
		printf("# %s\n", err.text);
	return block;
}

static void overlays_leave_the_image_alone(void)
{
	static const char *const paths[] = {"image", "disk"};
	uint8_t sector[BLOCK_SECTOR];
	struct iovec iov = {sector, sizeof(sector)};
	struct block *block, *other;

	setenv("TMPDIR", ".", 1);
	make_image("image", "", "");
	REQUIRE(!test_shell("yes | head -c 1000000 > disk"));
	REQUIRE(!test_shell("cp disk disk.before && cp image image.before"));
	for (unsigned int i = 0; i < 2; i++) {
		block = open_snapshot(paths[i], i ? BLOCK_RAW : BLOCK_QCOW2,
				      false);
		other = open_snapshot(paths[i], i ? BLOCK_RAW : BLOCK_QCOW2,
				      false);
		REQUIRE(block && other);
		CHECK(!block_is_read_only(block));
		memset(sector, 7, sizeof(sector));
		CHECK_EQUAL(block_write(block, 4096, &iov, 1), 0);
		CHECK_EQUAL(block_flush(block), 0);
		CHECK_EQUAL(block_read(other, 4096, &iov, 1), 0);
		CHECK(sector[0] != 7);
		CHECK_EQUAL(block_read(block, 4096, &iov, 1), 0);
		CHECK(sector[0] == 7);
		block_close(block);
		block_close(other);
	}
	CHECK(!test_shell("cmp disk disk.before && cmp image image.before"));
	CHECK(!test_shell("test -z \"$(ls -A | grep alcor-)\""));
}

static void read_only_disks_are_not_written(void)
{
	uint8_t sector[BLOCK_SECTOR] = {0};
	struct iovec iov = {sector, sizeof(sector)};
	struct block *block;

	make_image("image", "", "");
	block = open_snapshot("image", BLOCK_QCOW2, true);
	REQUIRE(block);
	CHECK(block_is_read_only(block));
	CHECK_EQUAL(block_write(block, 0, &iov, 1), -EROFS);
	CHECK_EQUAL(block_discard(block, 0, 512), -EROFS);
	CHECK_EQUAL(block_write_zeroes(block, 0, 512, false), -EROFS);
	CHECK_EQUAL(block_flush(block), 0);
	CHECK_EQUAL(block_close(block), 0);
}

/* A raw disk may begin like anything. */
static void raw_disks_are_not_probed(void)
{
	struct block_options options = {.path = "image", .format = BLOCK_RAW};
	uint8_t sector[BLOCK_SECTOR];
	struct iovec iov = {sector, sizeof(sector)};
	struct block *block;

	make_image("image", "/etc/passwd", "raw");
	REQUIRE(!block_open(&options, &block, NULL));
	CHECK_EQUAL(block_read(block, 0, &iov, 1), 0);
	CHECK(!memcmp(sector, "QFI\xfb", 4));
	CHECK_EQUAL(block_close(block), 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(names_are_judged_by_the_policy),
		TEST(sentences_help),
		TEST(names_of_the_near_are_absolute_or_not),
		TEST(chains_end),
		TEST(failed_opens_write_nothing),
		TEST(overlays_leave_the_image_alone),
		TEST(read_only_disks_are_not_written),
		TEST(raw_disks_are_not_probed),
	};

	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}

/* vmm/disk_options_test.c - --disk's keys, right, wrong and misspelt. */
#include <errno.h>

#include "base/math.h"
#include "base/test.h"
#include "vmm/options.h"

#define TEXT_MAX 128

/* The parser cuts its text up; what @disk refers to lives in @buffer. */
static int parse(const char *text, char buffer[TEXT_MAX],
		 struct disk_options *disk, struct err *err)
{
	snprintf(buffer, TEXT_MAX, "%s", text);
	return disk_options_parse(disk, buffer, err);
}

static void check_refused(const char *text, int code, const char *sentence)
{
	struct disk_options disk;
	struct err err = {""};
	char buffer[TEXT_MAX];

	CHECK_EQUAL(parse(text, buffer, &disk, &err), -code);
	CHECK_TEXT(err.text, sentence);
}

static void a_name_is_enough(void)
{
	struct disk_options disk;
	char buffer[TEXT_MAX];

	CHECK_EQUAL(parse("dir/a=b.qcow2", buffer, &disk, NULL), 0);
	CHECK_TEXT(disk.block.path, "dir/a=b.qcow2");
	CHECK_EQUAL(disk.block.format, BLOCK_QCOW2);
	CHECK_EQUAL(disk.block.cache, BLOCK_WRITEBACK);
	CHECK_EQUAL(disk.block.backing, BLOCK_BACKING_NEAR);
	CHECK_EQUAL(disk.block.l2_cache_size, 0);
	CHECK(!disk.block.read_only && !disk.block.snapshot);
	CHECK_EQUAL(disk.queues, 0);
	CHECK(!disk.serial);
}

static void every_key_is_taken(void)
{
	struct disk_options disk;
	char buffer[TEXT_MAX];

	CHECK_EQUAL(parse("a,format=raw,ro,queues=4,cache=none,l2-cache=4M,"
			  "serial=disk 7,backing=off",
			  buffer, &disk, NULL),
		    0);
	CHECK_TEXT(disk.block.path, "a");
	CHECK_EQUAL(disk.block.format, BLOCK_RAW);
	CHECK_EQUAL(disk.block.cache, BLOCK_DIRECT);
	CHECK_EQUAL(disk.block.backing, BLOCK_BACKING_OFF);
	CHECK_EQUAL(disk.block.l2_cache_size, 4 * MIB);
	CHECK(disk.block.read_only);
	CHECK_EQUAL(disk.queues, 4);
	CHECK_TEXT(disk.serial, "disk 7");

	CHECK_EQUAL(parse("a,snapshot,backing=on,format=qcow2,cache=writeback,"
			  "data-file=b=c",
			  buffer, &disk, NULL),
		    0);
	CHECK_TEXT(disk.block.data_file, "b=c");
	CHECK(disk.block.snapshot);
	CHECK_EQUAL(disk.block.backing, BLOCK_BACKING_ON);
	CHECK_EQUAL(parse("a,,b,,,ro", buffer, &disk, NULL), 0);
	CHECK_TEXT(disk.block.path, "a,b,");
	CHECK(disk.block.read_only);
	CHECK_EQUAL(parse("a,,b,ro", buffer, &disk, NULL), 0);
	CHECK_TEXT(disk.block.path, "a,b");
	CHECK_EQUAL(parse("a,backing=off,backing=near", buffer, &disk, NULL),
		    0);
	CHECK_EQUAL(disk.block.backing, BLOCK_BACKING_NEAR);
}

static void a_name_is_needed(void)
{
	check_refused("", EINVAL, "--disk needs a file name");
	check_refused(",ro", EINVAL, "--disk needs a file name");
}

static void misspelt_keys_name_the_nearest(void)
{
	check_refused("a,fromat=raw", EINVAL,
		      "--disk a: unknown key fromat; did you mean format?");
	check_refused("a,queue=2", EINVAL,
		      "--disk a: unknown key queue; did you mean queues?");
	check_refused("a,readonly", EINVAL,
		      "--disk a: unknown key readonly; --help lists them");
	check_refused("a,", EINVAL,
		      "--disk a: unknown key ; --help lists them");
	check_refused("a,ro,,snapshot", EINVAL,
		      "--disk a: unknown key ; --help lists them");
}

static void wrong_values_name_the_right_ones(void)
{
	check_refused("a,format=vmdk", EINVAL,
		      "--disk a: format cannot be vmdk; it is one of qcow2, "
		      "raw");
	check_refused("a,format=", EINVAL,
		      "--disk a: format cannot be empty; it is one of qcow2, "
		      "raw");
	check_refused("a,cache=unsafe", EINVAL,
		      "--disk a: cache cannot be unsafe; it is one of "
		      "writeback, none");
	check_refused("a,backing=far", EINVAL,
		      "--disk a: backing cannot be far; it is one of near, on, "
		      "off");
}

static void numbers_have_limits(void)
{
	struct disk_options disk;
	char buffer[TEXT_MAX];

	CHECK_EQUAL(parse("a,queues=16", buffer, &disk, NULL), 0);
	check_refused("a,queues=17", EINVAL,
		      "--disk a: queues=17 is not a number from 1 to 16");
	check_refused("a,queues=0", EINVAL,
		      "--disk a: queues=0 is not a number from 1 to 16");
	check_refused("a,l2-cache=0", EINVAL,
		      "--disk a: l2-cache=0 is not a size such as 4M");
	check_refused("a,data-file=", EINVAL,
		      "--disk a: data-file= needs a file name");
	check_refused("a,l2-cache=big", EINVAL,
		      "--disk a: l2-cache=big is not a size such as 4M");
}

/* VIRTIO_BLK_ID_BYTES is 20; no NUL is needed. */
static void serials_have_twenty_characters(void)
{
	struct disk_options disk;
	char buffer[TEXT_MAX];

	CHECK_EQUAL(parse("a,serial=12345678901234567890", buffer, &disk, NULL),
		    0);
	CHECK_TEXT(disk.serial, "12345678901234567890");
	check_refused("a,serial=123456789012345678901", EINVAL,
		      "--disk a: serial=123456789012345678901 is longer than "
		      "20 characters");
}

static void values_must_be_where_they_belong(void)
{
	check_refused("a,ro=yes", EINVAL, "--disk a: ro takes no value");
	check_refused("a,snapshot=", EINVAL,
		      "--disk a: snapshot takes no value");
	check_refused("a,format", EINVAL, "--disk a: format needs a value");
	check_refused("a,queues", EINVAL, "--disk a: queues needs a value");
}

static void ro_and_snapshot_exclude_each_other(void)
{
	check_refused("a,ro,snapshot", EINVAL,
		      "--disk a: ro and snapshot exclude each other");
	check_refused("a,snapshot,format=raw,ro", EINVAL,
		      "--disk a: ro and snapshot exclude each other");
}

static void old_states_are_read_only(void)
{
	struct disk_options disk;
	char buffer[TEXT_MAX];

	CHECK_EQUAL(parse("a,snapshot-id=before", buffer, &disk, NULL), 0);
	CHECK_TEXT(disk.block.snapshot_id, "before");
	CHECK(disk.block.read_only);
	CHECK_EQUAL(parse("a,snapshot-id=1,snapshot", buffer, &disk, NULL), 0);
	CHECK(!disk.block.read_only);
	check_refused("a,snapshot-id=", EINVAL,
		      "--disk a: snapshot-id= needs an id or name");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(a_name_is_enough),
		TEST(every_key_is_taken),
		TEST(a_name_is_needed),
		TEST(misspelt_keys_name_the_nearest),
		TEST(wrong_values_name_the_right_ones),
		TEST(numbers_have_limits),
		TEST(serials_have_twenty_characters),
		TEST(values_must_be_where_they_belong),
		TEST(ro_and_snapshot_exclude_each_other),
		TEST(old_states_are_read_only),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

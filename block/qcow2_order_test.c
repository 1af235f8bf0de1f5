/*
 * block/qcow2_order_test.c - what is on the disk before what, call by call.
 *
 * The power cuts of qcow2_crash_test.c see orders that go wrong often enough;
 * here are those that only matter if something fails in between.
 */
#include <errno.h>

#include "block/qcow2.h"
#include "block/qcow2_check.h"
#include "block/rebase.h"
#include "block/test_disk.h"
#include "block/test_recorder.h"

/* 64 refcounts of 64 bits a block, 64 blocks a table. */
static struct qcow2 *open_image(struct test_recorder **ret_recorder)
{
	struct qcow2_create_options create = TEST_CREATE(MIB, 9, 3, 6, 0);
	struct image *image;

	*ret_recorder = test_recorder_new(test_image_new(&create));
	image = test_image_open(&(*ret_recorder)->file, 0, NULL);
	(*ret_recorder)->keeps_log = true;
	return qcow2_of(image);
}

/* The place of the first write that covers @offset, or the log's end. */
static size_t find_write(const struct test_recorder *recorder, uint64_t offset)
{
	size_t i = 0;

	for (; i < recorder->log_length; i++)
		if (recorder->log[i].kind == TEST_LOG_WRITE &&
		    offset - recorder->log[i].offset < recorder->log[i].length)
			break;
	return i;
}

static bool is_flushed_between(const struct test_recorder *recorder,
			       size_t first, size_t second)
{
	for (size_t i = first; i < second; i++)
		if (recorder->log[i].kind == TEST_LOG_FLUSH)
			return true;
	return false;
}

static void check_order(const struct test_recorder *recorder, uint64_t first,
			uint64_t second)
{
	size_t a = find_write(recorder, first);
	size_t b = find_write(recorder, second);

	CHECK(a < b && b < recorder->log_length);
	CHECK(is_flushed_between(recorder, a, b));
}

static void blocks_come_before_pointers_to_them(void)
{
	struct test_recorder *recorder;
	struct qcow2 *qcow2 = open_image(&recorder);
	uint64_t cluster = 3 << qcow2->refblock_bits;

	CHECK_EQUAL(qcow2_refcount_cover(qcow2, cluster), 0);
	CHECK_EQUAL(qcow2_order_settle(qcow2), 0);
	check_order(recorder, cluster << 9,
		    qcow2->reftable.offset + 3 * sizeof(be64));
	image_close(&qcow2->image);
}

static void tables_come_before_the_header(void)
{
	struct test_recorder *recorder;
	struct qcow2 *qcow2 = open_image(&recorder);

	CHECK_EQUAL(qcow2_reftable_grow(qcow2), 0);
	CHECK_EQUAL(qcow2_order_settle(qcow2), 0);
	check_order(recorder, qcow2->reftable.offset,
		    offsetof(struct qcow2_header, refcount_table_offset));
	image_close(&qcow2->image);
}

static void l2_tables_come_before_l1(void)
{
	struct test_recorder *recorder;
	struct qcow2 *qcow2 = open_image(&recorder);
	struct qcow2_l2_slice slice = {0};

	CHECK_EQUAL(qcow2_l2_own(qcow2, 0, &slice), 0);
	CHECK_EQUAL(qcow2_order_settle(qcow2), 0);
	check_order(recorder, qcow2_l2_kind.locate(qcow2, slice.number),
		    qcow2->l1.offset);
	image_close(&qcow2->image);
}

/* What a dead writer left was seen to be right, but not flushed. */
static void all_comes_before_the_mark_that_it_is_clean(void)
{
	struct qcow2_check_options options = {
		.name = "test",
		.fix = QCOW2_FIX_ERRORS,
	};
	struct qcow2_create_options create = TEST_CREATE(MIB, 9, 3, 4, 0);
	struct test_recorder *recorder =
		test_recorder_new(test_image_new(&create));
	uint64_t features = offsetof(struct qcow2_header,
				     incompatible_features);
	be64 dirty = be64_make(QCOW2_DIRTY);
	struct qcow2_check_result result;

	file_write(recorder->below, &dirty, sizeof(dirty), features);
	recorder->keeps_log = true;
	file_write(&recorder->file, "", 1, MIB);
	CHECK_EQUAL(qcow2_check(&recorder->file, &options, &result, NULL), 0);
	check_order(recorder, MIB, features);
	file_close(&recorder->file);
}

/* Or nobody would know after a power cut. */
static void the_mark_that_it_is_corrupt_is_flushed(void)
{
	struct test_recorder *recorder;
	struct qcow2 *qcow2 = open_image(&recorder);

	CHECK_EQUAL(qcow2_corrupt(qcow2, "test"), -EUCLEAN);
	CHECK_EQUAL(recorder->log_length, 2);
	CHECK_EQUAL(recorder->log[1].kind, TEST_LOG_FLUSH);
	image_close(&qcow2->image);
}

static void the_size_of_a_raw_disk_is_flushed(void)
{
	struct image_options options = {.name = "test"};
	struct test_recorder *recorder =
		test_recorder_new(file_memory_new(NULL, 0));
	struct image *image;

	recorder->keeps_log = true;
	REQUIRE(!raw_open(&recorder->file, &options, &image, NULL));
	CHECK_EQUAL(image->ops->resize(image, MIB, NULL), 0);
	CHECK_EQUAL(recorder->log_length, 2);
	CHECK_EQUAL(recorder->log[0].kind, TEST_LOG_TRUNCATE);
	CHECK_EQUAL(recorder->log[1].kind, TEST_LOG_FLUSH);
	image_close(image);
}

/* Only then may another backing file be named. */
static void what_a_rebase_keeps_is_flushed(void)
{
	struct test_recorder *recorder;
	struct qcow2 *qcow2 = open_image(&recorder);

	qcow2->image.backing = test_backing_new(100);
	CHECK_EQUAL(rebase_image(&qcow2->image, NULL, NULL, NULL), 0);
	CHECK(find_write(recorder, qcow2->l1.offset) < recorder->log_length);
	CHECK_EQUAL(recorder->log[recorder->log_length - 1].kind,
		    TEST_LOG_FLUSH);
	image_close(&qcow2->image);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(blocks_come_before_pointers_to_them),
		TEST(tables_come_before_the_header),
		TEST(l2_tables_come_before_l1),
		TEST(all_comes_before_the_mark_that_it_is_clean),
		TEST(the_mark_that_it_is_corrupt_is_flushed),
		TEST(the_size_of_a_raw_disk_is_flushed),
		TEST(what_a_rebase_keeps_is_flushed),
	};

	/* What becomes of a corrupt image is said there; not news here. */
	stderr = fopen("/dev/null", "w");
	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

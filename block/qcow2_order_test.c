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
	CHECK_EQUAL(qcow2_flush(&qcow2->image), 0);
	check_order(recorder, cluster << 9,
		    qcow2->reftable.offset + 3 * sizeof(be64));
	image_close(&qcow2->image);
}

static void tables_come_before_the_header(void)
{
	struct test_recorder *recorder;
	struct qcow2 *qcow2 = open_image(&recorder);

	CHECK_EQUAL(qcow2_reftable_grow(qcow2), 0);
	CHECK_EQUAL(qcow2_flush(&qcow2->image), 0);
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
	qcow2_l2_set(qcow2, &slice, 0,
		     (struct qcow2_entry){QCOW2_ZERO_FLAG, 0});
	CHECK_EQUAL(qcow2_flush(&qcow2->image), 0);
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

/* The flushes of the file that one block_flush() takes. */
static unsigned int count_barriers(struct test_recorder *recorder,
				   struct block *block)
{
	size_t from = recorder->log_length;
	unsigned int count = 0;

	CHECK_EQUAL(block_flush(block), 0);
	for (size_t i = from; i < recorder->log_length; i++)
		count += recorder->log[i].kind == TEST_LOG_FLUSH;
	return count;
}

/* Clusters of 64 KiB, some of them between two flushes. */
static void write_some(struct block *block, unsigned int round)
{
	static uint8_t data[64 * KIB];
	struct iovec iov = {data, sizeof(data)};
	uint64_t start = (uint64_t)round * 8 * sizeof(data);

	for (unsigned int i = 0; i < 8; i++)
		CHECK(!block_write(block, start + i * sizeof(data), &iov, 1));
}

static void the_steady_state_takes_one_barrier(void)
{
	struct qcow2_create_options create = TEST_CREATE(64 * MIB, 16, 3, 4, 0);
	struct test_recorder *recorder =
		test_recorder_new(test_image_new(&create));
	struct block *block =
		block_new(test_image_open(&recorder->file, 0, NULL));

	recorder->keeps_log = true;
	write_some(block, 0);
	CHECK(count_barriers(recorder, block) > 1);
	for (unsigned int round = 1; round < 100; round++) {
		write_some(block, round);
		CHECK_EQUAL(count_barriers(recorder, block), 1);
	}
	/* In place. */
	write_some(block, 0);
	CHECK_EQUAL(count_barriers(recorder, block), 1);
	block_close(block);
}

/* Zeroes would show where the backing file's data was. */
static void data_over_data_comes_before_pointers_to_it(void)
{
	struct qcow2_create_options create = TEST_CREATE(8 * MIB, 16, 3, 4, 0);
	struct test_recorder *recorder =
		test_recorder_new(test_image_new(&create));
	struct image *backing = test_backing_new(8 * MIB / BLOCK_SECTOR);
	struct block *block =
		block_new(test_image_open(&recorder->file, 0, backing));

	recorder->keeps_log = true;
	for (unsigned int round = 0; round < 10; round++) {
		write_some(block, round);
		CHECK(count_barriers(recorder, block) > 1);
	}
	block_close(block);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(blocks_come_before_pointers_to_them),
		TEST(tables_come_before_the_header),
		TEST(l2_tables_come_before_l1),
		TEST(the_steady_state_takes_one_barrier),
		TEST(data_over_data_comes_before_pointers_to_it),
		TEST(all_comes_before_the_mark_that_it_is_clean),
		TEST(the_mark_that_it_is_corrupt_is_flushed),
		TEST(the_size_of_a_raw_disk_is_flushed),
		TEST(what_a_rebase_keeps_is_flushed),
	};

	/* What becomes of a corrupt image is said there; not news here. */
	stderr = fopen("/dev/null", "w");
	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

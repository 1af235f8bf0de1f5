/* block/part_test.c - what becomes of a part by what the kernel answers. */
#include "block/part.h"

#include <errno.h>

#include "base/math.h"
#include "base/test.h"

struct rig {
	struct file file;
	struct block_request request;
	struct part part;
	uint8_t memory[4096];
	struct iovec iov[2];
};

static void rig_init(struct rig *rig, enum block_operation operation)
{
	*rig = (struct rig){
		.file = {.alignment = 1},
		.request = {.operation = operation},
	};
	memset(rig->memory, 0xaa, sizeof(rig->memory));
	rig->iov[0] = (struct iovec){rig->memory, 1000};
	rig->iov[1] = (struct iovec){rig->memory + 1000, 3096};
	rig->part = (struct part){
		.request = &rig->request,
		.cursor = cursor_make(rig->iov, 2),
		.left = 4096,
		.disk_offset = 8192,
		.file = &rig->file,
		.host_offset = 65536,
	};
}

static void ends_where_all_was_moved(void)
{
	struct rig rig;

	rig_init(&rig, BLOCK_WRITE);
	CHECK_EQUAL(part_moved(&rig.part, 4096), PART_ENDED);
	CHECK_EQUAL(rig.part.result, 0);
	CHECK_EQUAL(rig.part.left, 0);
}

static void goes_on_after_less(void)
{
	struct rig rig;

	rig_init(&rig, BLOCK_READ);
	CHECK_EQUAL(part_moved(&rig.part, 1024), PART_MORE);
	CHECK_EQUAL(rig.part.left, 3072);
	CHECK_EQUAL(rig.part.disk_offset, 8192 + 1024);
	CHECK_EQUAL(rig.part.host_offset, 65536 + 1024);
	CHECK(rig.part.cursor.iov == &rig.iov[1]);
	CHECK_EQUAL(rig.part.cursor.skip, 24);
	CHECK_EQUAL(part_moved(&rig.part, 3072), PART_ENDED);
	CHECK_EQUAL(rig.part.result, 0);
}

static void the_end_of_the_file_is_zeroes(void)
{
	struct rig rig;

	rig_init(&rig, BLOCK_READ);
	CHECK_EQUAL(part_moved(&rig.part, 512), PART_MORE);
	CHECK_EQUAL(part_moved(&rig.part, 0), PART_ENDED);
	CHECK_EQUAL(rig.part.result, 0);
	CHECK_EQUAL(rig.memory[511], 0xaa);
	for (size_t i = 512; i < sizeof(rig.memory); i++)
		CHECK_EQUAL(rig.memory[i], 0);
}

static void a_write_of_nothing_fails(void)
{
	struct rig rig;

	rig_init(&rig, BLOCK_WRITE);
	CHECK_EQUAL(part_moved(&rig.part, 0), PART_ENDED);
	CHECK_EQUAL(rig.part.result, -EIO);
	CHECK_EQUAL(rig.memory[0], 0xaa);
}

static void errors_are_final(void)
{
	static const int errors[] = {-EIO, -ENOSPC, -EDQUOT, -EFBIG};
	struct rig rig;

	for (size_t i = 0; i < ARRAY_LENGTH(errors); i++) {
		rig_init(&rig, BLOCK_WRITE);
		CHECK_EQUAL(part_moved(&rig.part, errors[i]), PART_ENDED);
		CHECK_EQUAL(rig.part.result, errors[i]);
	}
}

static void what_was_asked_wrongly_is_refused(void)
{
	static const int errors[] = {-EAGAIN, -EINTR, -EINVAL, -EOPNOTSUPP};
	struct rig rig;

	for (size_t i = 0; i < ARRAY_LENGTH(errors); i++) {
		rig_init(&rig, BLOCK_READ);
		CHECK_EQUAL(part_moved(&rig.part, errors[i]), PART_REFUSED);
		CHECK_EQUAL(rig.part.left, 4096);
	}
}

/* Whoever goes on there does it from the start of the sector, or block. */
static void stops_within_a_sector(void)
{
	static const uint32_t alignments[] = {1, 512, 1024};
	struct rig rig;

	for (size_t i = 0; i < ARRAY_LENGTH(alignments); i++) {
		rig_init(&rig, BLOCK_READ);
		rig.file.alignment = alignments[i];
		CHECK_EQUAL(part_moved(&rig.part, 1024), PART_MORE);
		CHECK_EQUAL(part_moved(&rig.part, 2 * 1024 + 700),
			    PART_REFUSED);
		CHECK_EQUAL(rig.part.left, alignments[i] > 512 ? 1024 : 512);
		CHECK_EQUAL(rig.part.disk_offset + rig.part.left, 8192 + 4096);
		CHECK_EQUAL(rig.part.host_offset + rig.part.left, 65536 + 4096);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(ends_where_all_was_moved),
		TEST(goes_on_after_less),
		TEST(the_end_of_the_file_is_zeroes),
		TEST(a_write_of_nothing_fails),
		TEST(errors_are_final),
		TEST(what_was_asked_wrongly_is_refused),
		TEST(stops_within_a_sector),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

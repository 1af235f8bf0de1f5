/*
 * block/qcow2_erase_test.c - what the tables say after a discard or a
 * write-zeroes: holes, zero clusters or data.
 *
 * The disk has four clusters of 8 sectors; the backing file, where there is
 * one, has clusters of a sector, and data in sectors 2, 8 and 13.
 */
#include "block/test_disk.h"

#define CLUSTERS 4
#define SECTORS	 (CLUSTERS * 8)

struct erase_case {
	const char *what;
	bool backing, explicit_zeroes;
	uint64_t written; /* so many sectors, before */
	enum test_action action;
	uint64_t first, count; /* sectors */
	/* By cluster: none, Data, Zero, zero with Allocated space. */
	const char *clusters;
};

static const struct erase_case cases[] = {
	{"holes stay holes", false, false, 0, TEST_ZERO, 0, 16, "nnnn"},
	{"or are said", false, true, 0, TEST_ZERO, 0, 16, "ZZnn"},
	{"data keeps its space", false, false, 16, TEST_ZERO, 0, 8, "ADnn"},
	{"or gives it up", false, false, 16, TEST_UNMAP, 0, 8, "nDnn"},
	{"which may be said", false, true, 16, TEST_UNMAP, 0, 8, "ZDnn"},
	{"discarded", false, false, 16, TEST_DISCARD, 0, 8, "nDnn"},
	{"and said", false, true, 16, TEST_DISCARD, 0, 8, "ZDnn"},
	{"zeroes in data", false, false, 8, TEST_ZERO, 2, 4, "Dnnn"},
	{"zeroes in a hole", false, false, 0, TEST_ZERO, 2, 4, "nnnn"},
	{"said of all of it", false, true, 0, TEST_ZERO, 2, 4, "Znnn"},

	{"backing hidden", true, false, 0, TEST_ZERO, 0, 16, "ZZnn"},
	{"its zeroes, too", true, false, 0, TEST_ZERO, 16, 8, "nnZn"},
	{"its only data", true, false, 0, TEST_ZERO, 2, 1, "Znnn"},
	{"its only data, with more", true, false, 0, TEST_ZERO, 1, 4, "Znnn"},
	{"not all of its data", true, false, 0, TEST_ZERO, 8, 2, "nDnn"},
	{"zeroes beside data", true, false, 0, TEST_ZERO, 4, 2, "nnnn"},
	{"said of them", true, true, 0, TEST_ZERO, 4, 2, "Dnnn"},
	{"both ends", true, false, 0, TEST_ZERO, 1, 13, "ZZnn"},
	{"one end", true, false, 0, TEST_ZERO, 1, 8, "ZDnn"},
	{"not hidden by a discard", true, false, 0, TEST_DISCARD, 0, 8, "nnnn"},
	{"or hidden", true, true, 0, TEST_DISCARD, 0, 8, "Znnn"},
	{"data over backing", true, false, 8, TEST_DISCARD, 0, 8, "Znnn"},
};

static struct image *new_backing(void)
{
	struct qcow2_create_options create = TEST_CREATE(SECTORS * BLOCK_SECTOR,
							 9, 3, 4, 0);
	struct image *image = test_image_open(test_image_new(&create), 0, NULL);
	static const uint64_t data[] = {2, 8, 13};
	uint8_t sector[BLOCK_SECTOR];
	struct cursor from;

	for (size_t i = 0; i < ARRAY_LENGTH(data); i++) {
		test_fill(sector, 1, 100 + data[i]);
		from = cursor_make(&(struct iovec){sector, sizeof(sector)}, 1);
		CHECK_EQUAL(image_write(image, data[i] * BLOCK_SECTOR,
					BLOCK_SECTOR, &from),
			    0);
	}
	return image;
}

static char kind_of(struct image *image, uint64_t cluster)
{
	struct extent extent;

	CHECK_EQUAL(image_find(image, cluster * 4096, 4096, &extent), 0);
	if (extent.image != image)
		return 'n';
	CHECK_EQUAL(extent.length, 4096);
	if (extent.kind == BLOCK_EXTENT_DATA)
		return 'D';
	return extent.host_offset ? 'A' : 'Z';
}

static void run_case(const struct erase_case *c)
{
	struct qcow2_create_options create = TEST_CREATE(SECTORS * BLOCK_SECTOR,
							 12, 3, 4, 0);
	struct image *backing = c->backing ? new_backing() : NULL;
	struct image *image = test_image_open(test_image_new(&create), 0,
					      backing);
	struct test_disk *disk = test_disk_new(image, 1);
	struct test_op write = {TEST_WRITE, 0, c->written, 7, 0, 0, 0};
	struct test_op op = {c->action, c->first, c->count, 0, 0, 0, 0};
	char kinds[CLUSTERS + 1] = "";

	image->explicit_zeroes = c->explicit_zeroes;
	if (c->written)
		test_disk_run(disk, &write);
	test_disk_run(disk, &op);
	CHECK_EQUAL(op.ret, 0);
	if (c->action == TEST_DISCARD)
		test_disk_adopt(disk, &op);
	test_disk_compare(disk, 0, SECTORS);
	for (uint64_t i = 0; i < CLUSTERS; i++)
		kinds[i] = kind_of(image, i);
	if (!CHECK(!strcmp(kinds, c->clusters)))
		printf("# case \"%s\": %s, not %s\n", c->what, kinds,
		       c->clusters);
	block_close(disk->block);
	free(disk);
}

static void tables_say_no_more_than_they_must(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		run_case(&cases[i]);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(tables_say_no_more_than_they_must),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

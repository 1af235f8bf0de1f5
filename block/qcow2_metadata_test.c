/*
 * block/qcow2_metadata_test.c - the set of table clusters against a bitmap.
 */
#include <errno.h>

#include "block/qcow2.h"
#include "block/test_disk.h"

#define CLUSTERS 5000

static void the_set_is_a_set(void)
{
	struct qcow2_create_options create = TEST_CREATE(MIB, 12, 3, 4, 0);
	struct image *image = test_image_open(test_image_new(&create), 0, NULL);
	struct qcow2 *qcow2 = qcow2_of(image);
	static bool model[CLUSTERS];
	struct test_random random = {1};
	uint64_t cluster;

	for (unsigned int i = 0; i < 4; i++)
		model[i] = true; /* header, refcounts, L1 */
	for (unsigned int i = 0; i < 100000 && !test_failed; i++) {
		cluster = test_below(&random, CLUSTERS);
		CHECK_EQUAL(qcow2_metadata_overlaps(qcow2, cluster << 12, 1),
			    model[cluster]);
		if (model[cluster])
			qcow2_metadata_remove(qcow2, cluster);
		else
			CHECK_EQUAL(qcow2_metadata_claim(qcow2, cluster, 1), 0);
		model[cluster] = !model[cluster];
	}
	image_close(image);
}

static void ranges_overlap_by_a_byte(void)
{
	struct qcow2_create_options create = TEST_CREATE(MIB, 12, 3, 4, 0);
	struct image *image = test_image_open(test_image_new(&create), 0, NULL);
	struct qcow2 *qcow2 = qcow2_of(image);

	CHECK_EQUAL(qcow2_metadata_claim(qcow2, 100, 2), 0);
	CHECK(!qcow2_metadata_overlaps(qcow2, 99 << 12, 4096));
	CHECK(qcow2_metadata_overlaps(qcow2, 99 << 12, 4097));
	CHECK(qcow2_metadata_overlaps(qcow2, (102 << 12) - 1, 1));
	CHECK(!qcow2_metadata_overlaps(qcow2, 102 << 12, 1));
	/* What cannot be claimed as a whole is not claimed in part. */
	CHECK_EQUAL(qcow2_metadata_claim(qcow2, 98, 3), -EUCLEAN);
	CHECK(!qcow2_metadata_overlaps(qcow2, 98 << 12, 8192));
	image_close(image);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(the_set_is_a_set),
		TEST(ranges_overlap_by_a_byte),
	};

	stderr = fopen("/dev/null", "w");
	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * block/qcow2_write_compressed_test.c - compressed writes among others: each
 * cluster holds what was written last, and every reference is counted.
 */
#include <errno.h>

#include "block/qcow2_compress.h"
#include "block/test_check.h"
#include "block/test_disk.h"

#define CLUSTERS    64
#define CLUSTER_MAX 65536

struct packed_disk {
	struct file *file; /* owned by the image */
	struct block *block;
	enum qcow2_compression type;
	size_t cluster_size;
	uint64_t values[CLUSTERS]; /* what each cluster was filled from */
	struct test_random random;
};

static uint8_t cluster[CLUSTER_MAX], packed[CLUSTER_MAX];

/* Compresses to anything from a few bytes to most of a cluster; 0 is zeroes. */
static void fill(uint64_t value, size_t size)
{
	struct test_random random = {value};
	size_t noise = value ? value % size : 0;

	memset(cluster, value ? (int)(value % 250) + 1 : 0, size);
	for (size_t i = 0; i < noise; i += 2)
		cluster[i] = (uint8_t)test_random(&random);
}

static int write_plain(struct packed_disk *disk, uint64_t index)
{
	struct iovec iov = {cluster, disk->cluster_size};

	return block_write(disk->block, index * disk->cluster_size, &iov, 1);
}

static int write_packed(struct packed_disk *disk, uint64_t index)
{
	size_t length;
	int ret = qcow2_compress(disk->type, cluster, disk->cluster_size,
				 packed, &length);

	if (ret || !length)
		return ret ? ret : write_plain(disk, index);
	return block_write_compressed(disk->block, index * disk->cluster_size,
				      packed, length);
}

static void write_one(struct packed_disk *disk)
{
	uint64_t index = test_below(&disk->random, CLUSTERS);
	uint64_t action = test_below(&disk->random, 16);

	if (action == 0) {
		CHECK_EQUAL(block_flush(disk->block), 0);
		return;
	}
	disk->values[index] = action == 1 ? 0 : test_random(&disk->random);
	fill(disk->values[index], disk->cluster_size);
	if (action == 1)
		CHECK_EQUAL(block_discard(disk->block,
					  index * disk->cluster_size,
					  disk->cluster_size),
			    0);
	else if (action < 4)
		CHECK_EQUAL(write_plain(disk, index), 0);
	else
		CHECK_EQUAL(write_packed(disk, index), 0);
}

static void compare_all(struct packed_disk *disk)
{
	static uint8_t got[CLUSTER_MAX];
	struct iovec iov = {got, disk->cluster_size};

	for (uint64_t i = 0; i < CLUSTERS; i++) {
		CHECK_EQUAL(block_read(disk->block, i * disk->cluster_size,
				       &iov, 1),
			    0);
		fill(disk->values[i], disk->cluster_size);
		CHECK(!memcmp(got, cluster, disk->cluster_size));
	}
}

static void check_references(struct packed_disk *disk)
{
	struct test_check check;

	CHECK_EQUAL(test_block_settle(disk->block), 0);
	check = test_check_image(file_memory_data(disk->file),
				 file_size(disk->file));
	CHECK_EQUAL(check.errors, 0);
	CHECK_EQUAL(check.leaks, 0);
}

static void run_shape(const struct qcow2_create_options *create)
{
	struct packed_disk disk = {
		.file = test_image_new(create),
		.type = create->compression,
		.cluster_size = (size_t)1 << create->cluster_bits,
		.random.state = create->refcount_order,
	};
	struct image *image = test_image_open(disk.file, 0, NULL);

	REQUIRE(image);
	disk.block = block_new(image);
	for (unsigned int i = 0; i < 20 && !test_failed; i++) {
		for (unsigned int j = 0; j < 40 && !test_failed; j++)
			write_one(&disk);
		compare_all(&disk);
		check_references(&disk);
	}
	CHECK_EQUAL(block_close(disk.block), 0);
}

static void contents_and_references_are_right(void)
{
	static const struct qcow2_create_options shapes[] = {
		TEST_CREATE(CLUSTERS * 512, 9, 3, 4, QCOW2_DEFLATE),
		/* A cluster cannot be shared, or by three at the most. */
		TEST_CREATE(CLUSTERS * 4096, 12, 3, 0, QCOW2_ZSTD),
		TEST_CREATE(CLUSTERS * 4096, 12, 3, 1, QCOW2_DEFLATE),
		TEST_CREATE(CLUSTERS * 4096, 12, 2, 4, QCOW2_DEFLATE),
		TEST_CREATE(CLUSTERS * 65536, 16, 3, 6, QCOW2_ZSTD),
	};

	for (size_t i = 0; i < ARRAY_LENGTH(shapes) && !test_failed; i++)
		run_shape(&shapes[i]);
}

static void clusters_share_a_host_cluster(void)
{
	struct qcow2_create_options create = TEST_CREATE(CLUSTERS * 4096, 12, 3,
							 4, QCOW2_DEFLATE);
	struct file *file = test_image_new(&create);
	struct image *image = test_image_open(file, 0, NULL);
	uint64_t before = file_size(file);
	struct block *block;

	REQUIRE(image);
	block = block_new(image);
	for (uint64_t i = 0; i < CLUSTERS; i++)
		CHECK_EQUAL(block_write_compressed(block, i * 4096, packed, 60),
			    0);
	CHECK_EQUAL(test_block_settle(block), 0);
	/* An L2 table, and one host cluster. */
	CHECK(file_size(file) <= before + 2 * 4096);
	CHECK_EQUAL(block_close(block), 0);
}

/* As for other writes, so that what follows lies behind it. */
static void table_lies_before_its_data(void)
{
	struct qcow2_create_options create = TEST_CREATE(CLUSTERS * 4096, 12, 3,
							 4, QCOW2_DEFLATE);
	struct file *file = test_image_new(&create);
	struct image *image = test_image_open(file, 0, NULL);
	uint64_t before = file_size(file);
	struct block *block;
	be64 entry;

	REQUIRE(image);
	block = block_new(image);
	CHECK_EQUAL(block_write_compressed(block, 0, packed, 60), 0);
	CHECK_EQUAL(block_flush(block), 0);
	CHECK_EQUAL(file_read(file, &entry, sizeof(entry), before), 0);
	CHECK_EQUAL(be64_get(entry), QCOW2_COMPRESSED_FLAG | (before + 4096));
	CHECK_EQUAL(block_close(block), 0);
}

static void wrong_requests_are_refused(void)
{
	struct qcow2_create_options create = TEST_CREATE(CLUSTERS * 4096, 12, 3,
							 4, QCOW2_DEFLATE);
	struct image *image = test_image_open(test_image_new(&create), 0, NULL);
	struct block *block;

	REQUIRE(image);
	block = block_new(image);
	CHECK_EQUAL(block_write_compressed(block, 512, packed, 100), -EINVAL);
	CHECK_EQUAL(block_write_compressed(block, 0, packed, 0), -EINVAL);
	CHECK_EQUAL(block_write_compressed(block, 0, packed, 4096), -EINVAL);
	CHECK_EQUAL(block_write_compressed(block, CLUSTERS * 4096ULL + 4096,
					   packed, 100),
		    -EINVAL);
	CHECK_EQUAL(block_close(block), 0);
}

/* What cannot be made smaller says so, in every size. */
static void noise_is_not_compressed(void)
{
	struct test_random random = {1};
	size_t length;

	for (size_t i = 0; i < sizeof(cluster); i++)
		cluster[i] = (uint8_t)test_random(&random);
	for (unsigned int bits = 9; bits <= 16; bits++) {
		CHECK_EQUAL(qcow2_compress(QCOW2_DEFLATE, cluster, 1UL << bits,
					   packed, &length),
			    0);
		CHECK_EQUAL(length, 0);
		CHECK_EQUAL(qcow2_compress(QCOW2_ZSTD, cluster, 1UL << bits,
					   packed, &length),
			    0);
		CHECK_EQUAL(length, 0);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(contents_and_references_are_right),
		TEST(clusters_share_a_host_cluster),
		TEST(table_lies_before_its_data),
		TEST(wrong_requests_are_refused),
		TEST(noise_is_not_compressed),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

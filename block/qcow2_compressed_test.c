/*
 * block/qcow2_compressed_test.c - compressed clusters as other programs write
 * them, and as they should not.
 */
#include <errno.h>
#include <zlib.h>
#include <zstd.h>

#include "block/qcow2_compress.h"
#include "block/test_disk.h"
#include "block/test_recorder.h"

#define CLUSTER	 (64 * KIB)
#define L2_TABLE 0x40000
#define PAYLOAD	 0x50000

/* What a cluster inflates to: easy to compress, different everywhere. */
static void fill_cluster(uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		data[i] = (uint8_t)(i / 512 + i % 7);
}

static size_t deflate_raw(const uint8_t *data, size_t length, uint8_t *out,
			  size_t room)
{
	z_stream stream = {
		.next_in = (uint8_t *)data,
		.avail_in = (uInt)length,
		.next_out = out,
		.avail_out = (uInt)room,
	};

	deflateInit2(&stream, 6, Z_DEFLATED, -12, 9, Z_DEFAULT_STRATEGY);
	deflate(&stream, Z_FINISH);
	deflateEnd(&stream);
	return room - stream.avail_out;
}

/* An image whose guest cluster 0 is these bytes, at that offset in a sector. */
static struct file *make_image(enum qcow2_compression compression,
			       const uint8_t *payload, size_t length,
			       uint64_t skew)
{
	struct qcow2_create_options create = TEST_CREATE(MIB, 16, 3, 4,
							 compression);
	struct file *file = test_image_new(&create);
	uint64_t offset = PAYLOAD + skew;
	uint64_t sectors = (offset % 512 + length - 1) / 512;
	be64 l1 = be64_make(L2_TABLE | 1ULL << 63);
	be64 l2 = be64_make(1ULL << 62 | sectors << 54 | offset);
	static const uint8_t table[CLUSTER];
	be16 used[3] = {be16_make(1), be16_make(1), be16_make(1)};

	file_write(file, &l1, sizeof(l1), 0x30000);
	file_write(file, table, sizeof(table), L2_TABLE);
	file_write(file, &l2, sizeof(l2), L2_TABLE);
	/* So the file ends where the payload does: mostly not at a sector. */
	file_write(file, payload, length, offset);
	file_write(file, used, sizeof(used), 0x20000 + 4 * 2);
	return file;
}

/* Reads guest cluster 0 in pieces, and compares. */
static int read_cluster(struct file *file, size_t piece)
{
	struct image *image = test_image_open(file, 0, NULL);
	uint8_t want[CLUSTER], got[CLUSTER];
	int ret = 0;

	fill_cluster(want, sizeof(want));
	for (size_t i = 0; i < CLUSTER && !ret; i += piece)
		ret = image_read_padded(image, i, piece, got + i);
	if (!ret)
		CHECK(!memcmp(got, want, sizeof(want)));
	image_close(image);
	return ret;
}

static void deflate_clusters(void)
{
	uint8_t data[2 * CLUSTER], out[2 * CLUSTER];
	size_t length;

	fill_cluster(data, sizeof(data));
	length = deflate_raw(data, CLUSTER, out, sizeof(out));
	for (uint64_t skew = 0; skew < 1200; skew += 399)
		CHECK_EQUAL(read_cluster(make_image(QCOW2_DEFLATE, out, length,
						    skew),
					 4096),
			    0);
	/* What follows the stream is not looked at. */
	memset(out + length, 0xa5, 700);
	CHECK_EQUAL(read_cluster(make_image(QCOW2_DEFLATE, out, length + 700,
					    0),
				 512),
		    0);
	/* More than a cluster comes out: the first one counts. */
	length = deflate_raw(data, sizeof(data), out, sizeof(out));
	CHECK_EQUAL(read_cluster(make_image(QCOW2_DEFLATE, out, length, 0),
				 CLUSTER),
		    0);
}

static void deflate_clusters_that_fail(void)
{
	uint8_t data[CLUSTER], out[2 * CLUSTER];
	size_t length;

	fill_cluster(data, sizeof(data));
	length = deflate_raw(data, CLUSTER - 512, out, sizeof(out));
	CHECK_EQUAL(read_cluster(make_image(QCOW2_DEFLATE, out, length, 0),
				 4096),
		    -EIO);
	length = deflate_raw(data, CLUSTER, out, sizeof(out));
	memset(out, 0xff, length);
	CHECK_EQUAL(read_cluster(make_image(QCOW2_DEFLATE, out, length, 0),
				 4096),
		    -EIO);
}

static void zstd_clusters(void)
{
	uint8_t data[CLUSTER], out[2 * CLUSTER];
	size_t length, first;

	fill_cluster(data, sizeof(data));
	length = ZSTD_compress(out, sizeof(out), data, CLUSTER, 3);
	CHECK_EQUAL(read_cluster(make_image(QCOW2_ZSTD, out, length, 0), 4096),
		    0);
	/* Two frames, with something behind them. */
	first = ZSTD_compress(out, sizeof(out), data, 10000, 19);
	length = first + ZSTD_compress(out + first, sizeof(out) - first,
				       data + 10000, CLUSTER - 10000, 19);
	memset(out + length, 0xa5, 700);
	CHECK_EQUAL(read_cluster(make_image(QCOW2_ZSTD, out, length + 700, 99),
				 4096),
		    0);
}

static void zstd_clusters_that_fail(void)
{
	uint8_t data[CLUSTER], out[2 * CLUSTER];
	size_t length;

	fill_cluster(data, sizeof(data));
	length = ZSTD_compress(out, sizeof(out), data, CLUSTER - 512, 3);
	CHECK_EQUAL(read_cluster(make_image(QCOW2_ZSTD, out, length, 0), 4096),
		    -EIO);
	memset(out, 0xff, length);
	CHECK_EQUAL(read_cluster(make_image(QCOW2_ZSTD, out, length, 0), 4096),
		    -EIO);
}

/* Reading it in pieces reads the file once. */
static void inflated_clusters_are_remembered(void)
{
	uint8_t data[CLUSTER], out[2 * CLUSTER];
	struct test_recorder *recorder;
	struct image *image;
	unsigned long calls;

	fill_cluster(data, sizeof(data));
	recorder = test_recorder_new(
		make_image(QCOW2_DEFLATE, out,
			   deflate_raw(data, CLUSTER, out, sizeof(out)), 0));
	image = test_image_open(&recorder->file, 0, NULL);
	recorder->fails_reads = true;
	recorder->fail_first = ~0UL;
	CHECK_EQUAL(image_read_padded(image, 0, 512, data), 0);
	calls = recorder->calls;
	for (size_t i = 512; i < CLUSTER; i += 512)
		CHECK_EQUAL(image_read_padded(image, i, 512, data), 0);
	CHECK_EQUAL(recorder->calls, calls);
	image_close(image);
}

/* A write replaces the cluster, and lets go of every cluster it was in. */
static void compressed_clusters_are_replaced(void)
{
	uint8_t data[CLUSTER], out[2 * CLUSTER];
	struct test_disk *disk;
	struct file *file;
	be16 refcounts[3];

	fill_cluster(data, sizeof(data));
	file = make_image(QCOW2_DEFLATE, out,
			  deflate_raw(data, CLUSTER, out, sizeof(out)),
			  CLUSTER - 512);
	disk = test_disk_new(test_image_open(file, 0, NULL), 1);
	CHECK_EQUAL(test_disk_write(disk, 3, 1, 42), 0);
	CHECK_EQUAL(block_flush(disk->block), 0);
	CHECK_EQUAL(block_flush(disk->block), 0);
	file_read(file, refcounts, sizeof(refcounts), 0x20000 + 4 * 2);
	CHECK_EQUAL(be16_get(refcounts[0]), 1);
	CHECK_EQUAL(be16_get(refcounts[1]), 0);
	CHECK_EQUAL(be16_get(refcounts[2]), 0);
	CHECK_EQUAL(test_disk_read(disk, 0, CLUSTER / 512), 0);
	CHECK_EQUAL(test_sector_value(disk->buffer + 3 * 512), 42);
	CHECK(!memcmp(disk->buffer, data, 3 * 512));
	CHECK(!memcmp(disk->buffer + 4 * 512, data + 4 * 512,
		      CLUSTER - 4 * 512));
	block_close(disk->block);
	free(disk);
}

static void write_filled(struct test_disk *disk, uint64_t value)
{
	uint8_t packed[4096];
	size_t length = 0;

	test_fill(disk->buffer, sizeof(packed) / BLOCK_SECTOR, value);
	CHECK(!qcow2_compress(QCOW2_DEFLATE, disk->buffer, sizeof(packed),
			      packed, &length));
	CHECK(!block_write_compressed(disk->block, 0, packed, length));
	CHECK(!test_disk_read(disk, 0, 8));
	CHECK_EQUAL(test_sector_value(disk->buffer), value);
}

/* The next one lies where the last one was, and has the same L2 entry. */
static void freed_clusters_are_forgotten(void)
{
	struct qcow2_create_options create = TEST_CREATE(MIB, 12, 3, 4, 0);
	struct test_disk *disk =
		test_disk_new(test_image_open(test_image_new(&create), 0, NULL),
			      1);

	for (uint64_t value = 1; value < 5; value++) {
		write_filled(disk, value);
		CHECK(!block_discard(disk->block, 0, 4096));
		CHECK(!test_block_settle(disk->block));
	}
	block_close(disk->block);
	free(disk);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(deflate_clusters),
		TEST(deflate_clusters_that_fail),
		TEST(zstd_clusters),
		TEST(zstd_clusters_that_fail),
		TEST(inflated_clusters_are_remembered),
		TEST(compressed_clusters_are_replaced),
		TEST(freed_clusters_are_forgotten),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

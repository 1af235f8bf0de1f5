/*
 * block/test_shapes.h - for tests: disks of many shapes, to be changed as a
 * whole. See test_change.h.
 */
#ifndef BLOCK_TEST_SHAPES_H
#define BLOCK_TEST_SHAPES_H

#include "block/qcow2_compress.h"
#include "block/qcow2_snapshots.h"
#include "block/test_change.h"

enum test_with {
	WITH_SUBCLUSTERS = 1 << 0,
	WITH_COMPRESSION = 1 << 1, /* of some clusters */
	WITH_DATA_FILE = 1 << 2,
	WITH_RAW_DATA_FILE = 1 << 3,
	WITH_RAW_BASE = 1 << 4,
	WITH_QCOW2_BASE = 1 << 5,
	/* Of these an image has what its operation needs. */
	WITH_SNAPSHOT = 1 << 6,
	WITH_NARROW_REFCOUNTS = 1 << 7, /* too narrow for snapshots */
};

#define WITH_BASE	   (WITH_RAW_BASE | WITH_QCOW2_BASE)
#define WITH_ANY_DATA_FILE (WITH_DATA_FILE | WITH_RAW_DATA_FILE)
#define WITHOUT_SNAPSHOTS  (WITH_ANY_DATA_FILE | WITH_NARROW_REFCOUNTS)

struct test_shape {
	const char *name;
	uint64_t sectors;
	unsigned int cluster_bits, version, refcount_order;
	unsigned int with;
	uint64_t base_sectors;
};

static const struct test_shape test_shapes[] = {
	{"512", 256, 9, 3, 4, 0, 0},
	{"512, over raw", 256, 9, 3, 4, WITH_RAW_BASE, 100},
	{"4K, version 2, over a longer raw", 256, 12, 2, 4, WITH_RAW_BASE, 500},
	{"subclusters, over qcow2", 320, 14, 3, 4,
	 WITH_SUBCLUSTERS | WITH_QCOW2_BASE, 200},
	{"compressed, over a longer qcow2", 256, 9, 3, 6,
	 WITH_COMPRESSION | WITH_QCOW2_BASE, 500},
	{"data file, over raw", 256, 12, 3, 4, WITH_DATA_FILE | WITH_RAW_BASE,
	 100},
	{"raw data file", 256, 12, 3, 4, WITH_RAW_DATA_FILE, 0},
	{"1 bit, over qcow2", 256, 9, 3, 0,
	 WITH_NARROW_REFCOUNTS | WITH_QCOW2_BASE, 200},
};

static inline struct qcow2_create_options test_shape_create(
	const struct test_shape *shape)
{
	return (struct qcow2_create_options){
		.size = shape->sectors * BLOCK_SECTOR,
		.cluster_bits = shape->cluster_bits,
		.version = shape->version,
		.refcount_order = shape->refcount_order,
		.extended_l2 = shape->with & WITH_SUBCLUSTERS,
		.data_file = shape->with & WITH_ANY_DATA_FILE ? "data" : NULL,
		.data_file_raw = shape->with & WITH_RAW_DATA_FILE,
		.backing = shape->with & WITH_BASE ? "base" : NULL,
		.backing_format = shape->with & WITH_QCOW2_BASE ? "qcow2"
				  : shape->with & WITH_RAW_BASE ? "raw"
								: NULL,
	};
}

/* A whole cluster. */
static inline void test_shape_compress(const struct test_shape *shape,
				       struct test_disk *disk,
				       struct test_op *op)
{
	size_t size = 1UL << shape->cluster_bits, length = 0;
	uint8_t *packed = malloc(size);

	op->count = size / BLOCK_SECTOR;
	op->first -= op->first % op->count;
	test_fill(disk->buffer, op->count, op->value);
	op->ret = qcow2_compress(QCOW2_DEFLATE, disk->buffer, size, packed,
				 &length);
	if (!op->ret)
		op->ret = block_write_compressed(disk->block,
						 op->first * BLOCK_SECTOR,
						 packed, length);
	free(packed);
}

/* Random changes of a disk; its files are replaced by what they are then. */
static inline void test_shape_write(const struct test_shape *shape,
				    struct test_files *files, uint64_t seed)
{
	struct image *image = test_image_open_data(files->file[TEST_IMAGE], 0,
						   NULL,
						   files->file[TEST_DATA]);
	struct test_files old = *files;
	struct test_disk *disk;
	struct test_op op;

	if (shape->with & WITH_BASE)
		image->backing = test_files_open_backing(files,
							 &image->backing_ref);
	disk = test_disk_new(image, seed);
	for (unsigned int i = 0; i < 40; i++) {
		op = test_disk_choose(disk);
		if (op.action == TEST_WRITE && op.value % 2 &&
		    shape->with & WITH_COMPRESSION)
			test_shape_compress(shape, disk, &op);
		else
			test_disk_run(disk, &op);
		CHECK_EQUAL(op.ret, 0);
	}
	CHECK_EQUAL(test_block_settle(disk->block), 0);
	files->file[TEST_IMAGE] = test_file_copy(old.file[TEST_IMAGE]);
	files->file[TEST_DATA] = test_file_copy(old.file[TEST_DATA]);
	block_close(disk->block);
	free(disk);
}

static inline struct file *test_base_new(const struct test_shape *shape,
					 uint64_t seed)
{
	struct test_shape base = {
		.sectors = shape->base_sectors,
		.cluster_bits = 10,
		.version = 3,
		.refcount_order = 4,
	};
	struct qcow2_create_options create = test_shape_create(&base);
	struct test_files files = {{NULL}};

	if (shape->with & WITH_QCOW2_BASE) {
		files.file[TEST_IMAGE] = test_image_new(&create);
		test_shape_write(&base, &files, seed);
		return files.file[TEST_IMAGE];
	}
	files.file[TEST_BASE] = file_memory_new(NULL, 0);
	for (uint64_t i = 0; i < shape->base_sectors; i++) {
		uint8_t sector[BLOCK_SECTOR];

		test_fill(sector, 1, (seed << 40) + i + 1);
		file_write(files.file[TEST_BASE], sector, sizeof(sector),
			   i * BLOCK_SECTOR);
	}
	return files.file[TEST_BASE];
}

/* With a snapshot if that is possible and wanted. */
static inline struct test_files test_shape_make(const struct test_shape *shape,
						bool snapshot, uint64_t seed)
{
	struct qcow2_create_options create = test_shape_create(shape);
	struct test_files files = {{test_image_new(&create)}};

	if (shape->with & WITH_BASE) {
		files.file[TEST_BASE] = test_base_new(shape, seed + 100);
		files.file[TEST_OTHER] = test_base_new(shape, seed + 200);
	}
	if (shape->with & WITH_ANY_DATA_FILE) {
		files.file[TEST_DATA] = file_memory_new(NULL, 0);
		file_truncate(files.file[TEST_DATA], create.size);
	}
	test_shape_write(shape, &files, seed);
	if (!snapshot || shape->with & WITHOUT_SNAPSHOTS)
		return files;
	CHECK(!qcow2_snapshot_create(files.file[TEST_IMAGE], "image",
				     TEST_SNAPSHOT, NULL));
	test_shape_write(shape, &files, seed + 1);
	return files;
}

#endif

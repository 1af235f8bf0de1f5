/*
 * block/test_qemu.h - for tests: an image that QEMU's tools made, read and
 * written by us. What it holds is always said by "qemu-img convert".
 */
#ifndef BLOCK_TEST_QEMU_H
#define BLOCK_TEST_QEMU_H

#include "block/qcow2_compress.h"
#include "block/test_disk.h"
#include "block/test_host.h"

struct test_qemu_image {
	const char *path;
	const char *data_file;	 /* NULL: none */
	const char *snapshot_id; /* NULL: the disk of now */
	/* Some writes are compressed clusters of this size, if it is not 0. */
	size_t compress;
	enum qcow2_compression compression;
};

/* What qemu-img says the image holds. */
static uint8_t test_oracle[TEST_SECTORS_MAX * BLOCK_SECTOR];

static inline void test_qemu_ask(const struct test_qemu_image *image,
				 uint64_t sectors)
{
	FILE *file;

	CHECK(!test_shell("qemu-img convert -O raw %s oracle", image->path));
	file = fopen("oracle", "r");
	REQUIRE(file);
	CHECK_EQUAL(fread(test_oracle, BLOCK_SECTOR, sectors, file), sectors);
	fclose(file);
}

static inline struct test_disk *test_qemu_open(
	const struct test_qemu_image *image, bool read_only, uint64_t seed)
{
	struct block_options options = {
		.path = image->path,
		.data_file = image->data_file,
		.snapshot_id = image->snapshot_id,
		.read_only = read_only,
		.l2_cache_size = seed % 2 ? 1 : 0,
	};
	struct test_disk *disk = calloc(1, sizeof(*disk));
	struct err err = {""};

	if (!CHECK(!block_open(&options, &disk->block, &err))) {
		printf("# %s\n", err.text);
		free(disk);
		return NULL;
	}
	disk->sectors = block_size(disk->block) / BLOCK_SECTOR;
	disk->random.state = seed;
	disk->next_value = seed << 16; /* none comes twice */
	return disk;
}

static inline void test_qemu_compare_piece(struct test_disk *disk,
					   const uint8_t *want, uint64_t first,
					   uint64_t count)
{
	CHECK_EQUAL(test_disk_read(disk, first, count), 0);
	CHECK(!memcmp(disk->buffer, want + first * BLOCK_SECTOR,
		      count * BLOCK_SECTOR));
}

/* In one piece, and in small ones from everywhere. */
static inline void test_qemu_compare_with(struct test_disk *disk,
					  const uint8_t *want, uint64_t sectors)
{
	test_qemu_compare_piece(disk, want, 0, sectors);
	for (unsigned int i = 0; i < 200 && !test_failed; i++)
		test_qemu_compare_piece(disk, want,
					test_below(&disk->random, sectors - 20),
					1 + i % 20);
}

static inline void test_qemu_compare(const struct test_qemu_image *image,
				     uint64_t seed)
{
	struct test_disk *disk = test_qemu_open(image, true, seed);

	REQUIRE(disk);
	test_qemu_ask(image, disk->sectors);
	test_qemu_compare_with(disk, test_oracle, disk->sectors);
	block_close(disk->block);
	free(disk);
}

/* A whole cluster; it may be that it does not become smaller. */
static inline int test_qemu_compress(const struct test_qemu_image *image,
				     struct test_disk *disk,
				     const struct test_op *op)
{
	uint8_t *packed = malloc(image->compress);
	size_t length = 0;
	int ret;

	test_fill(disk->buffer, op->count, op->value);
	ret = qcow2_compress(image->compression, disk->buffer, image->compress,
			     packed, &length);
	if (!ret)
		ret = block_write_compressed(disk->block,
					     op->first * BLOCK_SECTOR, packed,
					     length);
	free(packed);
	for (uint64_t i = 0; i < op->count && !ret; i++)
		disk->value[op->first + i] = op->value;
	return ret;
}

/* Makes a write one of a whole cluster, if there is any to choose from. */
static inline bool test_qemu_choose_cluster(const struct test_qemu_image *image,
					    const struct test_disk *disk,
					    struct test_op *op)
{
	uint64_t unit = image->compress / BLOCK_SECTOR, first, end;
	/* The largest take long. */
	uint64_t one_in = image->compress > MIB ? 16 : 4;

	if (!unit || op->action != TEST_WRITE || op->value % one_in)
		return false;
	first = align_up(disk->first, unit);
	end = align_down(disk->first + disk->sectors, unit);
	if (first >= end)
		return false;
	op->first = first + op->first % ((end - first) / unit) * unit;
	op->count = unit;
	return true;
}

static inline void test_qemu_run(const struct test_qemu_image *image,
				 struct test_disk *disk, struct test_op *op)
{
	if (test_qemu_choose_cluster(image, disk, op)) {
		op->ret = test_qemu_compress(image, disk, op);
		return;
	}
	test_disk_run(disk, op);
	if (op->action == TEST_DISCARD)
		test_disk_adopt(disk, op);
}

/* Many flushes would be many waits for the host's disk. */
static inline void test_qemu_write_randomly(const struct test_qemu_image *image,
					    struct test_disk *disk,
					    unsigned int count)
{
	struct test_op op;

	for (unsigned int i = 0; i < count; i++) {
		op = test_disk_choose(disk);
		if (op.action == TEST_FLUSH && i % 4)
			continue;
		test_qemu_run(image, disk, &op);
		CHECK_EQUAL(op.ret, 0);
	}
}

/* What we read is where the model begins. */
static inline void test_qemu_learn(struct test_disk *disk)
{
	CHECK_EQUAL(test_disk_read(disk, 0, disk->sectors), 0);
	for (uint64_t i = 0; i < disk->sectors; i++)
		disk->value[i] =
			test_sector_value(disk->buffer + i * BLOCK_SECTOR);
}

/* Comes after a comparison. */
static inline void test_qemu_write(const struct test_qemu_image *image,
				   uint64_t seed)
{
	struct test_disk *disk = test_qemu_open(image, false, seed);

	REQUIRE(disk);
	test_qemu_learn(disk);
	test_qemu_write_randomly(image, disk, 80);
	test_disk_compare(disk, 0, disk->sectors);
	CHECK_EQUAL(block_close(disk->block), 0);

	test_qemu_ask(image, disk->sectors);
	for (uint64_t i = 0; i < disk->sectors && !test_failed; i++)
		CHECK_EQUAL(test_sector_value(test_oracle + i * BLOCK_SECTOR),
			    disk->value[i]);
	free(disk);
}

#endif

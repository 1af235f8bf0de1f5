/*
 * block/test_disk.h - for tests: a disk, and a model of what it must hold.
 *
 * Every write fills its sectors with a value of its own, so that a sector says
 * which write it is from; 0 is zeroes. The model knows what each sector held
 * at the last flush, and what was asked since: after a crash, each of these is
 * right, and nothing else.
 */
#ifndef BLOCK_TEST_DISK_H
#define BLOCK_TEST_DISK_H

#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "base/test.h"
#include "block/file_memory.h"
#include "block/image.h"
#include "block/qcow2_create.h"

/* A struct qcow2_create_options of what most tests care for. */
#define TEST_CREATE(bytes, bits, format_version, order, type)           \
	{                                                               \
		.size = (bytes), .cluster_bits = (bits),                \
		.version = (format_version), .refcount_order = (order), \
		.compression = (type),                                  \
	}

/* The same with subclusters. */
#define TEST_CREATE_EXTENDED(bytes, bits, order)                       \
	{                                                              \
		.size = (bytes), .cluster_bits = (bits), .version = 3, \
		.refcount_order = (order), .extended_l2 = true,        \
	}

struct test_random {
	uint64_t state;
};

static inline uint64_t test_random(struct test_random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static inline uint64_t test_below(struct test_random *random, uint64_t limit)
{
	return test_random(random) % limit;
}

enum test_action {
	TEST_WRITE,
	TEST_ZERO,
	TEST_UNMAP,
	TEST_DISCARD,
	TEST_FLUSH,
	TEST_READ,
};

struct test_op {
	enum test_action action;
	uint64_t first, count; /* sectors */
	uint64_t value;
	size_t log_start; /* for recorders: the log's length before */
	size_t log_end;	  /* and after */
	int ret;
};

#define TEST_SECTORS_MAX 16384

struct test_disk {
	struct block *block;
	uint64_t first; /* of the sectors that test_disk_choose() takes */
	uint64_t sectors;
	struct test_random random;
	uint64_t next_value;
	uint64_t value[TEST_SECTORS_MAX]; /* now, if nothing failed */
	uint8_t buffer[TEST_SECTORS_MAX * BLOCK_SECTOR];
};

static inline void test_fill(uint8_t *data, uint64_t sectors, uint64_t value)
{
	for (uint64_t i = 0; i < sectors * BLOCK_SECTOR; i += sizeof(value))
		memcpy(data + i, &value, sizeof(value));
}

/* The value that a sector is filled with; ~0 if it is not of one piece. */
static inline uint64_t test_sector_value(const uint8_t *sector)
{
	uint64_t value;

	memcpy(&value, sector, sizeof(value));
	if (memcmp(sector, sector + sizeof(value),
		   BLOCK_SECTOR - sizeof(value)))
		return ~0ULL;
	return value;
}

static inline int test_disk_read(struct test_disk *disk, uint64_t first,
				 uint64_t count)
{
	/* In two pieces, so that iovecs are put to the test. */
	uint64_t half = count / 2 * BLOCK_SECTOR + 8;
	struct iovec iov[] = {
		{disk->buffer, half},
		{disk->buffer + half, count * BLOCK_SECTOR - half},
	};

	return block_read(disk->block, first * BLOCK_SECTOR, iov, 2);
}

static inline int test_disk_write(struct test_disk *disk, uint64_t first,
				  uint64_t count, uint64_t value)
{
	uint64_t part = count / 3 * BLOCK_SECTOR + 16;
	struct iovec iov[] = {
		{disk->buffer, part},
		{disk->buffer + part, count * BLOCK_SECTOR - part},
	};

	test_fill(disk->buffer, count, value);
	return block_write(disk->block, first * BLOCK_SECTOR, iov, 2);
}

/* Runs one operation; the model follows it where it succeeds. */
static inline void test_disk_run(struct test_disk *disk, struct test_op *op)
{
	uint64_t offset = op->first * BLOCK_SECTOR;
	uint64_t length = op->count * BLOCK_SECTOR;

	switch (op->action) {
	case TEST_WRITE:
		op->ret = test_disk_write(disk, op->first, op->count,
					  op->value);
		break;
	case TEST_ZERO:
	case TEST_UNMAP:
		op->ret = block_write_zeroes(disk->block, offset, length,
					     op->action == TEST_UNMAP);
		break;
	case TEST_DISCARD:
		op->ret = block_discard(disk->block, offset, length);
		break;
	case TEST_FLUSH:
		op->ret = block_flush(disk->block);
		break;
	case TEST_READ:
		op->ret = test_disk_read(disk, op->first, op->count);
	}
	if (!op->ret && op->action <= TEST_UNMAP)
		for (uint64_t i = 0; i < op->count; i++)
			disk->value[op->first + i] = op->value;
}

/* What a discard left, as long as it is zeroes or what was there. */
static inline void test_disk_adopt(struct test_disk *disk,
				   const struct test_op *op)
{
	uint64_t value;

	if (!CHECK(!test_disk_read(disk, op->first, op->count)))
		return;
	for (uint64_t i = 0; i < op->count; i++) {
		value = test_sector_value(disk->buffer + i * BLOCK_SECTOR);
		CHECK(!value || value == disk->value[op->first + i]);
		disk->value[op->first + i] = value;
	}
}

static inline void test_disk_compare(struct test_disk *disk, uint64_t first,
				     uint64_t count)
{
	uint64_t wrong = 0, at = 0;

	if (!CHECK(!test_disk_read(disk, first, count)))
		return;
	for (uint64_t i = 0; i < count; i++)
		if (test_sector_value(disk->buffer + i * BLOCK_SECTOR) !=
		    disk->value[first + i]) {
			wrong++;
			at = first + i;
		}
	if (wrong)
		printf("# sector %llu and %llu others are wrong\n",
		       (unsigned long long)at, (unsigned long long)wrong - 1);
	CHECK(!wrong);
}

static inline struct test_op test_disk_choose(struct test_disk *disk)
{
	static const enum test_action actions[] = {
		TEST_WRITE, TEST_WRITE, TEST_WRITE,   TEST_WRITE,
		TEST_ZERO,  TEST_UNMAP, TEST_DISCARD, TEST_FLUSH,
	};
	struct test_random *random = &disk->random;
	uint64_t longest = test_below(random, 4) ? 16 : disk->sectors / 4;
	struct test_op op = {
		.action = actions[test_below(random, ARRAY_LENGTH(actions))],
		.first = disk->first + test_below(random, disk->sectors),
		.count = 1 + test_below(random, longest),
	};

	op.count = min_u64(op.count, disk->first + disk->sectors - op.first);
	if (op.action == TEST_WRITE)
		op.value = ++disk->next_value;
	return op;
}

/* Takes an open chain; its present contents are where the model begins. */
static inline struct test_disk *test_disk_new(struct image *top, uint64_t seed)
{
	struct test_disk *disk = calloc(1, sizeof(*disk));

	disk->block = block_new(top);
	disk->sectors = block_size(disk->block) / BLOCK_SECTOR;
	disk->random.state = seed;
	disk->next_value = seed << 32;
	if (test_disk_read(disk, 0, disk->sectors))
		return disk;
	for (uint64_t i = 0; i < disk->sectors; i++)
		disk->value[i] =
			test_sector_value(disk->buffer + i * BLOCK_SECTOR);
	return disk;
}

/* A file in memory, for other programs. */
static inline bool test_file_save(struct file *file, const char *path)
{
	FILE *to = fopen(path, "w");
	bool saved = to && fwrite(file_memory_data(file), 1, file_size(file),
				  to) == file_size(file);

	if (to)
		fclose(to);
	return saved;
}

/*
 * Everything is on the disk, and nothing is reserved, as after a close; even if
 * one call fails.
 */
static inline int test_block_settle(struct block *block)
{
	int ret = 0;

	for (unsigned int i = 0; i < 3; i++)
		block_trim(block);
	for (unsigned int i = 0; i < 3 && !ret; i++)
		ret = block_flush(block);
	return ret;
}

/* An empty image in memory. */
static inline struct file *test_image_new(
	const struct qcow2_create_options *options)
{
	struct file *file = file_memory_new(NULL, 0);

	CHECK(!qcow2_create(file, options, NULL));
	return file;
}

/* Opens @file for writing, over @backing, with @data (which may be NULL). */
static inline struct image *test_image_open_data(struct file *file,
						 uint64_t l2_cache_size,
						 struct image *backing,
						 struct file *data)
{
	struct image_options options = {
		.name = "test",
		.l2_cache_size = l2_cache_size,
		.data_file = data,
	};
	struct image *image = NULL;
	struct err err;

	if (qcow2_open(file, &options, &image, &err)) {
		printf("# %s\n", err.text);
		CHECK(!"opens");
		return NULL;
	}
	image->backing = backing;
	return image;
}

static inline struct image *test_image_open(struct file *file,
					    uint64_t l2_cache_size,
					    struct image *backing)
{
	return test_image_open_data(file, l2_cache_size, backing, NULL);
}

/* A raw backing file of that many sectors, each with its own value. */
static inline struct image *test_backing_new(uint64_t sectors)
{
	struct image_options options = {.name = "backing", .read_only = true};
	uint8_t *data = malloc(sectors * BLOCK_SECTOR);
	struct image *image = NULL;

	for (uint64_t i = 0; i < sectors; i++)
		test_fill(data + i * BLOCK_SECTOR, 1, (1ULL << 56) + i);
	CHECK(!raw_open(file_memory_new(data, sectors * BLOCK_SECTOR), &options,
			&image, NULL));
	free(data);
	return image;
}

#endif

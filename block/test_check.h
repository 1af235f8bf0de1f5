/*
 * block/test_check.h - for tests: is a qcow2 image in memory consistent?
 *
 * Written from the specification and sharing no code with what it judges. It
 * counts the references to each cluster and compares them with the refcounts,
 * and COPIED flags with both, as "qemu-img check" does.
 */
#ifndef BLOCK_TEST_CHECK_H
#define BLOCK_TEST_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"

struct test_check {
	const uint8_t *data;
	uint64_t size;
	unsigned int cluster_bits;
	unsigned int order;
	unsigned int entry_size; /* of L2 */
	bool data_file;		 /* guest clusters are not counted */
	bool in_snapshot;	 /* these tables are a snapshot's */
	uint64_t clusters;	 /* of the file, the last perhaps in part */
	uint32_t *references;
	unsigned int errors;
	unsigned int leaks;
};

static inline uint64_t test_get(const struct test_check *check, uint64_t offset,
				unsigned int bytes)
{
	uint64_t value = 0;
	be64 whole;

	if (bytes == sizeof(whole) && offset < check->size &&
	    check->size - offset >= sizeof(whole)) {
		memcpy(&whole, check->data + offset, sizeof(whole));
		return be64_get(whole);
	}
	for (unsigned int i = 0; i < bytes; i++)
		value = value << 8 |
			(offset + i < check->size ? check->data[offset + i]
						  : 0);
	return value;
}

static inline void test_refer(struct test_check *check, uint64_t offset,
			      uint64_t length)
{
	uint64_t cluster = offset >> check->cluster_bits;
	uint64_t end = offset + length;

	for (; cluster << check->cluster_bits < end; cluster++) {
		if (cluster >= check->clusters)
			check->errors++;
		else
			check->references[cluster]++;
	}
}

static inline uint64_t test_refcount(const struct test_check *check,
				     uint64_t cluster)
{
	unsigned int bits = 1U << check->order;
	uint64_t per_block = (8ULL << check->cluster_bits) / bits;
	uint64_t table = test_get(check, 48, 8);
	uint64_t entries = test_get(check, 56, 4) << check->cluster_bits >> 3;
	uint64_t index = cluster % per_block, block;

	if (cluster / per_block >= entries)
		return 0;
	block = test_get(check, table + cluster / per_block * 8, 8);
	if (!block)
		return 0;
	if (bits >= 8)
		return test_get(check, block + index * bits / 8, bits / 8);
	return test_get(check, block + index * bits / 8, 1) >>
		       index * bits % 8 &
	       ((1U << bits) - 1);
}

static inline void test_check_copied(struct test_check *check, uint64_t entry)
{
	uint64_t offset = entry & 0xfffffffffffe00;
	uint64_t refcount = test_refcount(check, offset >> check->cluster_bits);

	/* In snapshots' tables the flag says nothing. */
	if ((!check->in_snapshot && (refcount == 1) != entry >> 63) ||
	    offset & ((1ULL << check->cluster_bits) - 1))
		check->errors++;
}

/* Subclusters: none is data and zeroes, none is data without a cluster. */
static inline void test_check_bitmap(struct test_check *check, uint64_t entry,
				     uint64_t bitmap)
{
	uint32_t data = (uint32_t)bitmap, zero = (uint32_t)(bitmap >> 32);
	bool has_cluster = entry & 0xfffffffffffe00 ||
			   (check->data_file && entry >> 63);

	if (data & zero || (data && !has_cluster) ||
	    (entry >> 62 & 1 && bitmap))
		check->errors++;
}

static inline void test_check_l2_entry(struct test_check *check, uint64_t where,
				       uint64_t guest)
{
	unsigned int x = 62 - (check->cluster_bits - 8);
	uint64_t entry = test_get(check, where, 8);
	uint64_t offset = entry & ((1ULL << x) - 1), sectors;

	if (check->entry_size == 16)
		test_check_bitmap(check, entry, test_get(check, where + 8, 8));
	if (entry >> 62 & 1) {
		sectors = (entry & ((1ULL << 62) - 1)) >> x;
		test_refer(check, offset, (sectors + 1) * 512 - offset % 512);
		check->errors += check->data_file;
	} else if (check->data_file) {
		if (entry >> 63 && (entry & 0xfffffffffffe00) != guest)
			check->errors++;
	} else if (entry & 0xfffffffffffe00) {
		test_refer(check, entry & 0xfffffffffffe00,
			   1ULL << check->cluster_bits);
		test_check_copied(check, entry);
	}
}

static inline void test_check_l2_table(struct test_check *check,
				       uint64_t offset, uint64_t index)
{
	uint64_t count = (1ULL << check->cluster_bits) / check->entry_size;

	for (uint64_t i = 0; i < count; i++)
		test_check_l2_entry(check, offset + i * check->entry_size,
				    (index * count + i) << check->cluster_bits);
}

static inline void test_check_l1(struct test_check *check, uint64_t offset,
				 uint64_t entries)
{
	uint64_t entry;

	test_refer(check, offset, entries * 8);
	for (uint64_t i = 0; i < entries; i++) {
		entry = test_get(check, offset + i * 8, 8);
		if (!entry)
			continue;
		test_refer(check, entry & 0xfffffffffffe00,
			   1ULL << check->cluster_bits);
		test_check_copied(check, entry);
		test_check_l2_table(check, entry & 0xfffffffffffe00, i);
	}
}

static inline void test_check_snapshots(struct test_check *check)
{
	uint64_t count = test_get(check, 60, 4), start = test_get(check, 64, 8);
	uint64_t at = start;

	check->in_snapshot = true;
	for (uint64_t i = 0; i < count; i++) {
		test_check_l1(check, test_get(check, at, 8),
			      test_get(check, at + 8, 4));
		at += 40 + test_get(check, at + 36, 4) +
		      test_get(check, at + 12, 2) + test_get(check, at + 14, 2);
		at = (at + 7) & ~7ULL;
	}
	if (count)
		test_refer(check, start, at - start);
	check->in_snapshot = false;
}

static inline void test_check_tables(struct test_check *check)
{
	uint64_t size = 1ULL << check->cluster_bits;
	uint64_t table = test_get(check, 48, 8);
	uint64_t table_size = test_get(check, 56, 4) << check->cluster_bits;
	uint64_t entry;

	test_refer(check, 0, size);
	test_refer(check, table, table_size);
	for (uint64_t i = 0; i < table_size; i += 8) {
		entry = test_get(check, table + i, 8);
		if (entry)
			test_refer(check, entry, size);
	}
	test_check_l1(check, test_get(check, 40, 8), test_get(check, 36, 4));
	test_check_snapshots(check);
}

/* Fills in errors and leaks. */
static inline struct test_check test_check_image(const uint8_t *data,
						 uint64_t size)
{
	struct test_check check = {.data = data, .size = size};
	uint64_t refcount, features;

	check.cluster_bits = (unsigned int)test_get(&check, 20, 4);
	check.order = test_get(&check, 4, 4) == 2
			      ? 4
			      : (unsigned int)test_get(&check, 96, 4);
	check.entry_size = 8;
	if (test_get(&check, 4, 4) > 2) {
		features = test_get(&check, 72, 8);
		check.data_file = features & 4;
		check.entry_size = features & 16 ? 16 : 8;
	}
	check.clusters = (size >> check.cluster_bits) + 1;
	check.references = calloc(check.clusters, sizeof(uint32_t));
	test_check_tables(&check);
	for (uint64_t i = 0; i < check.clusters; i++) {
		refcount = test_refcount(&check, i);
		if (check.references[i] > refcount)
			check.errors++;
		if (check.references[i] < refcount)
			check.leaks++;
	}
	free(check.references);
	return check;
}

#endif

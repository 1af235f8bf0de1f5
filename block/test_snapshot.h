/*
 * block/test_snapshot.h - for tests: gives a qcow2 image in memory an internal
 * snapshot, written from the specification and sharing no code with block/.
 *
 * The image is closed, has no snapshot yet, refcounts of 16 bits, and
 * refcount blocks that cover what is added at its end.
 */
#ifndef BLOCK_TEST_SNAPSHOT_H
#define BLOCK_TEST_SNAPSHOT_H

#include "base/math.h"
#include "block/file_memory.h"
#include "block/test_check.h"

static inline void test_put(struct file *file, uint64_t offset,
			    unsigned int bytes, uint64_t value)
{
	uint8_t data[8];

	for (unsigned int i = 0; i < bytes; i++)
		data[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
	file_write(file, data, bytes, offset);
}

static inline struct test_check test_view(struct file *file)
{
	struct test_check view = {
		.data = file_memory_data(file),
		.size = file_size(file),
		.order = 4,
	};

	view.cluster_bits = (unsigned int)test_get(&view, 20, 4);
	view.entry_size = test_get(&view, 72, 8) & 16 ? 16 : 8;
	return view;
}

/* Counts the cluster at @offset once more. */
static inline void test_count_up(struct file *file, uint64_t offset)
{
	struct test_check view = test_view(file);
	uint64_t cluster = offset >> view.cluster_bits;
	uint64_t per_block = 1ULL << (view.cluster_bits - 1);
	uint64_t table = test_get(&view, 48, 8);
	uint64_t block = test_get(&view, table + cluster / per_block * 8, 8);

	test_put(file, block + cluster % per_block * 2, 2,
		 test_refcount(&view, cluster) + 1);
}

/* An entry that leads to a standard cluster: no longer COPIED. */
static inline void test_share_entry(struct file *file, uint64_t where)
{
	struct test_check view = test_view(file);
	uint64_t entry = test_get(&view, where, 8), length;
	uint64_t size = 1ULL << view.cluster_bits, start;
	unsigned int x = 62 - (view.cluster_bits - 8);

	if (entry >> 62 & 1) {
		start = entry & ((1ULL << x) - 1);
		length = ((entry & ((1ULL << 62) - 1)) >> x) * 512 + 512 -
			 start % 512;
		for (uint64_t i = align_down(start, size); i < start + length;
		     i += size)
			test_count_up(file, i);
	} else if (entry & 0xfffffffffffe00) {
		test_put(file, where, 8, entry & ~(1ULL << 63));
		test_count_up(file, entry & 0xfffffffffffe00);
	}
}

static inline void test_snapshot_add(struct file *file)
{
	struct test_check view = test_view(file);
	uint64_t size = 1ULL << view.cluster_bits;
	uint64_t l1 = test_get(&view, 40, 8), l1_size = test_get(&view, 36, 4);
	uint64_t copy = align_up(view.size, size);
	uint64_t list = copy + align_up(l1_size * 8, size), table;

	for (uint64_t i = 0; i < l1_size; i++) {
		test_share_entry(file, l1 + i * 8);
		view = test_view(file);
		table = test_get(&view, l1 + i * 8, 8) & 0xfffffffffffe00;
		test_put(file, copy + i * 8, 8, table);
		for (uint64_t j = 0; table && j < size; j += view.entry_size)
			test_share_entry(file, table + j);
	}
	test_put(file, list, 8, copy);
	test_put(file, list + 8, 4, l1_size);
	test_put(file, list + 12, 4, 0x00010001); /* lengths of id and name */
	test_put(file, list + 36, 4, 24);	  /* of extra data */
	test_put(file, list + 48, 8, test_get(&view, 24, 8));
	test_put(file, list + 56, 8, UINT64_MAX);
	test_put(file, list + 64, 2, '1' << 8 | 's');
	test_put(file, list + size - 1, 1, 0);
	for (uint64_t i = copy; i < list + size; i += size)
		test_count_up(file, i);
	test_put(file, 60, 4, 1);
	test_put(file, 64, 8, list);
}

#endif

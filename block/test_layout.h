/*
 * block/test_layout.h - for tests: what an image is like, chosen at random from
 * the matrix of what qcow2 can be, and the command by which QEMU makes one.
 */
#ifndef BLOCK_TEST_LAYOUT_H
#define BLOCK_TEST_LAYOUT_H

#include "block/test_disk.h"
#include "block/test_host.h"

#define TEST_SIZE_MIN (64 * KIB)
#define TEST_SIZE_MAX (TEST_SECTORS_MAX * BLOCK_SECTOR)

enum test_backing {
	TEST_BACKING_NONE,
	TEST_BACKING_SHORT, /* raw */
	TEST_BACKING_LONG,  /* qcow2, longer than any image */
	TEST_BACKING_CHAIN, /* qcow2, on top of the short one */
	TEST_BACKINGS,
};

/* As options of qemu-img rebase; "alcor img rebase" has the same. */
static const char *const test_backing_options[TEST_BACKINGS] = {
	[TEST_BACKING_NONE] = "-b ''",
	[TEST_BACKING_SHORT] = "-F raw -b short",
	[TEST_BACKING_LONG] = "-F qcow2 -b long",
	[TEST_BACKING_CHAIN] = "-F qcow2 -b chain",
};

struct test_layout {
	bool old; /* compat=0.10 */
	unsigned int cluster_size;
	unsigned int refcount_bits;
	bool extended, zstd, lazy;
	bool data_file, data_raw;
	bool snapshots; /* can it have any? */
	uint64_t size;	/* to begin with */
	enum test_backing backing;
};

/*
 * Often a small disk, where ranges meet, if its clusters are small. Half of
 * all end with a cluster.
 */
static inline uint64_t test_layout_size(struct test_random *random,
					const struct test_layout *layout)
{
	uint64_t cluster = layout->cluster_size, end = TEST_SIZE_MAX;
	uint64_t unit = BLOCK_SECTOR;

	if (test_below(random, 4))
		end = min_u64(end, MIB + 40 * cluster);
	if (test_below(random, 2))
		unit = max_u64(TEST_SIZE_MIN, cluster);
	return align_up(TEST_SIZE_MIN + test_below(random, end - TEST_SIZE_MIN),
			unit);
}

static inline struct test_layout test_layout_choose(struct test_random *random)
{
	static const unsigned int clusters[] = {512, 4096, 65536, 2097152};
	static const unsigned int extended[] = {16384, 65536, 2097152};
	static const unsigned int refcounts[] = {1,  1, 16, 16, 64,
						 64, 2, 4,  8,	32};
	struct test_layout layout = {
		.old = !test_below(random, 4),
		.cluster_size = clusters[test_below(random, 4)],
		.refcount_bits = 16,
		.snapshots = true,
		.backing = (enum test_backing)test_below(random, TEST_BACKINGS),
	};

	if (!layout.old) {
		layout.refcount_bits = refcounts[test_below(random, 10)];
		layout.zstd = test_below(random, 2);
		layout.lazy = !test_below(random, 4);
		layout.extended = !test_below(random, 3);
		if (layout.extended)
			layout.cluster_size = extended[test_below(random, 3)];
		layout.data_file = !test_below(random, 6);
		layout.data_raw = layout.data_file && !layout.backing;
		/* Each refers to all clusters, as compressed ones often. */
		layout.snapshots = layout.refcount_bits > 4 &&
				   !layout.data_file;
	}
	layout.size = test_layout_size(random, &layout);
	return layout;
}

#define TEST_COMMAND_ROOM 256

/* The command of qemu-img, or of ours, that makes it; defaults differ. */
static inline void test_layout_create(const struct test_layout *layout,
				      char *ret_command)
{
	snprintf(ret_command, TEST_COMMAND_ROOM,
		 "create -q -f qcow2 -o compat=%s,cluster_size=%u,"
		 "refcount_bits=%u%s%s%s%s%s %s image %llu",
		 layout->old ? "0.10" : "1.1", layout->cluster_size,
		 layout->refcount_bits,
		 layout->old	    ? ""
		 : layout->extended ? ",extended_l2=on"
				    : ",extended_l2=off",
		 layout->zstd ? ",compression_type=zstd" : "",
		 layout->lazy ? ",lazy_refcounts=on" : "",
		 layout->data_file ? ",data_file=data" : "",
		 layout->data_raw ? ",data_file_raw=on" : "",
		 layout->backing ? test_backing_options[layout->backing] : "",
		 (unsigned long long)layout->size);
}

/* The files that may lie beneath, in the folder of now. */
static inline bool test_layout_make_backing(void)
{
	return !test_shell(
		"set -e; qemu-img create -f raw short 1M; "
		"qemu-io -f raw -c 'write -P 11 0 700k' "
		"-c 'write -P 12 900k 124k' short; "
		"qemu-img create -f qcow2 -o cluster_size=8k long 9M; "
		"qemu-io -c 'write -P 13 0 1100k' -c 'write -P 14 3M 700k' "
		"-c 'write -z 400k 300k' long; "
		"qemu-img create -f qcow2 -F raw -b short "
		"-o cluster_size=16k,extended_l2=on chain 3000k; "
		"qemu-io -c 'write -P 15 100k 9k' -c 'write -z 300k 51k' "
		"-c 'write -c -P 16 512k 64k' -c 'write -P 17 1000k 900k' "
		"-c 'discard 1200k 200k' chain");
}

#endif

/*
 * block/qcow2_differential_test.c - random images, QEMU and us in turns.
 *
 * An image of random shape is made and written by qemu-img and qemu-io with
 * random scripts; we read it, and write to it; qemu-img checks and reads that,
 * its snapshot unchanged; QEMU goes on with it, then we do. What an image holds
 * is always said by "qemu-img convert".
 *
 * ALCOR_TEST_IMAGES says how many, ALCOR_TEST_SEED which is the first.
 */
#include "block/test_qemu.h"

#define DISK_SIZE (6 * MIB)
#define QEMU_IO	  "qemu-io -d unmap -f qcow2"

enum backing { BACKING_NONE, BACKING_RAW, BACKING_QCOW2 };

struct shape {
	bool old; /* compat=0.10 */
	unsigned int cluster_size;
	unsigned int refcount_bits;
	bool extended, zstd;
	enum backing backing;
	bool data_file, data_raw;
	bool snapshot;
};

static struct shape choose_shape(struct test_random *random)
{
	static const unsigned int clusters[] = {512, 4096, 65536, 2097152};
	static const unsigned int extended[] = {16384, 65536, 2097152};
	static const unsigned int refcounts[] = {1, 16, 64};
	struct shape shape = {
		.old = !test_below(random, 4),
		.cluster_size = clusters[test_below(random, 4)],
		.refcount_bits = 16,
		.backing = (enum backing)test_below(random, 3),
	};

	if (shape.old) {
		shape.snapshot = true;
		return shape;
	}
	shape.refcount_bits = refcounts[test_below(random, 3)];
	shape.zstd = test_below(random, 2);
	shape.extended = !test_below(random, 3);
	if (shape.extended)
		shape.cluster_size = extended[test_below(random, 3)];
	shape.data_file = !test_below(random, 6);
	shape.data_raw = shape.data_file && !shape.backing;
	shape.snapshot = shape.refcount_bits > 1 && !shape.data_file;
	return shape;
}

static void create(const struct shape *shape)
{
	static const char *const backing[] = {
		[BACKING_NONE] = "",
		[BACKING_RAW] = "-F raw -b base.raw",
		[BACKING_QCOW2] = "-F qcow2 -b base.qcow2",
	};
	char options[256];
	int used;

	used = snprintf(options, sizeof(options),
			"compat=%s,cluster_size=%u,refcount_bits=%u%s%s",
			shape->old ? "0.10" : "1.1", shape->cluster_size,
			shape->refcount_bits,
			shape->extended ? ",extended_l2=on" : "",
			shape->zstd ? ",compression_type=zstd" : "");
	if (shape->data_file)
		snprintf(options + used, sizeof(options) - (size_t)used,
			 ",data_file=data,data_file_raw=%s",
			 shape->data_raw ? "on" : "off");
	CHECK(!test_shell("rm -f image data && "
			  "qemu-img create -f qcow2 -o %s %s image %llu",
			  options, backing[shape->backing], DISK_SIZE));
}

/* Sectors most often, sometimes whole clusters. */
static void choose_range(struct test_random *random, const struct shape *shape,
			 bool whole, uint64_t *ret_offset, uint64_t *ret_length)
{
	uint64_t unit = whole ? shape->cluster_size : BLOCK_SECTOR;
	uint64_t units = DISK_SIZE / unit, longest = whole ? 3 : 400;

	*ret_offset = test_below(random, units);
	*ret_length = 1 + test_below(random, longest);
	*ret_length = min_u64(*ret_length, units - *ret_offset) * unit;
	*ret_offset *= unit;
}

/* One command of qemu-io, added to a command line. */
static void add_command(struct test_random *random, const struct shape *shape,
			char *line, size_t room)
{
	static const char *const words[] = {"write",	   "write",
					    "write -z",	   "write -z -u",
					    "discard",	   "write -c",
					    "write -z -f", "flush"};
	unsigned int kind = (unsigned int)test_below(random, 8);
	size_t used = strlen(line);
	uint64_t offset, length;

	choose_range(random, shape,
		     kind == 5 || (kind && !test_below(random, 3)), &offset,
		     &length);
	if (kind == 5) {
		length = shape->cluster_size;
		if (shape->data_file)
			kind = 0;
	}
	if (kind == 7)
		snprintf(line + used, room - used, " -c flush");
	else if (kind == 5)
		snprintf(line + used, room - used,
			 " image; " QEMU_IO " -c 'write -c -P %u %llu %llu' "
			 "image; " QEMU_IO " -c flush",
			 1 + (unsigned int)test_below(random, 255),
			 (unsigned long long)offset,
			 (unsigned long long)length);
	else if (kind < 2)
		snprintf(line + used, room - used, " -c '%s -P %u %llu %llu'",
			 words[kind], 1 + (unsigned int)test_below(random, 255),
			 (unsigned long long)offset,
			 (unsigned long long)length);
	else
		snprintf(line + used, room - used, " -c '%s %llu %llu'",
			 words[kind], (unsigned long long)offset,
			 (unsigned long long)length);
}

/*
 * Discards reach the file with -d unmap only. A compressed write has a process
 * of its own: QEMU cannot compress over what is there already (then it fails,
 * and leaks clusters), and where it has freed compressed bytes in the same
 * process it may put more behind them in a cluster that has a new owner.
 */
static void run_script(struct test_random *random, const struct shape *shape)
{
	unsigned int count = 5 + (unsigned int)test_below(random, 15);
	char line[2000] = QEMU_IO;

	for (unsigned int i = 0; i < count; i++)
		add_command(random, shape, line, sizeof(line));
	if (!CHECK(!test_shell("%s image", line)))
		printf("# %s image\n", line);
	if (strstr(line, "write -c"))
		test_shell("qemu-img check -r leaks image");
}

static void take_snapshot(void)
{
	CHECK(!test_shell("qemu-img snapshot -c s image && "
			  "qemu-img convert -l s -O raw image snapshot"));
}

static void check(const struct shape *shape)
{
	CHECK_EQUAL(test_shell("qemu-img check image"), 0);
	if (shape->snapshot)
		CHECK(!test_shell("qemu-img convert -l s -O raw image again && "
				  "cmp snapshot again"));
	if (shape->data_raw)
		CHECK(!test_shell("qemu-img convert -O raw image disk && "
				  "qemu-img compare -f raw -F raw disk data"));
}

static void tell(const struct shape *shape, uint64_t seed)
{
	printf("# ALCOR_TEST_SEED=%llu: compat %s, clusters of %u, %u refcount "
	       "bits, extended %d, zstd %d, backing %d, data file %d, raw %d\n",
	       (unsigned long long)seed, shape->old ? "0.10" : "1.1",
	       shape->cluster_size, shape->refcount_bits, shape->extended,
	       shape->zstd, shape->backing, shape->data_file, shape->data_raw);
}

static void run_image(uint64_t seed)
{
	struct test_random random = {seed};
	struct shape shape = choose_shape(&random);
	struct test_qemu_image image = {
		.path = "image",
		.data_file = shape.data_file ? "data" : NULL,
		.compress = shape.data_file ? 0 : shape.cluster_size,
		.compression = shape.zstd ? QCOW2_ZSTD : QCOW2_DEFLATE,
	};

	create(&shape);
	run_script(&random, &shape);
	if (shape.snapshot)
		take_snapshot();
	for (unsigned int turn = 0; turn < 2 && !test_failed; turn++) {
		run_script(&random, &shape);
		test_qemu_compare(&image, seed + turn);
		test_qemu_write(&image, seed + turn);
		check(&shape);
	}
	if (test_failed)
		tell(&shape, seed);
}

static void make_backing(void)
{
	/* The raw one is shorter than the images, the other one longer. */
	CHECK(!test_shell("qemu-img create -f raw base.raw 1M && "
			  "qemu-io -f raw -c 'write -P 11 0 700k' "
			  "-c 'write -P 12 900k 124k' base.raw && "
			  "qemu-img create -f qcow2 -o cluster_size=8k "
			  "base.qcow2 9M && "
			  "qemu-io -c 'write -P 13 0 1100k' "
			  "-c 'write -P 14 3M 700k' -c 'write -z 400k 300k' "
			  "base.qcow2"));
}

static void random_images_go_back_and_forth(void)
{
	unsigned long count = test_number("ALCOR_TEST_IMAGES",
					  test_is_small() ? 2 : 6);
	unsigned long first = test_number("ALCOR_TEST_SEED", 1);

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	make_backing();
	for (unsigned long i = 0; i < count && !test_failed; i++)
		run_image(first + i);
	printf("# %lu images, the first has seed %lu\n", count, first);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(random_images_go_back_and_forth),
	};

	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}

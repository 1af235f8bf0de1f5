/*
 * block/qcow2_qemu_test.c - QEMU's tools as the judge.
 *
 * Each image of the matrix goes back and forth: qemu-img and qemu-io make it
 * and write to it, we read it; we write to it, qemu-img checks and reads it,
 * with its snapshot unchanged; QEMU writes again, and we read that. What an
 * image holds is always said by "qemu-img convert".
 */
#include <errno.h>

#include "block/test_qemu.h"

static const struct test_qemu_image image = {.path = "image"};

struct shape {
	const char *compat;
	unsigned int cluster_size;
	unsigned int refcount_bits;
	const char *compression; /* "" for the default */
	const char *backing;	 /* options of qemu-img */
};

#define RAW_BACKING   "-F raw -b base.raw"
#define QCOW2_BACKING "-F qcow2 -b base.qcow2"

static const struct shape shapes[] = {
	{"0.10", 65536, 16, "", ""},
	{"1.1", 65536, 16, "zstd", QCOW2_BACKING},
	{"1.1", 4096, 16, "", RAW_BACKING},
	{"0.10", 512, 16, "", QCOW2_BACKING},
	{"1.1", 65536, 64, "", ""},
	{"1.1", 512, 64, "zstd", RAW_BACKING},
	{"1.1", 2097152, 16, "zstd", RAW_BACKING},
	{"1.1", 4096, 1, "zstd", ""},
	{"0.10", 4096, 16, "", RAW_BACKING},
	{"0.10", 2097152, 16, "", QCOW2_BACKING},
	{"1.1", 512, 16, "", ""},
	{"1.1", 512, 1, "", QCOW2_BACKING},
	{"1.1", 4096, 64, "", QCOW2_BACKING},
	{"1.1", 65536, 1, "", RAW_BACKING},
	{"1.1", 2097152, 1, "", ""},
	{"1.1", 2097152, 64, "zstd", QCOW2_BACKING},
};

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

/* Compressed writes are a cluster each, and must be aligned to one. */
static void make_image(const struct shape *shape)
{
	char compression[64] = "";
	unsigned int size = shape->cluster_size;

	if (*shape->compression)
		snprintf(compression, sizeof(compression),
			 ",compression_type=%s", shape->compression);
	CHECK(!test_shell("rm -f image && qemu-img create -f qcow2 "
			  "-o compat=%s,cluster_size=%u,refcount_bits=%u%s "
			  "%s image 6M",
			  shape->compat, size, shape->refcount_bits,
			  compression, shape->backing));
	CHECK(!test_shell("qemu-io -c 'write -P 21 100k 300k' "
			  "-c 'write -z 300k 200k' -c 'discard 1M 512k' "
			  "-c 'write -P 22 1300k 5k' "
			  "-c 'write -c -P 23 2M %u' -c 'write -c -P 24 4M %u' "
			  "-c 'write -P 25 4M 1536' -c 'discard 100k 64k' "
			  "image",
			  size, size));
	/* Refcounts of one bit have no room for a snapshot. */
	if (shape->refcount_bits > 1)
		CHECK(!test_shell("qemu-img snapshot -c s image && "
				  "qemu-img convert -l s -O raw image snapshot "
				  "&& qemu-io -c 'write -P 26 5M 70k' image"));
}

static void check_image(const struct shape *shape)
{
	CHECK_EQUAL(test_shell("qemu-img check image"), 0);
	if (shape->refcount_bits > 1)
		CHECK(!test_shell("qemu-img convert -l s -O raw image again && "
				  "cmp snapshot again"));
}

static void run_shape(const struct shape *shape, uint64_t seed)
{
	make_image(shape);
	test_qemu_compare(&image, seed);
	test_qemu_write(&image, seed);
	check_image(shape);
	CHECK(!test_shell("qemu-io -c 'write -P 31 64k 200k' "
			  "-c 'write -P 32 2000k 100k' -c 'write -z 4M 1M' "
			  "-c 'discard 3M 128k' image"));
	test_qemu_compare(&image, seed + 1);
	test_qemu_write(&image, seed + 1);
	check_image(shape);
	if (test_failed)
		printf("# compat %s, clusters of %u, %u refcount bits, %s, "
		       "%s\n",
		       shape->compat, shape->cluster_size, shape->refcount_bits,
		       shape->compression, shape->backing);
}

static void images_go_back_and_forth(void)
{
	size_t count = test_is_small() ? 4 : ARRAY_LENGTH(shapes);

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	make_backing();
	for (size_t i = 0; i < count && !test_failed; i++)
		run_shape(&shapes[i], i);
}

/* Of each compression, as qemu-img convert packs a whole disk. */
static void converted_images_are_read(void)
{
	static const char *const types[] = {"zlib", "zstd"};

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	CHECK(!test_shell("head -c 2000000 /dev/urandom | "
			  "tee -a source >>source && seq 500000 >>source"));
	for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
		CHECK(!test_shell("qemu-img convert -f raw -O qcow2 -c "
				  "-o compression_type=%s source image",
				  types[i]));
		test_qemu_compare(&image, i);
	}
}

static void preallocated_images_are_used(void)
{
	static const char *const modes[] = {"metadata", "falloc", "full"};

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
		CHECK(!test_shell("qemu-img create -f qcow2 "
				  "-o preallocation=%s image 4M",
				  modes[i]));
		test_qemu_compare(&image, i);
		test_qemu_write(&image, i);
		CHECK_EQUAL(test_shell("qemu-img check image"), 0);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(images_go_back_and_forth),
		TEST(converted_images_are_read),
		TEST(preallocated_images_are_used),
	};

	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}

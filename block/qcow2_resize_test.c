/*
 * block/qcow2_resize_test.c - larger and smaller disks, with QEMU's tools as
 * the judge. The scripts below run on our image and on a raw one beside it.
 */
#include <errno.h>

#include "block/test_disk.h"
#include "block/test_host.h"

struct shape {
	const char *options;
	bool snapshot;
	bool backing; /* longer than the image */
};

static const struct shape shapes[] = {
	{"-o cluster_size=64k", false, false},
	{"-o cluster_size=512,compat=0.10", false, false},
	{"-o cluster_size=4k", true, false},
	{"-o cluster_size=64k,extended_l2=on", true, true},
	{"-o cluster_size=512,refcount_bits=1", false, true},
	{"-o cluster_size=4k,compat=0.10", false, true},
};

/* In bytes. With the smallest clusters the L1 table grows each time. */
static const uint64_t sizes[] = {
	5 * MIB, 40 * MIB + 512, 3 * MIB + 1536, 3 * MIB + 8192,
	9 * MIB, 65536 + 512,	 12 * MIB,
};

static int resize(const char *path, enum block_format format, uint64_t size)
{
	struct block_options options = {
		.path = path,
		.format = format,
	};
	struct block *block;
	struct err err = {""};
	int ret;

	if (!CHECK(!block_open(&options, &block, &err))) {
		printf("# %s\n", err.text);
		return -EIO;
	}
	ret = block_resize(block, size, &err);
	if (ret)
		printf("# %s\n", err.text);
	else
		CHECK_EQUAL(block_size(block), size);
	CHECK_EQUAL(block_close(block), 0);
	return ret;
}

static void make_image(const struct shape *shape)
{
	const char *backing = shape->backing ? "-F raw -b base" : "";

	CHECK(!test_shell("rm -f image base && head -c 20M /dev/urandom >base "
			  "&& qemu-img create -f qcow2 %s %s image 4M && "
			  "qemu-io -c 'write -P 1 100k 3M' "
			  "-c 'write -z 1M 64k' image",
			  shape->options, backing));
	if (shape->snapshot)
		CHECK(!test_shell("qemu-img snapshot -c s image && "
				  "qemu-io -c 'write -P 3 0 600k' image"));
	CHECK(!test_shell("qemu-img convert -O raw image raw"));
}

static void write_both(uint64_t size, unsigned int step)
{
	uint64_t offset = align_down(size - size / 5, 512);
	uint64_t length = min_u64(align_up(size / 9, 512), size - offset);

	CHECK(!test_shell("for f in 'qcow2 image' 'raw raw'; do qemu-io -f $f "
			  "-c 'write -P %u %llu %llu' || exit 1; done",
			  step + 10, (unsigned long long)offset,
			  (unsigned long long)length));
}

static void run_shape(const struct shape *shape)
{
	make_image(shape);
	for (unsigned int i = 0; i < ARRAY_LENGTH(sizes) && !test_failed; i++) {
		CHECK_EQUAL(resize("image", BLOCK_QCOW2, sizes[i]), 0);
		CHECK_EQUAL(resize("raw", BLOCK_RAW, sizes[i]), 0);
		CHECK_EQUAL(test_shell("qemu-img check image"), 0);
		CHECK(!test_shell("qemu-img convert -O raw image now && "
				  "cmp now raw"));
		write_both(sizes[i], i);
		if (test_failed)
			printf("# size %llu\n", (unsigned long long)sizes[i]);
	}
	CHECK_EQUAL(test_shell("qemu-img check image"), 0);
	if (shape->snapshot)
		CHECK(!test_shell("qemu-img snapshot -a s image && "
				  "qemu-img check image && "
				  "qemu-img info image | grep 4194304"));
	if (test_failed)
		printf("# %s\n", shape->options);
}

static void sizes_are_changed(void)
{
	size_t count = test_is_small() ? 2 : ARRAY_LENGTH(shapes);

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	for (size_t i = 0; i < count && !test_failed; i++)
		run_shape(&shapes[i]);
}

/* Nothing is to be written between a repair and its end. */
static void images_that_were_not_closed_are_repaired(void)
{
	struct block_options options = {.path = "image", .read_only = true};
	struct block *block;

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	CHECK(!test_shell("rm -f image && qemu-img create -f qcow2 "
			  "-o lazy_refcounts=on,cluster_size=4k image 4M && "
			  "(qemu-io -c 'write -P 1 0 1M' -c flush "
			  "-c 'sigraise 9' image; qemu-img check image; "
			  "[ $? = 2 ])"));
	CHECK_EQUAL(block_open(&options, &block, NULL), 0);
	CHECK_EQUAL(block_close(block), 0);
	CHECK_EQUAL(test_shell("qemu-img check image"), 2);

	options.read_only = false;
	CHECK_EQUAL(block_open(&options, &block, NULL), 0);
	CHECK_EQUAL(test_shell("qemu-img check -U image"), 0);
	CHECK_EQUAL(block_write_zeroes(block, 2 * MIB, MIB, false), 0);
	CHECK_EQUAL(block_close(block), 0);
	CHECK(!test_shell("qemu-img check image && "
			  "qemu-io -c 'read -P 1 0 1M' image | "
			  "grep -c verification | grep 0"));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(sizes_are_changed),
		TEST(images_that_were_not_closed_are_repaired),
	};

	/* That an image is repaired is said there; not news here. */
	stderr = fopen("/dev/null", "w");
	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}

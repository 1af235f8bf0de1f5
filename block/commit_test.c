/*
 * block/commit_test.c - commit and rebase, with QEMU's tools as the judge.
 */
#include <errno.h>

#include "block/qcow2_rebase.h"
#include "block/test_disk.h"
#include "block/test_host.h"

static const char *const shapes[] = {
	"-o cluster_size=64k -F raw -b base.raw",
	"-o cluster_size=64k -F qcow2 -b base.qcow2",
	"-o cluster_size=512,compat=0.10 -F raw -b base.raw",
	"-o cluster_size=16k,extended_l2=on -F qcow2 -b base.qcow2",
};

static void commit(void)
{
	struct block_options options = {
		.path = "image",
		.write_depth = 1,
	};
	struct block_commit how = {.depth = 1};
	struct block *block;
	struct err err = {""};

	REQUIRE(!block_open(&options, &block, &err));
	if (!CHECK(!block_commit(block, &how, &err)))
		printf("# %s\n", err.text);
	CHECK_EQUAL(block_close(block), 0);
}

static void run_shape(const char *shape)
{
	CHECK(!test_shell("rm -f image && head -c 3M /dev/urandom >base.raw && "
			  "qemu-img convert -f raw -O qcow2 base.raw "
			  "base.qcow2 && "
			  "qemu-img create -f qcow2 %s image 4M && "
			  "qemu-io -c 'write -P 1 100k 300k' "
			  "-c 'write -z 1M 200k' -c 'write -P 2 3500k 100k' "
			  "-c 'discard 200k 64k' image && "
			  "qemu-img convert -O raw image before",
			  shape));
	commit();
	CHECK(!test_shell("qemu-img check image && "
			  "qemu-img convert -O raw image now && "
			  "cmp now before && "
			  "qemu-img map image | grep -c ' image' | grep 0"));
	CHECK(!test_shell("b=$(qemu-img info image | "
			  "sed -n 's/^backing file: //p'); "
			  "qemu-img convert -O raw $b now && cmp now before"));
	if (test_failed)
		printf("# %s\n", shape);
}

static void overlays_are_committed(void)
{
	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	for (size_t i = 0; i < ARRAY_LENGTH(shapes) && !test_failed; i++)
		run_shape(shapes[i]);
}

static int rebase(const char *backing, const char *format)
{
	struct file_options options = {.read_only = false};
	struct file *file;
	struct err err = {""};
	int ret;

	if (!CHECK(!file_open("image", &options, &file, &err)))
		return -EIO;
	ret = qcow2_rebase(file, "image", backing, format, &err);
	file_close(file);
	return ret;
}

static void check_rebase(const char *backing, const char *format)
{
	CHECK_EQUAL(rebase(backing, format), 0);
	CHECK(!test_shell("qemu-img info image | grep '^backing file: %s' && "
			  "qemu-img info image | "
			  "grep '^backing file format: %s' && "
			  "qemu-img check image && "
			  "qemu-img convert -O raw image now && cmp now %s",
			  backing, format, "before"));
}

static void backing_files_are_replaced(void)
{
	static char longest[1100];

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	CHECK(!test_shell(
		"rm -f image && head -c 3M /dev/urandom >base.raw && "
		"qemu-img convert -f raw -O qcow2 base.raw b.q && "
		"qemu-img create -f qcow2 -F raw -b base.raw image && "
		"qemu-img bitmap --add image bm && "
		"qemu-img convert -O raw image before"));
	check_rebase("b.q", "qcow2");
	check_rebase("./base.raw", "raw");
	check_rebase("././././././././././././././b.q", "qcow2");
	CHECK(!test_shell("qemu-img info image | grep 'name: bm'"));
	CHECK_EQUAL(rebase(NULL, NULL), 0);
	CHECK(!test_shell("qemu-img info image >info && ! grep backing info && "
			  "qemu-img check image"));
	check_rebase("b.q", "qcow2");
	memset(longest, 'x', sizeof(longest) - 1);
	CHECK_EQUAL(rebase(longest, "raw"), -ENAMETOOLONG);
	CHECK(!test_shell("qemu-img convert -O raw image now && "
			  "cmp now before"));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(overlays_are_committed),
		TEST(backing_files_are_replaced),
	};

	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}

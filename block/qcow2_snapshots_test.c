/*
 * block/qcow2_snapshots_test.c - internal snapshots, with QEMU's tools as the
 * judge: of what a snapshot holds, of the list, and of the image as a whole.
 */
#include <errno.h>

#include "block/qcow2_snapshots.h"
#include "block/test_disk.h"
#include "block/test_host.h"

static const char *const shapes[] = {
	"cluster_size=64k",
	"cluster_size=512,compat=0.10",
	"cluster_size=4k,refcount_bits=8",
	"cluster_size=16k,extended_l2=on",
	"cluster_size=4k,refcount_bits=64",
};

typedef int operation(struct file *file, const char *image, const char *name,
		      struct err *err);

static int run(operation *change, const char *name)
{
	struct file_options options = {.read_only = false};
	struct file *file;
	struct err err = {""};
	int ret;

	if (!CHECK(!file_open("image", &options, &file, &err)))
		return -EIO;
	ret = change(file, "image", name, &err);
	if (ret && ret != -ENOENT && ret != -ERANGE && ret != -EUCLEAN)
		printf("# %s\n", err.text);
	file_close(file);
	CHECK_EQUAL(test_shell("qemu-img check image"), 0);
	return ret;
}

/* Does a snapshot hold what was saved under that name? By QEMU, and by us. */
static void check_snapshot(const char *name, const char *saved)
{
	struct block_options options = {
		.path = "image",
		.read_only = true,
		.snapshot_id = name,
	};
	static uint8_t ours[4 * MIB], theirs[4 * MIB];
	struct iovec iov = {ours, sizeof(ours)};
	struct block *block;
	FILE *file;

	CHECK(!test_shell("qemu-img convert -l '%s' -O raw image now && "
			  "cmp now '%s'",
			  name, saved));
	REQUIRE(!block_open(&options, &block, NULL));
	CHECK_EQUAL(block_size(block), sizeof(ours));
	CHECK_EQUAL(block_read(block, 0, &iov, 1), 0);
	block_close(block);
	file = fopen(saved, "r");
	REQUIRE(file);
	CHECK_EQUAL(fread(theirs, 1, sizeof(theirs), file), sizeof(theirs));
	fclose(file);
	CHECK(!memcmp(ours, theirs, sizeof(ours)));
}

static void save(const char *name)
{
	CHECK(!test_shell("qemu-img convert -O raw image '%s'", name));
}

static bool is_listed(const char *id, const char *name)
{
	return !test_shell("qemu-img snapshot -l image | "
			   "grep -E '^%s +%s +0 B'",
			   id, name);
}

static void run_shape(const char *shape)
{
	CHECK(!test_shell("rm -f image && qemu-img create -f qcow2 -o %s image "
			  "4M && qemu-io -c 'write -P 1 0 300k' "
			  "-c 'write -P 2 1M 64k' -c 'write -z 64k 64k' "
			  "-c 'write -c -P 5 3M 64k' "
			  "-c 'write -c -P 6 512k 64k' image",
			  shape));
	save("first");
	CHECK_EQUAL(run(qcow2_snapshot_create, "a"), 0);
	CHECK(is_listed("1", "a"));
	CHECK(!test_shell("qemu-io -c 'write -P 7 100k 1M' "
			  "-c 'discard 3M 64k' image"));
	save("second");
	CHECK_EQUAL(run(qcow2_snapshot_create, "b c"), 0);
	CHECK(is_listed("2", "b c"));
	CHECK(!test_shell("qemu-io -c 'write -P 8 0 64k' image"));
	save("third");
	check_snapshot("a", "first");
	check_snapshot("2", "second");

	CHECK_EQUAL(run(qcow2_snapshot_apply, "1"), 0);
	CHECK(!test_shell(
		"qemu-img convert -O raw image now && cmp now first"));
	CHECK_EQUAL(run(qcow2_snapshot_apply, "b c"), 0);
	CHECK(!test_shell("qemu-img convert -O raw image now && "
			  "cmp now second && qemu-io "
			  "-c 'write -P 9 2M 100k' image && "
			  "qemu-img check image"));
	check_snapshot("a", "first");
	CHECK_EQUAL(run(qcow2_snapshot_delete, "a"), 0);
	CHECK(!is_listed("1", "a"));
	check_snapshot("b c", "second");
	CHECK_EQUAL(run(qcow2_snapshot_delete, "2"), 0);
	CHECK_EQUAL(run(qcow2_snapshot_delete, "2"), -ENOENT);
	CHECK_EQUAL(run(qcow2_snapshot_apply, "a"), -ENOENT);
	CHECK(!test_shell("qemu-io -c 'write -P 1 0 4M' image && "
			  "qemu-img check image"));
	if (test_failed)
		printf("# %s\n", shape);
}

static void ours_are_qemus(void)
{
	size_t count = test_is_small() ? 2 : ARRAY_LENGTH(shapes);

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	for (size_t i = 0; i < count && !test_failed; i++)
		run_shape(shapes[i]);
}

static void qemus_are_ours(void)
{
	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	CHECK(!test_shell("rm -f image && qemu-img create -f qcow2 image 4M && "
			  "qemu-io -c 'write -P 1 0 1M' image && "
			  "qemu-img snapshot -c 7 image && "
			  "qemu-img resize image 8M && "
			  "qemu-io -c 'write -P 2 1M 6M' image"));
	CHECK_EQUAL(run(qcow2_snapshot_create, "large"), 0);
	CHECK_EQUAL(run(qcow2_snapshot_apply, "7"), 0);
	CHECK(!test_shell("qemu-img info image | grep 'virtual size: 4 MiB' && "
			  "qemu-io -c 'read -P 1 0 1M' -c 'read -P 0 1M 3M' "
			  "image | grep -c 'Pattern verification' | grep 0"));
	CHECK_EQUAL(run(qcow2_snapshot_apply, "large"), 0);
	CHECK(!test_shell("qemu-img info image | grep 'virtual size: 8 MiB' && "
			  "qemu-img snapshot -d 7 image && "
			  "qemu-img snapshot -d large image && "
			  "qemu-img check image"));
}

/* A reference counts once, or not at all: no room for a second one. */
static void narrow_refcounts_are_refused(void)
{
	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	CHECK(!test_shell("rm -f image && qemu-img create -f qcow2 "
			  "-o refcount_bits=1 image 4M && "
			  "qemu-io -c 'write -P 1 0 1M' image"));
	CHECK_EQUAL(run(qcow2_snapshot_create, "a"), -ERANGE);
	CHECK(!test_shell("qemu-img snapshot -l image | wc -l | grep 0"));
}

static void bitmaps_stay_until_the_disk_changes(void)
{
	static const char has[] = "qemu-img info image | grep 'name: bm'";

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	CHECK(!test_shell("rm -f image && qemu-img create -f qcow2 image 4M && "
			  "qemu-img bitmap --add image bm && "
			  "qemu-io -c 'write -P 1 0 1M' image && %s",
			  has));
	CHECK_EQUAL(run(qcow2_snapshot_create, "a"), 0);
	CHECK(!test_shell("%s", has));
	CHECK(!test_shell("qemu-io -c 'write -P 2 1M 1M' image"));
	CHECK_EQUAL(run(qcow2_snapshot_apply, "a"), 0);
	CHECK(test_shell("%s", has));
	CHECK_EQUAL(run(qcow2_snapshot_delete, "a"), 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(ours_are_qemus),
		TEST(qemus_are_ours),
		TEST(narrow_refcounts_are_refused),
		TEST(bitmaps_stay_until_the_disk_changes),
	};

	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}

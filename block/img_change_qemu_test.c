/*
 * block/img_change_qemu_test.c - the commands that make or change an image,
 * beside QEMU's.
 */
#include "block/test_img.h"

static void images_are_made_the_same(void)
{
	static const char *const commands[] = {
		"qemu-img create x 1000",
		"qemu-img create -q x 1.5M",
		"qemu-img create -f raw -o preallocation=full x 1M",
		"qemu-img create -f qcow2 x 1G",
		"qemu-img create -f qcow2 -o compat=0.10 x 1000",
		"qemu-img create -f qcow2 -o cluster_size=512,refcount_bits=64,"
		"compression_type=zstd,lazy_refcounts=on x 10M",
		"qemu-img create -f qcow2 -o preallocation=metadata x 3M",
		"qemu-img create -f qcow2 -o extended_l2=on,"
		"preallocation=falloc x 3M",
		"qemu-img create -f qcow2 -b top.qcow2 -F qcow2 x",
		"qemu-img create -f qcow2 -o backing_file=top.raw,"
		"backing_fmt=raw,cluster_size=512 x 5M",
	};

	test_img_compare_changes(commands, ARRAY_LENGTH(commands));
}

static void images_are_converted_the_same(void)
{
	static const char *const commands[] = {
		"qemu-img convert top.qcow2 x",
		"qemu-img convert -O qcow2 packed.qcow2 x",
		"qemu-img convert -O qcow2 -S 0 holes.raw x",
		"qemu-img convert -O qcow2 base.qcow2 holes.raw top.qcow2 x",
		"qemu-img convert -O qcow2 -c -o cluster_size=4k,"
		"compression_type=zstd longer.raw x",
		"qemu-img convert -O qcow2 -c -o compat=0.10,cluster_size=2M "
		"top.qcow2 x",
		"qemu-img convert -O qcow2 -c -o cluster_size=512,"
		"refcount_bits=1 holes.raw x",
		"qemu-img convert -O qcow2 -c -o extended_l2=on sub.qcow2 x",
		"qemu-img convert -O qcow2 -B base.qcow2 -F qcow2 top.qcow2 x",
		"qemu-img convert -l one -O qcow2 snapshots.qcow2 x",
		"qemu-img convert -l snapshot.id=2 snapshots.qcow2 x",
		"qemu-img convert -O qcow2 -o preallocation=metadata "
		"top.raw x",
	};

	test_img_compare_changes(commands, ARRAY_LENGTH(commands));
}

/* What lies below the target must not show where the source is empty. */
static void images_are_filled_the_same(void)
{
	static const char *const commands[] = {
		"qemu-img convert -n -O qcow2 odd.qcow2 x",
		"qemu-img convert -n -O qcow2 base.qcow2 x",
		"qemu-img convert -n -c -O qcow2 packed.qcow2 x",
		"qemu-img convert -n -o compat=1.1 -O qcow2 odd.qcow2 x",
	};

	if (!test_img_ready())
		return;
	CHECK(!test_shell("qemu-img convert -O qcow2 holes.raw below && "
			  "qemu-img create -f qcow2 -b below -F qcow2 before "
			  "2M"));
	test_img_compare_changes(commands, ARRAY_LENGTH(commands));
	/* Its manual says so, too. */
	CHECK_EQUAL(test_img_ours("qemu-img convert -n --target-is-zero "
				  "-O qcow2 odd.qcow2 before"),
		    1);
	test_shell("rm before below");
}

static void parts_are_copied_the_same(void)
{
	static const char *const commands[] = {
		"qemu-img dd if=holes.raw of=x",
		"qemu-img dd if=top.qcow2 of=x bs=3000",
		"qemu-img dd -f qcow2 -O qcow2 if=packed.qcow2 of=x bs=64k",
		"qemu-img dd -O qcow2 if=top.raw of=x bs=511 skip=129",
		"qemu-img dd if=top.qcow2 of=x bs=1M skip=1",
		"qemu-img dd if=top.qcow2 of=x bs=100k count=9",
		"qemu-img dd if=top.qcow2 of=x bs=1.5k count=0",
		"qemu-img dd if=top.qcow2 of=x bs=1M skip=9",
		"qemu-img dd -O qcow2 if=holes.raw of=x bs=7 count=3000",
	};

	test_img_compare_changes(commands, ARRAY_LENGTH(commands));
	/* QEMU counts what it skips. */
	CHECK_EQUAL(test_img_ours("qemu-img dd if=other.raw of=x bs=1000 "
				  "skip=2490 count=20"),
		    0);
	CHECK(!test_shell("dd if=other.raw bs=1000 skip=2490 count=20 | "
			  "{ cat; head -c 480 /dev/zero; } | cmp - x"));
}

static void snapshots_are_the_same(void)
{
	static const char *const commands[] = {
		"qemu-img snapshot -a 1 x",   "qemu-img snapshot -d one x",
		"qemu-img snapshot -d 7 x",   "qemu-img snapshot -a 7 x",
		"qemu-img snapshot -c new x", "qemu-img snapshot -l -c x x",
	};

	if (!test_img_ready())
		return;
	test_img_compare("qemu-img snapshot snapshots.qcow2");
	test_img_compare("qemu-img snapshot -l snapshots.qcow2");
	test_img_compare("qemu-img snapshot -l base.qcow2");
	/* Applying one beside bitmaps is refused by QEMU, which has more. */
	CHECK(!test_shell("cp snapshots.qcow2 before && "
			  "qemu-img bitmap --remove before b1 && "
			  "qemu-img bitmap --remove before b2"));
	test_img_compare_changes(commands, ARRAY_LENGTH(commands));
	test_shell("rm before");
}

static void images_are_resized_the_same(void)
{
	static const char *const commands[] = {
		"qemu-img resize x +0",
		"qemu-img resize -q x 3G",
		"qemu-img resize x -64k",
		"qemu-img resize --shrink x -64k",
		"qemu-img resize --shrink x -3G",
		"qemu-img resize x foo",
		"qemu-img resize --preallocation=foo x 1G",
		"qemu-img resize --preallocation=falloc --shrink x 64k",
		("qemu-io -c 'truncate 10M' -c length -c 'truncate 100k' "
		 "-c length -c 'truncate foo' -c 'truncate' x"),
	};

	if (!test_img_ready())
		return;
	CHECK(!test_shell("cp packed.qcow2 before"));
	test_img_compare_changes(commands, ARRAY_LENGTH(commands));
	CHECK(!test_shell("cp top.raw before"));
	test_img_compare_change("qemu-img resize -f raw x +1000");
	test_img_compare_change("qemu-img resize -f raw --shrink x 100k");
	test_img_compare_change(
		"qemu-img resize -f raw --preallocation=full x 3M");
	test_shell("rm before");
}

static void backing_files_are_changed_the_same(void)
{
	static const char *const commands[] = {
		"qemu-img rebase -b packed.qcow2 -F qcow2 x",
		"qemu-img rebase -b top.raw -F raw x",
		"qemu-img rebase -b '' x",
		"qemu-img rebase -u -b top.raw -F raw x",
		"qemu-img rebase -u -b top.raw x",
		"qemu-img rebase x",
	};

	if (!test_img_ready())
		return;
	CHECK(!test_shell("cp top.qcow2 before"));
	test_img_compare_changes(commands, ARRAY_LENGTH(commands));
	test_shell("rm before");
	test_img_compare("qemu-img commit base.qcow2");
	test_img_compare("qemu-img commit -b missing top.qcow2");
}

/* Into its backing file and the one below, with the overlay as it was. */
static void overlays_are_kept(void)
{
	static const char *const how[] = {"-d", "-b middle.qcow2",
					  "-b base.qcow2"};

	if (!test_img_ready())
		return;
	for (size_t i = 0; i < ARRAY_LENGTH(how) && !test_failed; i++) {
		char command[64];

		CHECK(!test_shell(
			"mkdir c && cp base.qcow2 c && cd c && "
			"qemu-img create -f qcow2 -b base.qcow2 -F qcow2 "
			"middle.qcow2 900k && qemu-img create -f qcow2 "
			"-b middle.qcow2 -F qcow2 top.qcow2 3M && "
			"qemu-io -c 'write -P 7 0 100k' -c 'write -z 200k 64k' "
			"middle.qcow2 && "
			"qemu-io -c 'write -P 8 64k 64k' top.qcow2 && "
			"qemu-img convert top.qcow2 top.raw && cp -r . ../d"));
		CHECK(!test_shell("cd d && qemu-img commit %s top.qcow2",
				  how[i]));
		snprintf(command, sizeof(command),
			 "qemu-img commit %s top.qcow2", how[i]);
		CHECK(!chdir("c"));
		CHECK_EQUAL(test_img_ours(command), 0);
		CHECK(!chdir(".."));
		CHECK(!test_shell("for i in top middle base; do "
				  "qemu-img compare c/$i.qcow2 d/$i.qcow2 "
				  "&& qemu-img check c/$i.qcow2 || exit 1; "
				  "done; qemu-img compare c/top.qcow2 "
				  "c/top.raw"));
		test_shell("rm -r c d");
	}
}

static void images_are_amended_the_same(void)
{
	static const char *const commands[] = {
		"qemu-img amend -o compat=0.10 x",
		"qemu-img amend -o compat=1.1,lazy_refcounts=on x",
		"qemu-img amend -o refcount_bits=1 x",
		"qemu-img amend -o refcount_bits=64 x",
		"qemu-img amend -o size=3M x",
		"qemu-img amend -o compat=v2,size=1M x",
		"qemu-img amend -o lazy_refcounts=on,refcount_bits=8,size=5M x",
		"qemu-img amend -o compat=0.10,refcount_bits=8 x",
	};
	static const char *const befores[] = {
		"qemu-img convert -O qcow2 packed.qcow2 before",
		"cp top.qcow2 before",
		("qemu-img create -f qcow2 -o compat=0.10 -b base.qcow2 "
		 "-F qcow2 before && qemu-io -c 'write 100k 100k' before"),
	};

	if (!test_img_ready())
		return;
	for (size_t i = 0; i < ARRAY_LENGTH(befores); i++) {
		CHECK(!test_shell("%s", befores[i]));
		test_img_compare_changes(commands, ARRAY_LENGTH(commands));
		test_shell("rm before");
	}
}

/*
 * A cluster that is counted more often than it is used has no COPIED flag. With
 * the counts that amend makes, it needs one.
 */
static void leaks_are_amended_away(void)
{
	if (!test_img_ready())
		return;
	CHECK(!test_shell("qemu-img create -f qcow2 x 1M && "
			  "qemu-io -c 'write 0 64k' x"));
	/* The L2 entry at 4 * 64K, the refcount of cluster 5 at 2 * 64K. */
	CHECK(!test_shell("printf '\\0' | dd of=x bs=1 seek=262144 "
			  "conv=notrunc && printf '\\0\\3' | dd of=x bs=1 "
			  "seek=131082 conv=notrunc"));
	CHECK_EQUAL(test_shell("qemu-img check x"), 3);
	CHECK_EQUAL(test_img_ours("qemu-img amend -o refcount_bits=32 x"), 0);
	CHECK_EQUAL(test_shell("qemu-img check x"), 0);
	test_shell("rm x");
}

/* The chain shows the same, and the overlay has nothing any more. */
static void overlays_are_committed(void)
{
	if (!test_img_ready())
		return;
	CHECK(!test_shell("cp base.qcow2 lower.qcow2 && "
			  "cp top.qcow2 upper.qcow2 && "
			  "qemu-img rebase -u -b lower.qcow2 -F qcow2 "
			  "upper.qcow2"));
	CHECK_EQUAL(test_img_ours("qemu-img commit upper.qcow2"), 0);
	CHECK_EQUAL(test_shell("qemu-img compare upper.qcow2 top.raw && "
			       "qemu-img compare lower.qcow2 top.raw && "
			       "qemu-img check upper.qcow2 && "
			       "qemu-img check lower.qcow2"),
		    0);
	CHECK_EQUAL(test_shell("qemu-img map upper.qcow2 | grep upper"), 1);
	test_shell("rm upper.qcow2 lower.qcow2");
}

/* By what it wrote where, one request at a time and several. */
static void bench_walks_the_same(void)
{
	static const char *const commands[] = {
		"qemu-img bench -w -f raw -c 7 -d 1 -s 4k -S 404k "
		"--pattern 65 x",
		"qemu-img bench -w -f raw -c 300 -d 4 -s 4k -S 1676k "
		"-o 20k --pattern 66 x",
		"qemu-img bench -w -f raw -c 9 -d 1 -s 4k -S 5000k "
		"--pattern 67 --flush-interval 2 x",
	};

	if (!test_img_ready())
		return;
	CHECK(!test_shell("truncate -s 2M before"));
	test_img_compare_changes(commands, ARRAY_LENGTH(commands));
	test_shell("rm before");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(images_are_made_the_same),
		TEST(images_are_converted_the_same),
		TEST(images_are_filled_the_same),
		TEST(parts_are_copied_the_same),
		TEST(snapshots_are_the_same),
		TEST(images_are_resized_the_same),
		TEST(backing_files_are_changed_the_same),
		TEST(images_are_amended_the_same),
		TEST(leaks_are_amended_away),
		TEST(overlays_are_committed),
		TEST(overlays_are_kept),
		TEST(bench_walks_the_same),
	};

	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}

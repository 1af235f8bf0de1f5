/*
 * block/img_look_qemu_test.c - the commands that only look at images (info,
 * map, compare, check), and wrong usage of any, beside QEMU's.
 */
#include "block/test_img.h"

/* The last one has subclusters, whose map QEMU draws with more detail. */
static const char *const images[] = {
	"base.qcow2", "top.qcow2",	 "packed.qcow2", "old.qcow2",
	"odd.qcow2",  "snapshots.qcow2", "top.raw",	 "holes.raw",
	"missing",    "sub.qcow2",
};

/* A command on the first @count images. */
static void compare_on_images(const char *command, size_t count)
{
	char line[256];

	for (size_t i = 0; i < count; i++) {
		snprintf(line, sizeof(line), "%s %s", command, images[i]);
		test_img_compare(line);
	}
}

static void info_is_the_same(void)
{
	size_t count = ARRAY_LENGTH(images);

	if (!test_img_ready())
		return;
	compare_on_images("qemu-img info", count);
	compare_on_images("qemu-img info --output=json", count);
	compare_on_images("qemu-img info --backing-chain --output=json", count);
	CHECK(!test_shell("qemu-img create -f qcow2 -u -b ring.qcow2 -F qcow2 "
			  "knot.qcow2 1M && qemu-img create -f qcow2 -u -b "
			  "knot.qcow2 -F qcow2 ring.qcow2 1M"));
	test_img_compare("qemu-img info --backing-chain ring.qcow2");
}

static void map_is_the_same(void)
{
	size_t count = ARRAY_LENGTH(images) - 1;

	if (!test_img_ready())
		return;
	compare_on_images("qemu-img map", count);
	compare_on_images("qemu-img map --output=json", count);
	compare_on_images("qemu-img map -s 64k -l 128k --output=json", count);
}

static void compare_is_the_same(void)
{
	static const char *const commands[] = {
		"qemu-img compare base.qcow2 packed.qcow2",
		"qemu-img compare base.qcow2 base.qcow2",
		"qemu-img compare top.qcow2 top.raw",
		"qemu-img compare -s top.qcow2 longer.raw",
		"qemu-img compare -f qcow2 -F raw top.qcow2 longer.raw",
		"qemu-img compare longer.raw top.qcow2",
		"qemu-img compare -q longer.raw other.raw",
		"qemu-img compare longer.raw other.raw",
		"qemu-img compare -f raw top.qcow2 top.raw",
		"qemu-img compare missing top.raw",
		"qemu-img compare top.raw",
	};

	test_img_compare_all(commands, ARRAY_LENGTH(commands));
}

static void measures_are_the_same(void)
{
	static const char *const commands[] = {
		"qemu-img measure --size 1000",
		"qemu-img measure -O qcow2 --size 1T",
		"qemu-img measure -O qcow2 -o cluster_size=512 --size 10G",
		"qemu-img measure -O qcow2 -o extended_l2=on,cluster_size=16k,"
		"refcount_bits=64 --size 1T --output=json",
		"qemu-img measure -O qcow2 -o preallocation=full --size 1G",
		"qemu-img measure -O qcow2 -o preallocation=metadata --size 1G",
		"qemu-img measure -O qcow2 -o size=1M --size 2M",
		"qemu-img measure -O qcow2 -o backing_file=x,backing_fmt=raw "
		"top.qcow2",
		"qemu-img measure -l one -O qcow2 snapshots.qcow2",
		"qemu-img measure --size 1G -l x",
		"qemu-img measure --size 1G top.raw",
		"qemu-img measure --size foo",
		"qemu-img measure",
		"qemu-img measure -O foo --size 1G",
		"qemu-img measure -O qcow2 -o foo=1 --size 1G",
	};
	size_t count = ARRAY_LENGTH(images);

	test_img_compare_all(commands, ARRAY_LENGTH(commands));
	compare_on_images("qemu-img measure", count);
	compare_on_images("qemu-img measure -O qcow2 --output=json", count);
	compare_on_images("qemu-img measure -O qcow2 -o cluster_size=4k",
			  count);
	compare_on_images("qemu-img measure -O qcow2 -o compat=0.10", count);
}

static void wrong_usage_is_told_the_same_way(void)
{
	static const char *const commands[] = {
		"qemu-img info",
		"qemu-img info --foo x",
		"qemu-img info -f foo base.qcow2",
		"qemu-img info --output=xml base.qcow2",
		"qemu-img map -s foo base.qcow2",
		"qemu-img create -f foo y 10M",
		"qemu-img create -f qcow2 y",
		"qemu-img create -f qcow2 y 10Q",
		"qemu-img create -f qcow2 y 1M -o foo=bar",
		"qemu-img create -f qcow2 -o cluster_size=3 y 10M",
		"qemu-img create -f qcow2 -o refcount_bits=7 y 10M",
		"qemu-img create -f qcow2 -o compat=0.10,refcount_bits=1 y 1M",
		"qemu-img create -f qcow2 -o compat=0.10,extended_l2=on y 1M",
		"qemu-img create -f qcow2 -o compat=7 y 1M",
		"qemu-img create -f qcow2 -o size=1M y 1M",
		"qemu-img create -f qcow2 y 1E",
		"qemu-img create -f raw -b base.qcow2 -F qcow2 y",
		"qemu-img create -f qcow2 -b missing -F qcow2 y",
		"qemu-img create -f qcow2 nowhere/y 1M",
		"qemu-img create -f qcow2 -b '' y 1M",
		"qemu-img convert -O foo base.qcow2 y",
		"qemu-img convert -O qcow2 -o foo=1 base.qcow2 y",
		"qemu-img convert -c -O raw base.qcow2 y",
		"qemu-img convert -S 1 base.qcow2 y",
		"qemu-img convert -m 20 base.qcow2 y",
		"qemu-img convert missing y",
		"qemu-img convert -n -O raw base.qcow2 missing",
		"qemu-img convert -n -O raw base.qcow2 holes.raw",
		"qemu-img dd if=base.qcow2",
		"qemu-img dd if=base.qcow2 of=y bs=0",
		"qemu-img dd if=base.qcow2 of=y bs=foo",
		"qemu-img dd if=base.qcow2 of=y bs=2G",
		"qemu-img dd if=base.qcow2 of=y count=-1",
		"qemu-img dd if=base.qcow2 of=y skip=x",
		"qemu-img dd if=base.qcow2 of=y seek=1",
		"qemu-img dd if=base.qcow2 of=y foo",
		"qemu-img dd if=missing of=y",
		"qemu-img amend top.raw",
		"qemu-img amend -o compat=1.1",
		"qemu-img amend -f raw -o size=1M top.raw",
		"qemu-img amend -o foo=1 base.qcow2",
		"qemu-img amend -o compat=7 base.qcow2",
		"qemu-img amend -o cluster_size=4k base.qcow2",
		"qemu-img amend -o backing_file=x base.qcow2",
		"qemu-img amend -o refcount_bits=3 base.qcow2",
		"qemu-img amend -o refcount_bits=8 old.qcow2",
		"qemu-img amend -o lazy_refcounts=on old.qcow2",
		"qemu-img amend -o refcount_bits=1 snapshots.qcow2",
		"qemu-img amend -o compat=0.10 odd.qcow2",
		"qemu-io -c length missing",
		"qemu-io -c length",
	};

	test_img_compare_all(commands, ARRAY_LENGTH(commands));
}

static void check_is_the_same(void)
{
	static const char *const names[] = {"packed.qcow2", "old.qcow2",
					    "odd.qcow2", "sub.qcow2"};
	char command[256];

	if (!test_img_ready())
		return;
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		snprintf(command, sizeof(command), "qemu-img check %s",
			 names[i]);
		test_img_compare(command);
		snprintf(command, sizeof(command),
			 "qemu-img check --output=json %s", names[i]);
		test_img_compare(command);
	}
	test_img_compare("qemu-img check -f raw base.qcow2");
}

/* Bytes of base.qcow2 that are changed; cluster 8 is behind its last. */
static const struct damage {
	const char *offset, *bytes; /* for the shell, for printf(1) */
	bool repair_is_the_same;    /* QEMU gives up on the others */
} damages[] = {
	{"0x20000 + 2 * 9", "\\0\\1\\0\\0\\0\\2", true}, /* leaks */
	{"0x40000", "\\202", false},			 /* reserved bits */
	{"0x40000 + 6", "\\2", false},			 /* not aligned */
	{"0x40000 + 2", "\\177", false},		 /* past the end */
	{"0x30000", "\\202", false},			 /* reserved bits */
};

static void damages_are_told_the_same_way(void)
{
	if (!test_img_ready())
		return;
	for (size_t i = 0; i < ARRAY_LENGTH(damages); i++) {
		CHECK(!test_shell("cp base.qcow2 before && "
				  "truncate -s 1M before && printf '%s' | "
				  "dd of=before bs=1 seek=$((%s)) conv=notrunc",
				  damages[i].bytes, damages[i].offset));
		test_img_compare("qemu-img check before");
		if (!damages[i].repair_is_the_same)
			continue;
		test_img_compare_change("qemu-img check -r leaks x");
		test_img_compare_change("qemu-img check -r all x");
	}
	test_shell("rm before");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(info_is_the_same),
		TEST(map_is_the_same),
		TEST(compare_is_the_same),
		TEST(measures_are_the_same),
		TEST(wrong_usage_is_told_the_same_way),
		TEST(check_is_the_same),
		TEST(damages_are_told_the_same_way),
	};

	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}

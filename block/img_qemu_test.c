/*
 * block/img_qemu_test.c - the image tools beside QEMU's: the same command,
 * the same output, the same exit status; and images that QEMU's tools take for
 * the same.
 */
#include <fcntl.h>

#include "base/math.h"
#include "base/test.h"
#include "block/img.h"
#include "block/test_host.h"

#define WORDS_MAX 40

/* Cuts a line at spaces; single quotes keep words together. */
static int split(char *line, char **argv)
{
	int argc = 0;
	char *at = line;

	while (argc < WORDS_MAX - 1) {
		at += strspn(at, " ");
		if (!*at)
			break;
		if (*at == '\'') {
			argv[argc++] = ++at;
			at += strcspn(at, "'");
		} else {
			argv[argc++] = at;
			at += strcspn(at, " ");
		}
		if (*at)
			*at++ = '\0';
	}
	argv[argc] = NULL;
	return argc;
}

/* Standard output and error of a command go to NAME and NAME.err. */
static bool redirect(int from, const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	return fd >= 0 && dup2(fd, from) >= 0;
}

/* Runs our tools in a child, with the output in "ours"; its exit status. */
static int run_ours(const char *command)
{
	char line[1024], *argv[WORDS_MAX];
	int status = -1, argc;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child)
		return waitpid(child, &status, 0) == child && WIFEXITED(status)
			       ? WEXITSTATUS(status)
			       : -1;
	snprintf(line, sizeof(line), "%s", command);
	argc = split(line, argv);
	if (!redirect(STDOUT_FILENO, "ours") ||
	    !redirect(STDERR_FILENO, "ours.err"))
		_exit(125);
	status = img_command_as_qemu(argc, argv);
	fflush(stdout);
	_exit(status);
}

/* Runs QEMU's with the output in "theirs"; its exit status. */
static int run_theirs(const char *command)
{
	return test_shell("%s >theirs 2>theirs.err", command);
}

/* Times and rates are not the same twice. */
static bool is_same_output(void)
{
	return !test_shell(
		"for i in ours theirs; do sed -i 's/ ops; .*/ ops/;"
		"s/^\\([0-9]*,1,\\).*/\\1/; s/completed in .*//' $i; "
		"done; cmp ours theirs && cmp ours.err theirs.err");
}

/* After a difference: with what, and which. */
static void show(const char *command)
{
	printf("# command: %s\n", command);
	fflush(stdout);
	if (system("(diff theirs ours; diff theirs.err ours.err) | "
		   "sed 's/^/# /' | head -20"))
		printf("# no diff(1)\n");
}

static void compare(const char *command)
{
	int theirs = run_theirs(command), ours = run_ours(command);
	bool same = is_same_output();

	CHECK(same);
	CHECK_EQUAL(ours, theirs);
	if (!same || ours != theirs)
		show(command);
}

/*
 * The same for a command that makes or changes "x", which is a copy of
 * "before" if there is one: and what QEMU then sees in it must be the same.
 */
static void compare_change(const char *command)
{
	static const char prepare[] =
		"rm -f x; test ! -e before || cp --sparse=always before x";
	int theirs, ours;
	bool same;

	test_shell(prepare);
	theirs = run_theirs(command);
	test_shell("rm -f x.theirs; mv x x.theirs");
	test_shell(prepare);
	ours = run_ours(command);
	same = is_same_output();
	CHECK(same);
	CHECK_EQUAL(ours, theirs);
	if (!test_shell("test -e x.theirs"))
		same &= CHECK(!test_shell("qemu-img compare x x.theirs")) &&
			CHECK(!test_shell("qemu-img check x || test $? = 63"));
	if (!same || ours != theirs)
		show(command);
}

/* --- Images to look at ---------------------------------------------------- */

/* Once; no test changes them. */
static void make_images(void)
{
	static bool are_made;

	if (are_made)
		return;
	are_made = true;
	CHECK(!test_shell(
		"qemu-img create -f qcow2 base.qcow2 1M && "
		"qemu-io -c 'write -P 1 0 64k' -c 'write -P 2 128k 3k' "
		"-c 'write -z 256k 64k' -c 'write -P 1 512k 64k' "
		"-c 'write -z 512k 64k' base.qcow2"));
	CHECK(!test_shell(
		"qemu-img create -f qcow2 -b base.qcow2 -F qcow2 top.qcow2 2M "
		"&& qemu-io -c 'write -P 3 64k 64k' top.qcow2"));
	CHECK(!test_shell("cp base.qcow2 packed.qcow2 && "
			  "qemu-io -c 'write -c -P 3 640k 128k' packed.qcow2"));
	CHECK(!test_shell(
		"qemu-img create -f qcow2 -o compat=0.10 old.qcow2 1G && "
		"qemu-img create -f qcow2 -o lazy_refcounts=on,"
		"refcount_bits=1,cluster_size=512 odd.qcow2 1M && "
		"qemu-img create -f qcow2 -o extended_l2=on,"
		"compression_type=zstd sub.qcow2 10M && "
		"qemu-io -c 'write 2k 3k' sub.qcow2"));
	CHECK(!test_shell(
		"cp base.qcow2 snapshots.qcow2 && "
		"qemu-img snapshot -c one snapshots.qcow2 && "
		"qemu-img snapshot -c 'a name of its own' snapshots.qcow2 && "
		"qemu-img bitmap --add -g 128k snapshots.qcow2 b1 && "
		"qemu-img bitmap --add snapshots.qcow2 b2 && "
		"qemu-img bitmap --disable snapshots.qcow2 b2"));
	CHECK(!test_shell("head -c 65536 /dev/urandom >holes.raw && "
			  "truncate -s 1000000 holes.raw && "
			  "qemu-img convert -O raw top.qcow2 top.raw && "
			  "cp top.raw longer.raw && truncate -s 3M longer.raw "
			  "&& cp longer.raw other.raw && printf x | "
			  "dd of=other.raw bs=1 seek=2500000 conv=notrunc"));
}

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
		compare(line);
	}
}

static void info_is_the_same(void)
{
	size_t count = ARRAY_LENGTH(images);

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	make_images();
	compare_on_images("qemu-img info", count);
	compare_on_images("qemu-img info --output=json", count);
	compare_on_images("qemu-img info --backing-chain --output=json", count);
}

static void map_is_the_same(void)
{
	size_t count = ARRAY_LENGTH(images) - 1;

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	make_images();
	compare_on_images("qemu-img map", count);
	compare_on_images("qemu-img map --output=json", count);
	compare_on_images("qemu-img map -s 64k -l 128k --output=json", count);
}

static void compare_all(const char *const commands[], size_t count)
{
	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	make_images();
	for (size_t i = 0; i < count; i++)
		compare(commands[i]);
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

	compare_all(commands, ARRAY_LENGTH(commands));
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
		"qemu-img convert -O foo base.qcow2 y",
		"qemu-img convert -O qcow2 -o foo=1 base.qcow2 y",
		"qemu-img convert -c -O raw base.qcow2 y",
		"qemu-img convert -S 1 base.qcow2 y",
		"qemu-img convert -m 20 base.qcow2 y",
		"qemu-img convert missing y",
		"qemu-img convert -n -O raw base.qcow2 missing",
		"qemu-img convert -n -O raw base.qcow2 holes.raw",
		"qemu-io -c length missing",
		"qemu-io -c length",
	};

	compare_all(commands, ARRAY_LENGTH(commands));
}

/* --- Commands that make or change an image -------------------------------- */

static void compare_changes(const char *const commands[], size_t count)
{
	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	make_images();
	for (size_t i = 0; i < count; i++)
		compare_change(commands[i]);
}

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

	compare_changes(commands, ARRAY_LENGTH(commands));
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

	compare_changes(commands, ARRAY_LENGTH(commands));
}

/* The images as they are, and one with a cluster that nothing uses. */
static void check_is_the_same(void)
{
	static const char *const names[] = {"packed.qcow2", "old.qcow2",
					    "odd.qcow2", "sub.qcow2",
					    "leaky.qcow2"};
	char command[256];

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	make_images();
	/* The refcount of the cluster behind the last one. */
	CHECK(!test_shell(
		"cp base.qcow2 leaky.qcow2 && truncate -s 640k "
		"leaky.qcow2 && printf '\\0\\1' | dd bs=1 "
		"of=leaky.qcow2 seek=$((0x20000 + 18)) conv=notrunc"));
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		snprintf(command, sizeof(command), "qemu-img check %s",
			 names[i]);
		compare(command);
		snprintf(command, sizeof(command),
			 "qemu-img check --output=json %s", names[i]);
		compare(command);
	}
	compare("qemu-img check -f raw base.qcow2");
	CHECK_EQUAL(run_ours("qemu-img check -r leaks leaky.qcow2"), 0);
	CHECK_EQUAL(test_shell("qemu-img check leaky.qcow2"), 0);
}

static void snapshots_are_the_same(void)
{
	static const char *const commands[] = {
		"qemu-img snapshot -a 1 x",   "qemu-img snapshot -d one x",
		"qemu-img snapshot -d 7 x",   "qemu-img snapshot -a 7 x",
		"qemu-img snapshot -c new x", "qemu-img snapshot -l -c x x",
	};

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	make_images();
	compare("qemu-img snapshot snapshots.qcow2");
	compare("qemu-img snapshot -l snapshots.qcow2");
	compare("qemu-img snapshot -l base.qcow2");
	/* Applying one beside bitmaps is refused by QEMU, which has more. */
	CHECK(!test_shell("cp snapshots.qcow2 before && "
			  "qemu-img bitmap --remove before b1 && "
			  "qemu-img bitmap --remove before b2"));
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
		compare_change(commands[i]);
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

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	make_images();
	CHECK(!test_shell("cp packed.qcow2 before"));
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
		compare_change(commands[i]);
	CHECK(!test_shell("cp top.raw before"));
	compare_change("qemu-img resize -f raw x +1000");
	compare_change("qemu-img resize -f raw --shrink x 100k");
	compare_change("qemu-img resize -f raw --preallocation=full x 3M");
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

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	make_images();
	CHECK(!test_shell("cp top.qcow2 before"));
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
		compare_change(commands[i]);
	test_shell("rm before");
	compare("qemu-img commit base.qcow2");
}

/* The chain shows the same, and the overlay has nothing any more. */
static void overlays_are_committed(void)
{
	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	make_images();
	CHECK(!test_shell("cp base.qcow2 lower.qcow2 && "
			  "cp top.qcow2 upper.qcow2 && "
			  "qemu-img rebase -u -b lower.qcow2 -F qcow2 "
			  "upper.qcow2"));
	CHECK_EQUAL(run_ours("qemu-img commit upper.qcow2"), 0);
	CHECK_EQUAL(test_shell("qemu-img compare upper.qcow2 top.raw && "
			       "qemu-img compare lower.qcow2 top.raw && "
			       "qemu-img check upper.qcow2 && "
			       "qemu-img check lower.qcow2"),
		    0);
	CHECK_EQUAL(test_shell("qemu-img map upper.qcow2 | grep upper"), 1);
	test_shell("rm upper.qcow2 lower.qcow2");
}

static void io_is_the_same(void)
{
	static const char *const commands[] = {
		"qemu-io -c 'write -P 7 0 1024' -c 'read -v 0 48' "
		"-c 'read -P 7 0 2k' -c 'read -P 7 -l 1k 0 2k' "
		"-c 'read -P 7 -s 1k -l 1k 0 2k' -c 'writev 0 512 1k' "
		"-c 'readv -v 8 16 16' -c 'write -C 0 64k' x",
		"qemu-io -c 'write -c -P 5 768k 64k' -c 'write -c 2M 65k' "
		"-c 'write -c 3k 64k' -c 'read -P 5 768k 64k' x",
		"qemu-io -c 'aio_write -P 3 0 512 512' -c aio_flush "
		"-c 'aio_read -P 4 0 512' -c aio_flush -c 'discard 0 64k' "
		"-c 'discard 1 2' -c 'write 63M 2M' -c 'read 64M 512' x",
		"qemu-io -c 'read 0 -1' -c 'read' -c 'read -x 0 1' "
		"-c 'write -P 300 0 1' -c 'write -z -P 1 0 512' "
		"-c 'write -u 0 512' -c 'read 0 3G' -c 'read 0 foo' "
		"-c 'foo' -c 'flush 1' -c 'help foo' x",
		"qemu-io -c 'write 1 3' -c 'write -z 1001 70000' "
		"-c 'write -z -u 64k 64k' -c 'write -f 0 512' -c 'write 0 0' "
		"-c 'alloc 0 1M' -c map -c length -c info x",
		"qemu-io -c 'reopen -r' -c 'write 0 512' -c 'reopen -w' "
		"-c 'write 0 512' -c 'close' -c 'read 0 1' -c 'open x' "
		"-c 'open x' -c 'length' -c 'q' -c length x",
		"qemu-io -r -c 'write 0 512' -c 'discard 0 512' x",
		"qemu-io -s -c 'write 0 512' -c 'read -P 0xcd 0 512' x",
		"qemu-io -n -c 'write 5 600' -c 'read -P 0xcd 5 600' x",
		"qemu-io -C -c 'read 0 1M' -c map x",
	};

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	make_images();
	CHECK(!test_shell("qemu-img create -f qcow2 -b base.qcow2 -F qcow2 "
			  "before 3M"));
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
		compare_change(commands[i]);
	test_shell("rm before");
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

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	CHECK(!test_shell("truncate -s 2M before"));
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
		compare_change(commands[i]);
	test_shell("rm before");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(info_is_the_same),
		TEST(map_is_the_same),
		TEST(compare_is_the_same),
		TEST(wrong_usage_is_told_the_same_way),
		TEST(images_are_made_the_same),
		TEST(images_are_converted_the_same),
		TEST(check_is_the_same),
		TEST(snapshots_are_the_same),
		TEST(images_are_resized_the_same),
		TEST(backing_files_are_changed_the_same),
		TEST(overlays_are_committed),
		TEST(io_is_the_same),
		TEST(bench_walks_the_same),
	};

	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * block/test_img.h - for tests: the image tools beside QEMU's. The same
 * command, the same output, the same exit status; and images that QEMU's tools
 * take for the same.
 */
#ifndef BLOCK_TEST_IMG_H
#define BLOCK_TEST_IMG_H

#include <fcntl.h>

#include "base/math.h"
#include "block/img.h"
#include "block/test_host.h"

#define TEST_IMG_WORDS_MAX 40

/* Cuts a line at spaces; single quotes keep words together. */
static inline int test_img_split(char *line, char **argv)
{
	int argc = 0;
	char *at = line;

	while (argc < TEST_IMG_WORDS_MAX - 1) {
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
static inline bool test_img_redirect(int from, const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	return fd >= 0 && dup2(fd, from) >= 0;
}

/* Runs our tools in a child, with the output in "ours"; its exit status. */
static inline int test_img_ours(const char *command)
{
	char line[1024], *argv[TEST_IMG_WORDS_MAX];
	int status = -1, argc;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child)
		return waitpid(child, &status, 0) == child && WIFEXITED(status)
			       ? WEXITSTATUS(status)
			       : -1;
	snprintf(line, sizeof(line), "%s", command);
	argc = test_img_split(line, argv);
	if (!test_img_redirect(STDOUT_FILENO, "ours") ||
	    !test_img_redirect(STDERR_FILENO, "ours.err"))
		_exit(125);
	status = img_command_as_qemu(argc, argv);
	fflush(stdout);
	_exit(status);
}

/* Runs QEMU's with the output in "theirs"; its exit status. */
static inline int test_img_theirs(const char *command)
{
	return test_shell("%s >theirs 2>theirs.err", command);
}

/* Times and rates are not the same twice. */
static inline bool test_img_is_same(void)
{
	return !test_shell(
		"for i in ours theirs; do sed -i 's/ ops; .*/ ops/;"
		"s/^\\([0-9]*,1,\\).*/\\1/; s/completed in .*//' $i; "
		"done; cmp ours theirs && cmp ours.err theirs.err");
}

/* After a difference: with what, and which. */
static inline void test_img_show(const char *command)
{
	printf("# command: %s\n", command);
	fflush(stdout);
	if (system("(diff theirs ours; diff theirs.err ours.err) | "
		   "sed 's/^/# /' | head -20"))
		printf("# no diff(1)\n");
}

static inline void test_img_compare(const char *command)
{
	int theirs = test_img_theirs(command), ours = test_img_ours(command);
	bool same = test_img_is_same();

	CHECK(same);
	CHECK_EQUAL(ours, theirs);
	if (!same || ours != theirs)
		test_img_show(command);
}

/*
 * The same for a command that makes or changes "x", which is a copy of
 * "before" if there is one: and what QEMU then sees in it must be the same.
 */
static inline void test_img_compare_change(const char *command)
{
	static const char prepare[] =
		"rm -f x; test ! -e before || cp --sparse=always before x";
	int theirs, ours;
	bool same;

	test_shell(prepare);
	theirs = test_img_theirs(command);
	test_shell("rm -f x.theirs; mv x x.theirs");
	test_shell(prepare);
	ours = test_img_ours(command);
	same = test_img_is_same();
	CHECK(same);
	CHECK_EQUAL(ours, theirs);
	if (!test_shell("test -e x.theirs"))
		same &= CHECK(!test_shell("qemu-img compare x x.theirs")) &&
			CHECK(!test_shell("qemu-img check x || { test $? = 63 "
					  "&& test $(stat -c %%s x) = "
					  "$(stat -c %%s x.theirs); }"));
	if (!same || ours != theirs)
		test_img_show(command);
}

/* --- Images to look at ---------------------------------------------------- */

/* No test changes them. */
static inline void test_img_make(void)
{
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

/*
 * Are QEMU's tools here? Then so are the images. If not, the test is skipped:
 * it should return.
 */
static inline bool test_img_ready(void)
{
	static bool are_made;

	if (!test_have_qemu()) {
		test_skip_reason = "qemu-img and qemu-io are not installed";
		return false;
	}
	if (!are_made)
		test_img_make();
	are_made = true;
	return true;
}

static inline void test_img_compare_all(const char *const commands[],
					size_t count)
{
	if (!test_img_ready())
		return;
	for (size_t i = 0; i < count; i++)
		test_img_compare(commands[i]);
}

static inline void test_img_compare_changes(const char *const commands[],
					    size_t count)
{
	if (!test_img_ready())
		return;
	for (size_t i = 0; i < count; i++)
		test_img_compare_change(commands[i]);
}

#endif

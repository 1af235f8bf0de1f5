/*
 * block/test_host.h - for tests: a temporary folder, and other programs.
 */
#ifndef BLOCK_TEST_HOST_H
#define BLOCK_TEST_HOST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"

/* Runs a shell command with its output thrown away; its exit status. */
__attribute__((format(printf, 1, 2))) static inline int test_shell(
	const char *format, ...)
{
	static const char quiet[] = "exec >/dev/null 2>&1 </dev/null; ";
	char command[4096];
	va_list args;
	int status;

	memcpy(command, quiet, sizeof(quiet));
	va_start(args, format);
	vsnprintf(command + sizeof(quiet) - 1,
		  sizeof(command) - sizeof(quiet) + 1, format, args);
	va_end(args);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/*
 * Goes to a new folder, which test_folder_leave() removes, unless the
 * environment has ALCOR_TEST_KEEP=1.
 */
static inline bool test_folder_enter(char *ret_path, size_t room)
{
	const char *base = getenv("TMPDIR");

	snprintf(ret_path, room, "%s/alcor-test-XXXXXX", base ? base : "/tmp");
	return mkdtemp(ret_path) && !chdir(ret_path);
}

static inline void test_folder_leave(const char *path)
{
	if (getenv("ALCOR_TEST_KEEP")) {
		printf("# %s is kept\n", path);
		return;
	}
	if (!chdir("/"))
		test_shell("rm -rf '%s'", path);
}

static inline bool test_have_qemu(void)
{
	return !test_shell("qemu-img --version && qemu-io --version");
}

/*
 * test_main() in a new folder where temporary files go, which is a disk mostly:
 * for what file systems in memory may not have, such as O_DIRECT.
 */
static inline int test_main_on_disk(int argc, char **argv,
				    const struct test *tests, size_t count)
{
	char folder[256];
	int ret;

	if (!test_folder_enter(folder, sizeof(folder)))
		return 1;
	ret = test_main(argc, argv, tests, count);
	test_folder_leave(folder);
	return ret;
}

/*
 * test_main() in a new folder, in memory if there is such a place: there
 * waiting for the disk costs nothing.
 */
static inline int test_main_in_folder(int argc, char **argv,
				      const struct test *tests, size_t count)
{
	if (!access("/dev/shm", W_OK))
		setenv("TMPDIR", "/dev/shm", 0);
	return test_main_on_disk(argc, argv, tests, count);
}

/* What the environment says of a test's size, seed and so on. */
static inline unsigned long test_number(const char *name,
					unsigned long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : otherwise;
}

/* Emulated runs are slow: there tests do a smaller share of their work. */
static inline bool test_is_small(void)
{
	const char *small = getenv("ALCOR_TEST_SMALL");

	return small && *small && *small != '0';
}

#endif

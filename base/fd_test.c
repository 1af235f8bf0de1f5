/*
 * base/fd_test.c - whole transfers on real files and pipes: short files, reads
 * past the end, more pieces than the kernel takes at once, events, maps.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/math.h"
#include "base/test.h"

/* An empty file without a name. */
static int new_file(void)
{
	int fd = memfd_create("fd_test", MFD_CLOEXEC);

	CHECK(fd >= 0);
	return fd;
}

static void close_makes_it_negative(void)
{
	int fd = new_file(), copy = fd;

	errno = ENOENT;
	fd_close(&fd);
	CHECK_EQUAL(fd, -1);
	CHECK(fcntl(copy, F_GETFD) < 0);
	errno = ENOENT;
	fd_close(&fd);
	CHECK_EQUAL(errno, ENOENT);
}

static void ranges_are_written_and_read(void)
{
	char text[8] = "";
	int fd = new_file();

	CHECK_EQUAL(fd_write_at(fd, "written", 7, 5 * GIB), 0);
	CHECK_EQUAL(fd_read_at(fd, text, 7, 5 * GIB), 0);
	CHECK_TEXT(text, "written");
	CHECK_EQUAL(fd_write_at(fd, NULL, 0, 0), 0);
	CHECK_EQUAL(fd_read_at(fd, NULL, 0, 0), 0);
	fd_close(&fd);
}

static void reads_past_the_end_fail(void)
{
	char text[8];
	int fd = new_file();

	CHECK_EQUAL(fd_write_at(fd, "1234", 4, 0), 0);
	CHECK_EQUAL(fd_read_at(fd, text, 5, 0), -ENODATA);
	CHECK_EQUAL(fd_read_at(fd, text, 1, 4), -ENODATA);
	CHECK_EQUAL(fd_read_at(fd, text, 4, 0), 0);
	fd_close(&fd);
}

static void errors_of_the_host_come_through(void)
{
	struct iovec iov;
	char text[8];
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	CHECK_EQUAL(fd_read_at(-1, text, 1, 0), -EBADF);
	CHECK_EQUAL(fd_write_at(-1, text, 1, 0), -EBADF);
	CHECK_EQUAL(fd_read_at(fd, text, 1, 0), -EISDIR);
	iov = (struct iovec){text, 1};
	CHECK_EQUAL(fd_readv_at(fd, &iov, 1, 0), -EISDIR);
	CHECK_EQUAL(fd_read_at(fd, text, 1, UINT64_MAX), -EINVAL);
	fd_close(&fd);
}

static void pieces_past_the_end_are_zeroes(void)
{
	char first[3] = "xx", second[5] = "xxxx", third[3] = "xx";
	struct iovec iov[] = {{NULL, 0},   {first, 2}, {NULL, 0},
			      {second, 4}, {third, 2}, {NULL, 0}};
	int fd = new_file();

	CHECK_EQUAL(fd_write_at(fd, "1234", 4, 0), 0);
	CHECK_EQUAL(fd_readv_at(fd, iov, ARRAY_LENGTH(iov), 0), 0);
	CHECK(!memcmp(first, "12", 3));
	CHECK(!memcmp(second, "34\0\0", 5));
	CHECK(!memcmp(third, "\0\0", 3));

	iov[0] = (struct iovec){first, 2};
	CHECK_EQUAL(fd_readv_at(fd, iov, 1, 100), 0);
	CHECK(!memcmp(first, "\0\0", 3));
	CHECK_EQUAL(fd_readv_at(fd, NULL, 0, 0), 0);
	fd_close(&fd);
}

/* Without a read where O_DIRECT allows none. */
static void a_direct_read_ends_between_blocks(void)
{
	char text[8] = "xxxxxxx";
	struct iovec iov = {text, 7};
	int fd = new_file();

	CHECK_EQUAL(fd_write_at(fd, "1234567", 7, 0), 0);
	CHECK_EQUAL(fd_readv_direct_at(fd, &iov, 1, 3, 4), 0);
	CHECK(!memcmp(text, "4567\0\0\0", 8));
	fd_close(&fd);
}

/* More than IOV_MAX pieces, with empty ones among them. */
static void many_pieces_go_in_turns(void)
{
	enum { COUNT = 3 * IOV_MAX + 5 };
	static uint8_t out[COUNT], in[COUNT];
	static struct iovec iov[COUNT];
	int fd = new_file();

	for (unsigned int i = 0; i < COUNT; i++) {
		out[i] = (uint8_t)(i * 31 + i / 256);
		iov[i] = (struct iovec){&out[i], i % 5 != 0};
	}
	CHECK_EQUAL(fd_writev_at(fd, iov, COUNT, 100), 0);
	for (unsigned int i = 0; i < COUNT; i++)
		iov[i] = (struct iovec){&in[i], i % 5 != 0};
	CHECK_EQUAL(fd_readv_at(fd, iov, COUNT, 100), 0);
	for (unsigned int i = 0; i < COUNT; i++)
		CHECK_EQUAL(in[i], i % 5 ? out[i] : 0);
	fd_close(&fd);
}

/* A file that must not grow cuts a write short, then fails the rest. */
static void short_writes_end_in_their_error(void)
{
	static uint8_t bytes[8192];
	char text[4] = "abc", got[4] = "";
	struct iovec iov[] = {{text, 3}, {bytes, sizeof(bytes)}};
	int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	REQUIRE(fd >= 0 && !ftruncate(fd, 4096) &&
		!fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	CHECK_EQUAL(fd_writev_at(fd, iov, 2, 4000), -EPERM);
	CHECK_EQUAL(fd_read_at(fd, got, 3, 4000), 0);
	CHECK_TEXT(got, "abc");
	fd_close(&fd);
}

static bool is_readable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

static void events_are_raised_and_cleared(void)
{
	int fd = fd_event_new();

	REQUIRE(fd >= 0);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK(!is_readable(fd));
	CHECK_EQUAL(fd_event_clear(fd), 0);
	fd_event_raise(fd);
	fd_event_raise(fd);
	CHECK(is_readable(fd));
	CHECK_EQUAL(fd_event_clear(fd), 2);
	CHECK(!is_readable(fd));
	fd_close(&fd);
}

static void full_events_stay_raised(void)
{
	uint64_t full = UINT64_MAX - 1;
	int fd = fd_event_new();

	REQUIRE(fd >= 0);
	REQUIRE(write(fd, &full, sizeof(full)) == sizeof(full));
	fd_event_raise(fd);
	CHECK(is_readable(fd));
	fd_event_clear(fd);
	CHECK(!is_readable(fd));
	fd_close(&fd);
}

static bool is_null(int fd)
{
	struct stat st, null;

	return !fstat(fd, &st) && !stat("/dev/null", &null) &&
	       st.st_rdev == null.st_rdev;
}

/* In a child, whose descriptors are its own. */
static void closed_standard_files_become_null(void)
{
	pid_t child = fork();
	int status = -1;

	if (!child) {
		close(STDIN_FILENO);
		close(STDERR_FILENO);
		CHECK_EQUAL(fd_open_standard(), 0);
		CHECK(is_null(STDIN_FILENO) && is_null(STDERR_FILENO));
		_exit(test_failed);
	}
	waitpid(child, &status, 0);
	CHECK_EQUAL(status, 0);
}

/* A file of its own, with @text in it; the caller unlinks it. */
static void new_path(char path[32], const char *text)
{
	int fd;

	strcpy(path, "/tmp/fd_test-XXXXXX");
	fd = mkstemp(path);
	CHECK(fd >= 0);
	CHECK_EQUAL(fd_write_at(fd, text, strlen(text), 0), 0);
	fd_close(&fd);
}

static void files_are_mapped(void)
{
	struct fd_map map = {0};
	struct err err;
	char path[32];

	new_path(path, "content");
	REQUIRE(!fd_map_open(path, &map, &err));
	CHECK(map.path == path);
	CHECK_EQUAL(map.size, 7);
	CHECK(!memcmp(map.data, "content", 7));
	unlink(path);
	CHECK(!memcmp(map.data, "content", 7));
	fd_map_rest(&map);
	CHECK(!memcmp(map.data, "content", 7));
	fd_map_close(&map);
	fd_map_rest(&map);
	CHECK(!map.data);
	fd_map_close(&map);
}

static void what_cannot_be_mapped(void)
{
	struct fd_map map = {0};
	struct err err;
	char path[32], want[64];

	CHECK_EQUAL(fd_map_open("/nonexistent", &map, &err), -ENOENT);
	CHECK_TEXT(err.text,
		   "cannot open /nonexistent: No such file or directory");
	CHECK_EQUAL(fd_map_open("/tmp", &map, &err), -EINVAL);
	CHECK_TEXT(err.text, "/tmp is not a regular file");
	CHECK_EQUAL(fd_map_open("/dev/null", &map, &err), -EINVAL);
	new_path(path, "");
	CHECK_EQUAL(fd_map_open(path, &map, &err), -EINVAL);
	snprintf(want, sizeof(want), "%s is empty", path);
	CHECK_TEXT(err.text, want);
	unlink(path);
	/* Nobody writes to it: opening must not wait for somebody. */
	REQUIRE(!mkfifo(path, 0600));
	CHECK_EQUAL(fd_map_open(path, &map, &err), -EINVAL);
	unlink(path);
	CHECK(!map.data);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(close_makes_it_negative),
		TEST(ranges_are_written_and_read),
		TEST(reads_past_the_end_fail),
		TEST(errors_of_the_host_come_through),
		TEST(pieces_past_the_end_are_zeroes),
		TEST(a_direct_read_ends_between_blocks),
		TEST(many_pieces_go_in_turns),
		TEST(short_writes_end_in_their_error),
		TEST(events_are_raised_and_cleared),
		TEST(full_events_stay_raised),
		TEST(closed_standard_files_become_null),
		TEST(files_are_mapped),
		TEST(what_cannot_be_mapped),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

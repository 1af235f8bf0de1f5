/* base/fd.c - see fd.h. */
#include "base/fd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/iov.h"
#include "base/math.h"

int fd_open_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			return -errno;
	return 0;
}

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int fd_read_at(int fd, void *buffer, size_t length, uint64_t offset)
{
	uint8_t *to = buffer;
	ssize_t got;

	while (length) {
		got = pread(fd, to, length, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			return -ENODATA;
		to += got;
		offset += (uint64_t)got;
		length -= (size_t)got;
	}
	return 0;
}

int fd_write_at(int fd, const void *buffer, size_t length, uint64_t offset)
{
	struct iovec iov = {(void *)buffer, length};

	return fd_writev_at(fd, &iov, 1, offset);
}

/* Drops the first @done bytes from the iovec at *iov. */
static void iov_advance(struct iovec **iov, size_t *count, size_t done)
{
	while (*count && done >= (*iov)->iov_len) {
		done -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
	if (done) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + done;
		(*iov)->iov_len -= done;
	}
}

int fd_readv_direct_at(int fd, struct iovec *iov, size_t count, uint64_t offset,
		       uint32_t alignment)
{
	ssize_t got;

	iov_advance(&iov, &count, 0);
	while (count) {
		got = preadv(fd, iov, (int)min_u64(count, IOV_MAX),
			     (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		offset += (uint64_t)got;
		iov_advance(&iov, &count, (size_t)got);
		if (!got || !is_aligned(offset, alignment)) {
			iov_zero(iov, count, 0, iov_length(iov, count));
			return 0;
		}
	}
	return 0;
}

int fd_readv_at(int fd, struct iovec *iov, size_t count, uint64_t offset)
{
	return fd_readv_direct_at(fd, iov, count, offset, 1);
}

int fd_writev_at(int fd, struct iovec *iov, size_t count, uint64_t offset)
{
	ssize_t put;

	iov_advance(&iov, &count, 0);
	while (count) {
		put = pwritev(fd, iov, (int)min_u64(count, IOV_MAX),
			      (off_t)offset);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		if (!put)
			return -EIO;
		offset += (uint64_t)put;
		iov_advance(&iov, &count, (size_t)put);
	}
	return 0;
}

int fd_event_new(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

void fd_event_raise(int fd)
{
	uint64_t one = 1;
	ssize_t put = write(fd, &one, sizeof(one));

	/* EAGAIN: the counter is full, so the event is raised already. */
	assert(put == sizeof(one) || errno == EAGAIN);
}

uint64_t fd_event_clear(int fd)
{
	uint64_t count = 0;
	ssize_t got = read(fd, &count, sizeof(count));

	assert(got == sizeof(count) || errno == EAGAIN);
	return count;
}

static int fd_map_fill(int fd, struct fd_map *map, struct err *err)
{
	struct stat st;
	void *data;

	if (fstat(fd, &st) < 0)
		return err_errno(err, errno, "cannot examine %s", map->path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "%s is not a regular file",
			       map->path);
	if (!st.st_size)
		return err_set(err, EINVAL, "%s is empty", map->path);
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return err_errno(err, errno, "cannot map %s", map->path);
	map->data = data;
	map->size = (size_t)st.st_size;
	return 0;
}

int fd_map_open(const char *path, struct fd_map *ret_map, struct err *err)
{
	struct fd_map map = {.path = path};
	int fd, ret;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_errno(err, errno, "cannot open %s", path);
	ret = fd_map_fill(fd, &map, err);
	close(fd);
	if (!ret)
		*ret_map = map;
	return ret;
}

void fd_map_close(struct fd_map *map)
{
	if (map->data)
		munmap((void *)map->data, map->size);
	*map = (struct fd_map){0};
}

void fd_map_rest(const struct fd_map *map)
{
	if (map->data)
		madvise((void *)map->data, map->size, MADV_DONTNEED);
}

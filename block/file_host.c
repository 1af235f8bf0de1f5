/*
 * block/file_host.c - a regular file or a block device of the host.
 *
 * Opened by name, without following it into a FIFO or a terminal that would
 * block or act on being opened; after that only the descriptor counts.
 */
#include "block/file_host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/math.h"
#include "block/file_lock.h"

static int file_host_readv(struct file *file, struct iovec *iov, size_t count,
			   uint64_t offset)
{
	return fd_readv_at(file->fd, iov, count, offset);
}

static int file_host_writev(struct file *file, struct iovec *iov, size_t count,
			    uint64_t offset)
{
	return fd_writev_at(file->fd, iov, count, offset);
}

int file_host_flush(struct file *file)
{
	int ret;

	do
		ret = fdatasync(file->fd);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

int file_host_zero(struct file *file, uint64_t offset, uint64_t length,
		   bool may_unmap)
{
	int mode = FALLOC_FL_KEEP_SIZE;
	int ret;

	mode |= may_unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
	do
		ret = fallocate(file->fd, mode, (off_t)offset, (off_t)length);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

/* ftruncate() on a block device is EINVAL. */
int file_host_truncate(struct file *file, uint64_t size)
{
	int ret;

	if (size > INT64_MAX)
		return -EFBIG;
	do
		ret = ftruncate(file->fd, (off_t)size);
	while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return errno == EINVAL ? -ENOTSUP : -errno;
	return 0;
}

/* ENXIO: there is none up to the end of the file. */
uint64_t file_host_find_data(struct file *file, uint64_t offset, uint64_t end)
{
	off_t data = lseek(file->fd, (off_t)offset, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? end : offset;
	return min_u64((uint64_t)data, end);
}

static void file_host_close(struct file *file)
{
	fd_close(&file->fd);
	free(file);
}

static const struct file_ops file_host_ops = {
	.readv = file_host_readv,
	.writev = file_host_writev,
	.flush = file_host_flush,
	.zero = file_host_zero,
	.find_data = file_host_find_data,
	.truncate = file_host_truncate,
	.close = file_host_close,
};

/* Nothing outlives the program, so nothing need reach the disk. */
static int file_nameless_flush(struct file *file)
{
	(void)file;
	return 0;
}

static const struct file_ops file_nameless_ops = {
	.readv = file_host_readv,
	.writev = file_host_writev,
	.flush = file_nameless_flush,
	.zero = file_host_zero,
	.find_data = file_host_find_data,
	.truncate = file_host_truncate,
	.close = file_host_close,
};

static int file_host_new(int fd, uint64_t size, const struct file_ops *ops,
			 struct file **ret_file, struct err *err)
{
	struct file *file = malloc(sizeof(*file));

	if (!file)
		return err_set(err, ENOMEM, "out of memory");
	file_init(file, ops, size);
	file->fd = fd;
	*ret_file = file;
	return 0;
}

/* What is behind @fd; its size in bytes. */
static int file_examine(int fd, const char *path, struct stat *ret_stat,
			uint64_t *ret_size, struct err *err)
{
	off_t end;

	if (fstat(fd, ret_stat) < 0)
		return err_errno(err, errno, "cannot examine %s", path);
	if (!S_ISREG(ret_stat->st_mode) && !S_ISBLK(ret_stat->st_mode))
		return err_set(err, EINVAL,
			       "%s is neither a file nor a block device", path);
	end = lseek(fd, 0, SEEK_END);
	if (end < 0)
		return err_errno(err, errno, "cannot tell the size of %s",
				 path);
	*ret_size = (uint64_t)end;
	return 0;
}

/*
 * The locks are on an open file of their own: an io_uring's files stay open
 * until the kernel has taken it apart, a while after the program has ended.
 */
static int file_open_locks(const char *path, const struct stat *expected,
			   bool read_only, int *ret_fd, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int ret;

	if (fd < 0 || fstat(fd, &st) < 0)
		ret = err_errno(err, errno, "cannot open %s to lock it", path);
	else if (st.st_dev != expected->st_dev || st.st_ino != expected->st_ino)
		ret = err_set(err, EAGAIN,
			      "%s became another file while it was opened",
			      path);
	else
		ret = file_lock(fd, path, read_only, err);
	if (ret)
		fd_close(&fd);
	else
		*ret_fd = fd;
	return ret;
}

static int file_open_fd(int fd, const char *path,
			const struct file_options *options,
			struct file **ret_file, struct err *err)
{
	uint64_t size = 0;
	int ret, lock_fd = -1;
	struct stat st;

	ret = file_examine(fd, path, &st, &size, err);
	if (!ret && !options->no_lock)
		ret = file_open_locks(path, &st, options->read_only, &lock_fd,
				      err);
	if (ret)
		return ret;
	if (options->direct)
		ret = file_direct_new(fd, size, path, ret_file, err);
	else
		ret = file_host_new(fd, size, &file_host_ops, ret_file, err);
	if (ret) {
		fd_close(&lock_fd);
		return ret;
	}
	(*ret_file)->lock_fd = lock_fd;
	(*ret_file)->device = st.st_dev;
	(*ret_file)->inode = st.st_ino;
	return 0;
}

static const char *file_open_hint(int code, const struct file_options *options)
{
	bool forbidden = code == EACCES || code == EROFS || code == EPERM;

	if (forbidden && !options->read_only)
		return " for writing (\"ro\" would only read it)";
	if (code == EINVAL && options->direct)
		return " with cache=none, which its file system may not have";
	return "";
}

int file_open(const char *path, const struct file_options *options,
	      struct file **ret_file, struct err *err)
{
	int flags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd, ret;

	flags |= options->read_only ? O_RDONLY : O_RDWR;
	flags |= options->direct ? O_DIRECT : 0;
	/* Reads need not look at the time; only the owner may ask for that. */
	fd = open(path, flags | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = open(path, flags);
	if (fd < 0)
		return err_errno(err, errno, "cannot open %s%s", path,
				 file_open_hint(errno, options));
	ret = file_open_fd(fd, path, options, ret_file, err);
	if (ret)
		fd_close(&fd);
	return ret;
}

/* For file systems without O_TMPFILE: made with a name that is taken away. */
static int open_unlinked(const char *folder)
{
	char *path;
	int fd;

	if (asprintf(&path, "%s/alcor-XXXXXX", folder) < 0)
		return -ENOMEM;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	else
		unlink(path);
	free(path);
	return fd;
}

int file_open_nameless(struct file **ret_file, struct err *err)
{
	const char *folder = getenv("TMPDIR");
	int fd, ret;

	if (!folder || !*folder)
		folder = "/var/tmp";
	fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = open_unlinked(folder);
	if (fd < 0)
		return err_errno(err, -fd, "cannot make a file in %s", folder);
	ret = file_host_new(fd, 0, &file_nameless_ops, ret_file, err);
	if (ret)
		fd_close(&fd);
	return ret;
}

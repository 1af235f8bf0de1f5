/*
 * base/fd.h - file descriptors: whole reads and writes, events, mapped files.
 *
 * Functions return 0 or -errno. Any thread.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

/*
 * Opens /dev/null as standard input, output or error where that is closed:
 * the next file to be opened, a disk perhaps, would otherwise be taken for it.
 */
int fd_open_standard(void);

/* Closes *fd unless it is negative and makes it -1. Keeps errno. */
void fd_close(int *fd);

/*
 * Read or write all of a range, going on after short transfers and EINTR. A
 * read past the end of the file fails with -ENODATA.
 */
int fd_read_at(int fd, void *buffer, size_t length, uint64_t offset);
int fd_write_at(int fd, const void *buffer, size_t length, uint64_t offset);

/*
 * The same for an iovec, which is used up (changed) on the way. A read past
 * the end of the file leaves zeroes there. At most IOV_MAX pieces go to the
 * kernel at a time; @count may be larger.
 */
int fd_readv_at(int fd, struct iovec *iov, size_t count, uint64_t offset);
int fd_writev_at(int fd, struct iovec *iov, size_t count, uint64_t offset);

/*
 * fd_readv_at() of a file opened with O_DIRECT, which is read at multiples of
 * @alignment bytes: it ends where the kernel stops between them.
 */
int fd_readv_direct_at(int fd, struct iovec *iov, size_t count, uint64_t offset,
		       uint32_t alignment);

/* A close-on-exec, non-blocking eventfd, or -errno. */
int fd_event_new(void);

/* Adds one to the event. */
void fd_event_raise(int fd);

/* Sets the event, or a timer's, back to zero, and says how much it was. */
uint64_t fd_event_clear(int fd);

/* A file mapped read-only (private), so that large files cost no memory. */
struct fd_map {
	const char *path; /* for messages; owned by the caller */
	const uint8_t *data;
	size_t size;
};

/*
 * Maps a regular file whole. Whoever cuts the file short while it is mapped
 * takes the program along (SIGBUS), so only for files that the user names. An
 * empty file is an error (-EINVAL).
 */
int fd_map_open(const char *path, struct fd_map *ret_map, struct err *err);
void fd_map_close(struct fd_map *map);

/*
 * Gives back the memory of what was read so far, which comes from the file
 * again when it is read again. Only for what fd_map_open() has mapped.
 */
void fd_map_rest(const struct fd_map *map);

#endif

/*
 * block/file.h - the bytes under an image: a host file, or one in memory.
 *
 * The small interface that formats do all their I/O through, so that tests can
 * slide a recording or a failing file under them. A kind of file is a const
 * ops table and a struct that begins with a struct file.
 *
 * Functions return 0 or -errno. Any thread, at once; but two writes that
 * overlap, or a write and a read, are the caller's to keep apart.
 */
#ifndef BLOCK_FILE_H
#define BLOCK_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/err.h"
#include "block/cursor.h"

struct file;
struct gate_pass;

/* Iovecs are used up (changed) by the callee. */
struct file_ops {
	/* What lies past the end of the file reads as zeroes. */
	int (*readv)(struct file *file, struct iovec *iov, size_t count,
		     uint64_t offset);
	/* Past its end, the file grows; a gap reads as zeroes. */
	int (*writev)(struct file *file, struct iovec *iov, size_t count,
		      uint64_t offset);
	/* Every write that has ended is on stable storage. */
	int (*flush)(struct file *file);
	/*
	 * The range reads as zeroes; the file does not grow. -EOPNOTSUPP, and
	 * nothing done, where that takes a write of zeroes. @may_unmap: and
	 * its space is given back; else it stays reserved.
	 */
	int (*zero)(struct file *file, uint64_t offset, uint64_t length,
		    bool may_unmap);
	/*
	 * May somebody write to fd, past this interface? Aligned, and without
	 * waiting; the pass is given back. NULL: always.
	 */
	bool (*begin_write)(struct file *file, struct gate_pass *ret_pass);
	void (*end_write)(struct file *file, struct gate_pass pass);
	/*
	 * The first offset in [offset, end) where there may be something but
	 * zeroes; @end if there is none. NULL: holes are not known.
	 */
	uint64_t (*find_data)(struct file *file, uint64_t offset, uint64_t end);
	/* NULL: the file's size cannot be set. */
	int (*truncate)(struct file *file, uint64_t size);
	void (*close)(struct file *file);
};

/* Does the kernel know RWF_NOWAIT here? Found out by those who ask for it. */
enum file_nowait {
	FILE_NOWAIT_UNKNOWN,
	FILE_NOWAIT_WORKS,
	FILE_NOWAIT_LACKS,
};

struct file {
	const struct file_ops *ops; /* [c] */
	int fd;			    /* [c] -1 where there is none */
	int lock_fd;		    /* [c] with the locks; -1: there are none */
	unsigned int number;	    /* [c] among its disk's, see fast.h */
	uint32_t alignment;	    /* [c] of what is read and written on fd */
	uint32_t memory_alignment;  /* [c] of the buffers for that */
	dev_t device;		    /* [c] with inode: which file it is */
	ino_t inode;		    /* [c] 0: not a host file with a name */
	atomic_uint_fast64_t size;  /* [a] bytes; of a block device, too */
	atomic_int flush_error;	    /* [a] sticky, see file_flush() */
	atomic_int nowait[2];	    /* [a] of reads, of writes */
};

struct file_options {
	bool read_only;
	bool direct;  /* O_DIRECT: past the page cache */
	bool no_lock; /* take no locks, and heed none */
};

/*
 * Opens a regular file or a block device by name, and takes the locks
 * of file_lock.h on it, unless told not to. The caller closes it.
 */
int file_open(const char *path, const struct file_options *options,
	      struct file **ret_file, struct err *err);

/*
 * A file without a name in $TMPDIR or /var/tmp, empty, gone when it is closed.
 * It does not outlive the program, so flushing it does nothing.
 */
int file_open_nameless(struct file **ret_file, struct err *err);

/* Sets what all kinds of file share; @size is the size at the start. */
void file_init(struct file *file, const struct file_ops *ops, uint64_t size);

/* NULL is none. */
void file_close(struct file *file);

static inline uint64_t file_size(const struct file *file)
{
	return atomic_load_explicit(&file->size, memory_order_relaxed);
}

int file_read(struct file *file, void *buffer, size_t length, uint64_t offset);
int file_write(struct file *file, const void *buffer, size_t length,
	       uint64_t offset);

/* See struct file_ops; past the end of the file there is nothing. */
uint64_t file_find_data(struct file *file, uint64_t offset, uint64_t end);

/* As file_read(), into a buffer of zeroes, of which holes touch nothing. */
int file_read_sparse(struct file *file, void *zeroes, size_t length,
		     uint64_t offset);

/* What the file takes on the host: its size without holes, or its size. */
uint64_t file_allocated(const struct file *file);

/* @iov is used up. */
int file_writev(struct file *file, struct iovec *iov, size_t count,
		uint64_t offset);

/* Between the file and the next @length bytes of the cursor's iovec. */
int file_read_to(struct file *file, uint64_t offset, uint64_t length,
		 struct cursor *to);
int file_write_from(struct file *file, uint64_t offset, uint64_t length,
		    struct cursor *from);

/*
 * Once a flush has failed, the kernel may have dropped what it could not
 * write, and a second one would succeed without it: so every later flush of
 * the file fails as well, with the same error.
 */
int file_flush(struct file *file);

/*
 * For those who do without the functions above, by I/O on file->fd of their
 * own. They begin it here, which never waits: false where it cannot be done
 * now, and has to go through those functions. And they end it, well or not;
 * @end is where it would have ended in the file.
 */
bool file_begin(struct file *file, bool write, uint64_t offset, uint64_t length,
		const struct cursor *cursor, struct gate_pass *ret_pass);
void file_end(struct file *file, bool write, uint64_t end,
	      struct gate_pass pass);

/*
 * The same for a flush, which has ended with @ret: that is returned or, where
 * an earlier one failed, that one's error.
 */
int file_flushed(struct file *file, int ret);

/* As in struct file_ops, but writes zeroes where that is what it takes. */
int file_zero(struct file *file, uint64_t offset, uint64_t length,
	      bool may_unmap);

/* Writes zeroes, so that the host has space for them. */
int file_fill_zeroes(struct file *file, uint64_t offset, uint64_t length);

/*
 * Cuts the file, or makes it longer by zeroes. No other request may be under
 * way where it did not end, or does not any more. -ENOTSUP where the size is
 * given, as a block device's.
 */
int file_truncate(struct file *file, uint64_t size);

/* A hint: the range may read as zeroes or as before. */
void file_discard(struct file *file, uint64_t offset, uint64_t length);

#endif

/* block/file.c - what all kinds of file share; see file.h. */
#include "block/file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/math.h"
#include "block/gate.h"
#include "block/mutant.h"

/* How many pieces of a cursor become one system call. */
#define FILE_PIECES 64

#define FILE_ZERO_CHUNK (64 * KIB)

/* Holes within so much are read. */
#define FILE_SPARSE_CHUNK (64 * KIB)

void file_init(struct file *file, const struct file_ops *ops, uint64_t size)
{
	*file = (struct file){
		.ops = ops,
		.fd = -1,
		.lock_fd = -1,
		.alignment = 1,
		.memory_alignment = 1,
	};
	atomic_init(&file->size, size);
	atomic_init(&file->flush_error, 0);
	atomic_init(&file->nowait[0], FILE_NOWAIT_UNKNOWN);
	atomic_init(&file->nowait[1], FILE_NOWAIT_UNKNOWN);
}

/* The locks go last, when nothing is written any more. */
void file_close(struct file *file)
{
	int lock_fd;

	if (!file)
		return;
	lock_fd = file->lock_fd;
	file->ops->close(file);
	fd_close(&lock_fd);
}

static void file_grew(struct file *file, uint64_t end)
{
	uint_fast64_t size = file_size(file);

	while (size < end &&
	       !atomic_compare_exchange_weak(&file->size, &size, end))
		;
}

int file_read(struct file *file, void *buffer, size_t length, uint64_t offset)
{
	struct iovec iov = {buffer, length};

	return file->ops->readv(file, &iov, 1, offset);
}

int file_write(struct file *file, const void *buffer, size_t length,
	       uint64_t offset)
{
	struct iovec iov = {(void *)buffer, length};

	return file_writev(file, &iov, 1, offset);
}

uint64_t file_find_data(struct file *file, uint64_t offset, uint64_t end)
{
	if (offset >= min_u64(end, file_size(file)))
		return end;
	return file->ops->find_data ? file->ops->find_data(file, offset, end)
				    : offset;
}

int file_read_sparse(struct file *file, void *zeroes, size_t length,
		     uint64_t offset)
{
	uint64_t end = offset + length, at = offset, part;
	int ret = 0;

	for (; at < end && !ret; at += part) {
		at = file_find_data(file, at, end);
		part = min_u64(end - at, FILE_SPARSE_CHUNK);
		if (part)
			ret = file_read(file, (uint8_t *)zeroes + (at - offset),
					part, at);
	}
	return ret;
}

uint64_t file_allocated(const struct file *file)
{
	struct stat st;

	if (file->fd < 0 || fstat(file->fd, &st) || !S_ISREG(st.st_mode))
		return file_size(file);
	return (uint64_t)st.st_blocks * 512;
}

/*
 * A failed write may have grown the file, too: what is past the size must be
 * untouched, so it counts as grown in either case.
 */
int file_writev(struct file *file, struct iovec *iov, size_t count,
		uint64_t offset)
{
	uint64_t end = offset;
	int ret;

	for (size_t i = 0; i < count; i++)
		end += iov[i].iov_len;
	ret = file->ops->writev(file, iov, count, offset);
	file_grew(file, end);
	return ret;
}

int file_read_to(struct file *file, uint64_t offset, uint64_t length,
		 struct cursor *to)
{
	struct iovec pieces[FILE_PIECES];
	uint64_t bytes;
	size_t count;
	int ret;

	for (; length; length -= bytes, offset += bytes) {
		count = cursor_take(to, length, pieces, FILE_PIECES, &bytes);
		ret = file->ops->readv(file, pieces, count, offset);
		if (ret)
			return ret;
	}
	return 0;
}

int file_write_from(struct file *file, uint64_t offset, uint64_t length,
		    struct cursor *from)
{
	struct iovec pieces[FILE_PIECES];
	uint64_t bytes;
	size_t count;
	int ret;

	for (; length; length -= bytes, offset += bytes) {
		count = cursor_take(from, length, pieces, FILE_PIECES, &bytes);
		ret = file_writev(file, pieces, count, offset);
		if (ret)
			return ret;
	}
	return 0;
}

int file_flush(struct file *file)
{
	int ret = atomic_load(&file->flush_error);

	if (ret && !MUTANT(FLUSH_ERROR_FORGOTTEN))
		return ret;
	return file_flushed(file, file->ops->flush(file));
}

/* Also a flush that began before the first one failed has lost what it lost. */
int file_flushed(struct file *file, int ret)
{
	int first = 0;

	if (ret &&
	    atomic_compare_exchange_strong(&file->flush_error, &first, ret))
		return ret;
	first = atomic_load(&file->flush_error);
	return first && !MUTANT(FLUSH_ERROR_FORGOTTEN) ? first : ret;
}

static bool is_aligned_for(const struct file *file, uint64_t offset,
			   uint64_t length, struct cursor cursor)
{
	struct iovec piece;
	uint64_t bytes;

	if (!is_aligned(offset | length, file->alignment))
		return false;
	for (; length; length -= bytes) {
		cursor_take(&cursor, length, &piece, 1, &bytes);
		if (!is_aligned((uintptr_t)piece.iov_base,
				file->memory_alignment) ||
		    !is_aligned(bytes, file->alignment))
			return false;
	}
	return true;
}

bool file_begin(struct file *file, bool write, uint64_t offset, uint64_t length,
		const struct cursor *cursor, struct gate_pass *ret_pass)
{
	if (file->fd < 0)
		return false;
	if (file->alignment > 1 &&
	    !is_aligned_for(file, offset, length, *cursor))
		return false;
	if (write && file->ops->begin_write)
		return file->ops->begin_write(file, ret_pass);
	*ret_pass = (struct gate_pass){0};
	return true;
}

void file_end(struct file *file, bool write, uint64_t end,
	      struct gate_pass pass)
{
	if (!write)
		return;
	file_grew(file, end);
	if (file->ops->end_write)
		file->ops->end_write(file, pass);
}

int file_fill_zeroes(struct file *file, uint64_t offset, uint64_t length)
{
	/* Not const: so they are no part of the program's file. */
	static uint8_t zeroes[FILE_ZERO_CHUNK];
	uint64_t part;
	int ret;

	for (; length; length -= part, offset += part) {
		part = min_u64(length, sizeof(zeroes));
		ret = file_write(file, zeroes, part, offset);
		if (ret)
			return ret;
	}
	return 0;
}

int file_zero(struct file *file, uint64_t offset, uint64_t length,
	      bool may_unmap)
{
	int ret = file->ops->zero(file, offset, length, may_unmap);

	return ret == -EOPNOTSUPP ? file_fill_zeroes(file, offset, length)
				  : ret;
}

int file_truncate(struct file *file, uint64_t size)
{
	int ret = -ENOTSUP;

	if (file->ops->truncate)
		ret = file->ops->truncate(file, size);
	if (!ret)
		atomic_store(&file->size, size);
	return ret;
}

void file_discard(struct file *file, uint64_t offset, uint64_t length)
{
	file->ops->zero(file, offset, length, true);
}

/* block/file_memory.c - see file_memory.h. */
#include "block/file_memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "base/math.h"

/* What a test writes into memory; a hostile offset must not fill the host's. */
#define FILE_MEMORY_MAX (1 * GIB)

struct file_memory {
	struct file file;
	pthread_mutex_t lock;
	uint8_t *data;	 /* [l] */
	size_t capacity; /* [l] bytes at data */
	uint64_t used;	 /* [l] of them; what lies behind is zero */
};

static struct file_memory *file_memory_of(struct file *file)
{
	return (struct file_memory *)file;
}

static int file_memory_reserve(struct file_memory *memory, uint64_t end)
{
	size_t capacity = max_u64(memory->capacity, 64 * KIB);
	uint8_t *data;

	if (end <= memory->capacity)
		return 0;
	if (end > FILE_MEMORY_MAX)
		return -EFBIG;
	while (capacity < end)
		capacity *= 2;
	data = realloc(memory->data, capacity);
	if (!data)
		return -ENOMEM;
	memset(data + memory->capacity, 0, capacity - memory->capacity);
	memory->data = data;
	memory->capacity = capacity;
	return 0;
}

static int file_memory_readv(struct file *file, struct iovec *iov, size_t count,
			     uint64_t offset)
{
	struct file_memory *memory = file_memory_of(file);
	size_t length = iov_length(iov, count), there = 0;

	pthread_mutex_lock(&memory->lock);
	if (offset < memory->capacity)
		there = min_u64(length, memory->capacity - offset);
	if (there)
		iov_from_buffer(iov, count, 0, memory->data + offset, there);
	pthread_mutex_unlock(&memory->lock);
	iov_zero(iov, count, there, length - there);
	return 0;
}

static int file_memory_writev(struct file *file, struct iovec *iov,
			      size_t count, uint64_t offset)
{
	struct file_memory *memory = file_memory_of(file);
	size_t length = iov_length(iov, count);
	uint64_t end;
	int ret;

	if (!add_fits(offset, length, &end))
		return -EFBIG;
	pthread_mutex_lock(&memory->lock);
	ret = file_memory_reserve(memory, end);
	if (!ret) {
		iov_to_buffer(iov, count, 0, memory->data + offset, length);
		memory->used = max_u64(memory->used, end);
	}
	pthread_mutex_unlock(&memory->lock);
	return ret;
}

static int file_memory_flush(struct file *file)
{
	(void)file;
	return 0;
}

static int file_memory_zero(struct file *file, uint64_t offset, uint64_t length,
			    bool may_unmap)
{
	struct file_memory *memory = file_memory_of(file);

	(void)may_unmap;
	pthread_mutex_lock(&memory->lock);
	if (offset < memory->capacity)
		memset(memory->data + offset, 0,
		       min_u64(length, memory->capacity - offset));
	pthread_mutex_unlock(&memory->lock);
	return 0;
}

static int file_memory_truncate(struct file *file, uint64_t size)
{
	struct file_memory *memory = file_memory_of(file);
	int ret;

	pthread_mutex_lock(&memory->lock);
	ret = file_memory_reserve(memory, size);
	if (!ret && size < memory->used) {
		memset(memory->data + size, 0, memory->used - size);
		memory->used = size;
	}
	pthread_mutex_unlock(&memory->lock);
	return ret;
}

static void file_memory_close(struct file *file)
{
	struct file_memory *memory = file_memory_of(file);

	pthread_mutex_destroy(&memory->lock);
	free(memory->data);
	free(memory);
}

static const struct file_ops file_memory_ops = {
	.readv = file_memory_readv,
	.writev = file_memory_writev,
	.flush = file_memory_flush,
	.zero = file_memory_zero,
	.truncate = file_memory_truncate,
	.close = file_memory_close,
};

struct file *file_memory_new(const void *data, size_t length)
{
	struct file_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return NULL;
	file_init(&memory->file, &file_memory_ops, 0);
	pthread_mutex_init(&memory->lock, NULL);
	if (length && file_write(&memory->file, data, length, 0)) {
		file_memory_close(&memory->file);
		return NULL;
	}
	return &memory->file;
}

uint8_t *file_memory_data(struct file *file)
{
	return file_memory_of(file)->data;
}

/* vmm/ext_io.c - see ext_io.h. */
#include "vmm/ext_io.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"

static struct ext_io *io_of(io_channel channel)
{
	return channel->private_data;
}

static bool spend(struct ext_io *io, uint64_t bytes)
{
	if (bytes > io->budget) {
		io->budget = 0;
		return false;
	}
	io->budget -= bytes;
	return true;
}

static struct ext_io_window *find_window(struct ext_io *io, uint64_t offset)
{
	struct ext_io_window *oldest = &io->windows[0];

	for (int i = 0; i < EXT_IO_WINDOWS; i++) {
		struct ext_io_window *window = &io->windows[i];

		if (window->used_at && window->offset == offset)
			return window;
		if (window->used_at < oldest->used_at)
			oldest = window;
	}
	oldest->used_at = 0;
	return oldest;
}

/* The window that starts at @offset, which lies within the file system. */
static int load_window(struct ext_io *io, uint64_t offset,
		       struct ext_io_window **ret_window)
{
	struct ext_io_window *window = find_window(io, offset);
	uint64_t length = min_u64(EXT_IO_WINDOW, io->size - offset);
	int ret;

	if (!window->used_at) {
		if (!spend(io, length))
			return -ETIME;
		ret = disk_view_read(&io->disk, io->offset + offset,
				     window->data, length);
		if (ret)
			return ret;
		window->offset = offset;
	}
	window->used_at = ++io->clock;
	*ret_window = window;
	return 0;
}

int ext_io_read(struct ext_io *io, uint64_t offset, void *buffer, size_t length)
{
	uint8_t *to = buffer;

	if (!range_fits(offset, length, io->size))
		return -EINVAL;
	if (!spend(io, length))
		return -ETIME;
	while (length) {
		uint64_t start = align_down(offset, EXT_IO_WINDOW);
		uint64_t skip = offset - start;
		size_t step = min_u64(length, EXT_IO_WINDOW - skip);
		struct ext_io_window *window;
		int ret = load_window(io, start, &window);

		if (ret)
			return ret;
		memcpy(to, window->data + skip, step);
		to += step;
		offset += step;
		length -= step;
	}
	return 0;
}

/* --- The manager: errors are the library's codes, or positive errnos ------ */

void ext_io_name(const struct ext_io *io, char *ret_name)
{
	snprintf(ret_name, EXT_IO_NAME_MAX, "%" PRIxPTR, (uintptr_t)io);
}

/* The library hands its managers nothing but a name: so that is our pointer. */
static errcode_t manager_open(const char *name, int flags,
			      io_channel *ret_channel)
{
	struct ext_io *io = (struct ext_io *)strtoull(name, NULL, 16);

	if (flags & IO_FLAG_RW)
		return EROFS;
	io->channel = (struct struct_io_channel){
		.magic = EXT2_ET_MAGIC_IO_CHANNEL,
		.manager = (io_manager)&ext_io_manager,
		.block_size = 1024,
		.refcount = 1,
		.private_data = io,
	};
	*ret_channel = &io->channel;
	return 0;
}

/* The channel's memory belongs to the ext_io. */
static errcode_t manager_close(io_channel channel)
{
	channel->refcount--;
	return 0;
}

static errcode_t manager_set_block_size(io_channel channel, int block_size)
{
	if (block_size <= 0)
		return EXT2_ET_BAD_DEVICE_NAME;
	channel->block_size = block_size;
	return 0;
}

/* @count is in blocks; a negative one is in bytes. */
static errcode_t manager_read64(io_channel channel, unsigned long long block,
				int count, void *data)
{
	uint64_t block_size = (uint64_t)channel->block_size;
	uint64_t offset, length;
	int ret;

	length = count < 0 ? -(uint64_t)count : (uint64_t)count * block_size;
	if (!mul_fits(block, block_size, &offset))
		return EXT2_ET_SHORT_READ;
	ret = ext_io_read(io_of(channel), offset, data, length);
	return ret == -EINVAL ? EXT2_ET_SHORT_READ : -ret;
}

static errcode_t manager_read(io_channel channel, unsigned long block,
			      int count, void *data)
{
	return manager_read64(channel, block, count, data);
}

static errcode_t manager_write64(io_channel channel, unsigned long long block,
				 int count, const void *data)
{
	(void)channel;
	(void)block;
	(void)count;
	(void)data;
	return EROFS;
}

static errcode_t manager_write(io_channel channel, unsigned long block,
			       int count, const void *data)
{
	return manager_write64(channel, block, count, data);
}

static errcode_t manager_flush(io_channel channel)
{
	(void)channel;
	return 0;
}

const struct struct_io_manager ext_io_manager = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "alcor",
	.open = manager_open,
	.close = manager_close,
	.set_blksize = manager_set_block_size,
	.read_blk = manager_read,
	.write_blk = manager_write,
	.flush = manager_flush,
	.read_blk64 = manager_read64,
	.write_blk64 = manager_write64,
};

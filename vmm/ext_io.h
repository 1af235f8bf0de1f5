/*
 * vmm/ext_io.h - how libext2fs reads: an io_manager (ext2fs/ext2_io.h) over a
 * range of a disk.
 *
 * It never writes. It reads in windows of 64 KiB and keeps a few of them, as
 * the library asks for one block at a time, and each may cost the disk's
 * format a whole cluster. And it has a budget: file systems whose trees run in
 * circles, or grow out of little, end in an error (-ETIME) and not in a loop.
 * On main.
 */
#ifndef VMM_EXT_IO_H
#define VMM_EXT_IO_H

#include <ext2fs/ext2fs.h>
#include <stdint.h>

#include "vmm/disk_view.h"

#define EXT_IO_WINDOW  65536
#define EXT_IO_WINDOWS 8

struct ext_io_window {
	uint64_t offset;
	uint64_t used_at; /* in the order of use; 0: empty */
	uint8_t data[EXT_IO_WINDOW];
};

struct ext_io {
	struct disk_view disk;
	uint64_t offset; /* of the file system on the disk, as is the size */
	uint64_t size;
	uint64_t budget; /* bytes that may still be read */
	uint64_t clock;
	struct struct_io_channel channel;
	struct ext_io_window windows[EXT_IO_WINDOWS];
};

extern const struct struct_io_manager ext_io_manager;

/* The name under which the manager's open() finds this @io. */
#define EXT_IO_NAME_MAX 32
void ext_io_name(const struct ext_io *io, char *ret_name);

/* Any range of the file system. 0 or -errno; -EINVAL: it leaves it. */
int ext_io_read(struct ext_io *io, uint64_t offset, void *buffer,
		size_t length);

#endif

/*
 * block/file_host.h - the two kinds of host file; private to block/file_*.c.
 */
#ifndef BLOCK_FILE_HOST_H
#define BLOCK_FILE_HOST_H

#include "block/file.h"

/* An operation of file_ops on the host's file descriptor. */
int file_host_flush(struct file *file);
int file_host_zero(struct file *file, uint64_t offset, uint64_t length,
		   bool may_unmap);
uint64_t file_host_find_data(struct file *file, uint64_t offset, uint64_t end);
int file_host_truncate(struct file *file, uint64_t size);

/*
 * A file whose @fd is open with O_DIRECT: requests that the kernel would
 * refuse as unaligned go through an aligned buffer. Takes @fd over if it
 * succeeds.
 */
int file_direct_new(int fd, uint64_t size, const char *path,
		    struct file **ret_file, struct err *err);

#endif

/*
 * arch/kernel_file.h - a kernel file's payload, without what it is wrapped in.
 *
 * Distributions wrap kernels that do not unpack themselves: a gzip stream
 * around the whole (Ubuntu's arm64 kernels), or EFI zboot, a small EFI program
 * with the compressed kernel inside (Fedora's; drivers/firmware/efi/libstub/
 * zboot-header.S in Linux). What comes out is for the architecture to judge.
 *
 * The file may be hostile: offsets are checked against its size, and the
 * output is bounded by the caller's buffer. Runs on main.
 */
#ifndef ARCH_KERNEL_FILE_H
#define ARCH_KERNEL_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/fd.h"

enum kernel_packing {
	KERNEL_PLAIN,
	KERNEL_GZIP,
	KERNEL_ZSTD,
};

/* A part of a mapped file, which must stay mapped. */
struct kernel_file {
	const char *path; /* for messages */
	enum kernel_packing packing;
	const uint8_t *data; /* the payload as it stands in the file */
	size_t size;
};

/*
 * Finds the payload. -EINVAL for a zboot header that points out of the file,
 * -ENOTSUP, by name, for a compression that is not done.
 */
int kernel_file_init(const struct fd_map *map, struct kernel_file *ret_file,
		     struct err *err);

/*
 * Unpacks a payload that is not KERNEL_PLAIN. What follows the end of the
 * compressed stream (a signature, padding) is ignored. -EINVAL for a damaged
 * or cut stream, -ENOSPC where it holds more than @capacity.
 */
int kernel_file_unpack(const struct kernel_file *file, void *buffer,
		       size_t capacity, size_t *ret_size, struct err *err);

#endif

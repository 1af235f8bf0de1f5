/*
 * block/file_lock.h - alcor, QEMU and qemu-img exclude each other on a file.
 *
 * QEMU's protocol (its docs/interop, "image locking"): open file description
 * locks, all of them shared ones, on single bytes of the file. Byte 100 + n
 * says "I use permission n", byte 200 + n "I do not let others use it"; who
 * has set his own then looks whether anyone holds the opposite byte.
 */
#ifndef BLOCK_FILE_LOCK_H
#define BLOCK_FILE_LOCK_H

#include <stdbool.h>

#include "base/err.h"

/*
 * Keeps writers out and, for a writer, readers. The locks end with @fd, which
 * is open for reading. -EBUSY: another program, or this one, has the file open
 * in a way that does not go together with that. @path is for the message.
 */
int file_lock(int fd, const char *path, bool read_only, struct err *err);

#endif

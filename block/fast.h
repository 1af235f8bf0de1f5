/*
 * block/fast.h - the fast path by hand: for those who map a request themselves
 * and do its I/O in their own way, such as queue.c. What they cannot do so,
 * they leave to block_read() and its like, on a thread that may wait.
 *
 * A request's life: block_begin(); block_next() for each extent; the I/O; when
 * all of it has ended, block_end(), on whatever thread. In between, what
 * block_next() said stays true: the host's bytes are nobody else's yet, even if
 * the guest's discard or copy-on-write has replaced them meanwhile. A write to
 * an extent that is writable in place may so be lost together with what was
 * there, as if it had come before the discard.
 *
 * Threads: any, at once. Nothing here waits. Who is between block_begin() and
 * block_end() must not wait for anything but the request's own I/O, and that
 * must end without the help of a thread that is in a call of block.h.
 */
#ifndef BLOCK_FAST_H
#define BLOCK_FAST_H

#include "block/gate.h"
#include "block/image.h"

struct block_pass {
	struct gate_pass gate;
};

/* False: not now; all of the request is for block_read() and its like. */
bool block_begin(struct block *block, struct block_pass *ret_pass);
void block_end(struct block *block, struct block_pass pass);

/*
 * The first extent of a range, from memory alone. A DATA extent is at
 * host_offset of the file extent->image->data; a write there is right only
 * where writable_in_place. -EINVAL: not a range of this disk.
 */
int block_next(struct block *block, uint64_t offset, uint64_t length,
	       struct extent *ret_extent);

/*
 * A hint, inside the gate: block_next() will be called for that offset soon,
 * and before that for others.
 */
void block_expect(struct block *block, uint64_t offset);

/*
 * The file whose flush is all that block_flush() would do; NULL: it would do
 * more, so call it. Who flushes the file by other means than file_flush() heeds
 * and sets file->flush_error, see file_flushed(). Who reads and writes it by
 * other means does so between file_begin() and file_end().
 */
struct file *block_flush_file(struct block *block);

/*
 * The files that DATA extents are in, the first @room of them; a file's number
 * is its index here. Returns how many those are.
 */
size_t block_files(struct block *block, const struct file **ret_files,
		   size_t room);

/* Threads for what must wait, shared by all that the disk is used by. */
struct workers *block_workers(struct block *block);

#endif

/*
 * block/block.h - what stands behind a disk: a raw file or a qcow2 image with
 * its chain of backing files. The only header of this folder that devices see.
 *
 * Threads: block_open() and block_close() belong to main, everything else may
 * be called from any thread, at once and on overlapping ranges. Calls block;
 * block_map() does not.
 *
 * Ranges: offset and length are bytes and multiples of BLOCK_SECTOR; a range
 * past block_size() fails with -EINVAL and touches nothing.
 *
 * Errors of the request path: the host's -errno; -EUCLEAN where the image is
 * wrong (told once, and from then on every write is refused with it);
 * -EROFS for a write to a read-only disk. When a request fails, what was asked
 * of the range is undefined, what lies around it is untouched.
 */
#ifndef BLOCK_BLOCK_H
#define BLOCK_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

#define BLOCK_SECTOR 512

enum block_format { BLOCK_QCOW2, BLOCK_RAW };

/* Whether a backing file that an image names may be opened. */
enum block_backing {
	BLOCK_BACKING_NEAR, /* only in the image's directory or below */
	BLOCK_BACKING_ON,
	BLOCK_BACKING_OFF,
	BLOCK_BACKING_IGNORED, /* as if the image named none: for tools */
};

enum block_cache { BLOCK_WRITEBACK, BLOCK_DIRECT };

struct block_options {
	const char *path;
	enum block_format format;
	enum block_cache cache;
	enum block_backing backing;
	const char *backing_format; /* of the first backing file, whatever the
				       image says; NULL: what it says */
	const char *data_file;	 /* holds the image's data; NULL: the image */
	const char *snapshot_id; /* id or name of a qcow2 image's internal
				    snapshot, read_only; NULL: as it is now */
	uint64_t l2_cache_size;	 /* bytes; 0: the default */
	bool read_only;
	bool snapshot;		  /* writes go to a nameless overlay */
	unsigned int write_depth; /* a backing file that is written, too: 1 is
				     the image's own; 0: none; for tools */
	bool no_lock; /* open it although others may be writing: for tools */
	/*
	 * Qcow2 says of what was zeroed or discarded that it is zeroes, even
	 * where nothing beneath could show; as QEMU does: for tools.
	 */
	bool explicit_zeroes;
};

struct block;

/*
 * Opens the image and its whole backing chain, and locks each file as QEMU
 * would: a reader keeps writers out, a writer keeps out all who lock (other
 * programs, and this one's other disks). The format is what the options say,
 * never probed. Fails with a sentence in @err, and -ENOTSUP where the image
 * needs a feature that is not done; then nothing was written.
 */
int block_open(const struct block_options *options, struct block **ret_block,
	       struct err *err);

/*
 * Writes back what is cached and closes all. No request may be under way. The
 * error of the write-back, if any; the disk is closed in every case.
 */
int block_close(struct block *block);

/* Constant after block_open(). Bytes. */
uint64_t block_size(const struct block *block);
bool block_is_read_only(const struct block *block);

/* The unit in which space is given back; a power of two, in bytes. */
uint64_t block_discard_granularity(const struct block *block);

int block_read(struct block *block, uint64_t offset, const struct iovec *iov,
	       size_t count);
int block_write(struct block *block, uint64_t offset, const struct iovec *iov,
		size_t count);

/* Every write that ended before this call is on stable storage after it. */
int block_flush(struct block *block);

/*
 * Gives back what the disk does not need while it is idle: memory of tables
 * that were not used since the last call, and reserved space. To be called now
 * and then; does not wait for anybody who is using the disk.
 */
void block_trim(struct block *block);

/* What there was to do for the cached parts of a disk's tables. */
struct block_statistics {
	uint64_t lookups;   /* by requests; a look ahead of several is one */
	uint64_t misses;    /* slices that had to be read for them */
	uint64_t evictions; /* slices that had to make room */
};

/* Since the disk was opened. */
void block_statistics(struct block *block,
		      struct block_statistics *ret_statistics);

/* The guest no longer needs the range; it reads as zeroes or as before. */
int block_discard(struct block *block, uint64_t offset, uint64_t length);

/* The range reads as zeroes. @may_unmap: its space may be given back. */
int block_write_zeroes(struct block *block, uint64_t offset, uint64_t length,
		       bool may_unmap);

/*
 * Where a piece of the disk is: the first extent of [offset, offset + length),
 * answered from memory alone, without waiting. What it says of DATA holds
 * until the next discard or copy-on-write of that range; such an extent may
 * go past the end of its file, where it reads as zeroes.
 */
enum block_extent_kind {
	BLOCK_EXTENT_UNCACHED,	 /* not known without I/O: take the slow path */
	BLOCK_EXTENT_DATA,	 /* at host_offset of fd */
	BLOCK_EXTENT_ZERO,	 /* reads as zeroes */
	BLOCK_EXTENT_COMPRESSED, /* only the slow path reads it */
};

struct block_extent {
	enum block_extent_kind kind;
	bool writable_in_place; /* DATA that nothing else refers to */
	int fd;			/* DATA only; owned by the block */
	uint64_t host_offset;	/* DATA only */
	uint64_t length;	/* bytes; 0 < length <= what was asked */
};

void block_map(struct block *block, uint64_t offset, uint64_t length,
	       struct block_extent *ret_extent);

#endif

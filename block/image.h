/*
 * block/image.h - one file of a disk's chain, seen through its format.
 *
 * A format is a const ops table and a struct that begins with a struct image.
 * map() is the seam between the fast path, which image.c and block.c run, and
 * the slow path, which is the format's other operations.
 *
 * Threads: map(), inflate() and the fast path run in many threads at once, also
 * beside the other operations. Of these, one runs at a time: the disk's lock
 * sees to that, for the whole chain. commit_image(), resize() and empty() are
 * alone altogether, and so is close(). Until an image belongs to a disk
 * (block_new()), one thread has all of it.
 *
 * What map() said holds until the requests that were under way then have ended,
 * in one sense: the bytes that it named on the host are not used for anything
 * else. Who wants to use them again asks image->gate.
 *
 * Ranges lie within the image and are multiples of BLOCK_SECTOR, unless a
 * function says otherwise.
 */
#ifndef BLOCK_IMAGE_H
#define BLOCK_IMAGE_H

#include "block/block.h"
#include "block/cursor.h"
#include "block/file.h"

struct gate;
struct image;
struct workers;

/* As struct block_extent says, with the image of the chain that it lies in. */
struct extent {
	enum block_extent_kind kind;
	bool writable_in_place;
	struct image *image;  /* ZERO: NULL if it is unallocated everywhere */
	uint64_t host_offset; /* in image->data; ZERO: 0 if none is reserved */
	uint64_t length;
};

struct image_ops {
	/* Memory only. What looks wrong is UNCACHED: load() will say why. */
	void (*map)(struct image *image, uint64_t offset, uint64_t length,
		    struct extent *ret_extent);
	/*
	 * A hint that map() will be asked for @offset soon, which may lie past
	 * the end. NULL: it has nothing to gain.
	 */
	void (*expect)(const struct image *image, uint64_t offset);
	/*
	 * Reads the tables that map() lacks to answer for @offset, or fails.
	 * NULL where map() always answers.
	 */
	int (*load)(struct image *image, uint64_t offset);
	/*
	 * Reads a part of a COMPRESSED extent of this very image. May wait for
	 * others who do that. -EAGAIN, and nothing is read: it is no longer
	 * what map() said.
	 */
	int (*inflate)(struct image *image, uint64_t offset, uint64_t length,
		       struct cursor *to);
	/* The same from memory alone, without waiting; false: by inflate(). */
	bool (*inflate_known)(struct image *image, uint64_t offset,
			      uint64_t length, struct cursor *to);
	/* Any write. NULL where all of the image is writable in place. */
	int (*write)(struct image *image, uint64_t offset, uint64_t length,
		     struct cursor *from);
	/*
	 * Writes the cluster at @offset as these compressed bytes, which are
	 * fewer than a cluster. NULL where that is not possible.
	 */
	int (*write_compressed)(struct image *image, uint64_t offset,
				const void *packed, size_t length);
	/*
	 * The first of a writer's operations, once everything about the disk
	 * is known to be good. NULL: nothing to do. Until then nothing was
	 * written.
	 */
	int (*begin)(struct image *image);
	/* See block.h. */
	int (*discard)(struct image *image, uint64_t offset, uint64_t length);
	int (*write_zeroes)(struct image *image, uint64_t offset,
			    uint64_t length, bool may_unmap);
	/*
	 * Is there nothing that flush() would write? Then flushing the data's
	 * file is enough. NULL: always so.
	 */
	bool (*is_settled)(const struct image *image);
	int (*flush)(struct image *image);
	/*
	 * The same in two halves, between which others may use the image:
	 * writes all that waits, and says until when that was; then, when
	 * image_sync() has followed without an error, hears of it. NULL where
	 * is_settled is.
	 */
	int (*write_back)(struct image *image, uint64_t *ret_time);
	void (*written_back)(struct image *image, uint64_t time);
	/*
	 * Gives back what was not used since the last call: memory, and space
	 * that was reserved. NULL: there is none.
	 */
	void (*trim)(struct image *image);
	/* Adds what this image has had to do. NULL: nothing. */
	void (*add_statistics)(const struct image *image,
			       struct block_statistics *statistics);
	/*
	 * All of the disk becomes unallocated, and shows what lies beneath.
	 * Durable as resize() is. NULL where nothing can lie beneath.
	 */
	int (*empty)(struct image *image, struct err *err);
	/*
	 * Makes the disk end at @size, which a format may want to be a multiple
	 * of BLOCK_SECTOR (-EINVAL); what is new reads as zeroes. Durable when
	 * it returns; cut short by a power cut, the disk has its old size or
	 * the new one.
	 */
	int (*resize)(struct image *image, uint64_t size, struct err *err);
	/* Writes back and frees the image, its file included. */
	int (*close)(struct image *image);
};

/* A backing file, as the image names it. */
struct image_backing {
	char name[1024]; /* empty: there is none */
	char format[16]; /* empty: not stated */
};

struct image {
	const struct image_ops *ops; /* [c] */
	struct file *file;	     /* [c] owned */
	struct file *data; /* [c] what DATA extents lie in: file, or owned */
	struct image *backing;		  /* [c] owned; NULL: zeroes */
	char *name;			  /* [c] owned; for messages */
	struct image_backing backing_ref; /* [c] */
	struct gate *gate;	 /* [c] of the disk; NULL: nobody else has it */
	struct workers *workers; /* [c] of the disk, if there is a gate */
	uint64_t size; /* multiple of BLOCK_SECTOR; only resize() changes it */
	uint64_t discard_granularity; /* [c] */
	bool read_only;		      /* [c] */
	bool explicit_zeroes;	      /* [c] see struct block_options */
};

struct image_options {
	const char *name; /* for messages */
	bool read_only;
	uint64_t l2_cache_size;	 /* 0: the default */
	struct file *data_file;	 /* external; NULL: the image has its data */
	const char *snapshot_id; /* qcow2, read-only: the id or the name of an
				    internal snapshot; NULL: as it is now */
	bool for_check; /* qcow2_tables.c: leave finding faults to it */
};

/*
 * Open a file as an image, without its backing file. On success the image owns
 * @file and options->data_file; on failure the caller still does.
 */
int raw_open(struct file *file, const struct image_options *options,
	     struct image **ret_image, struct err *err);
int qcow2_open(struct file *file, const struct image_options *options,
	       struct image **ret_image, struct err *err);

/*
 * A disk of an open chain, which it owns then (block.c). NULL: out of memory.
 */
struct block *block_new(struct image *top);

/*
 * block_read() and block_write() of the next @length bytes of a longer
 * request's iovec, whose cursor moves on.
 */
int block_read_to(struct block *block, uint64_t offset, uint64_t length,
		  struct cursor *to);
int block_write_from(struct block *block, uint64_t offset, uint64_t length,
		     struct cursor *from);

/*
 * The calls of block.h that only tools need, under the same lock: where a piece
 * of the disk is, whatever has to be read for that; and image_ops'
 * write_compressed (-ENOTSUP where there is none) and resize.
 */
int block_find(struct block *block, uint64_t offset, uint64_t length,
	       struct extent *ret_extent);
int block_write_compressed(struct block *block, uint64_t offset,
			   const void *packed, size_t length);
int block_resize(struct block *block, uint64_t size, struct err *err);

/*
 * Writes what the topmost image, and any between, have into a backing file of
 * it, which has to be open for writing and is made longer if need be; when that
 * is durable, empties the topmost image, unless it is to be kept or others are
 * between. @progress, if not NULL, hears how far it is, in bytes of the disk,
 * and ends it by anything but 0, which is returned then. Safe to cut short: the
 * disk is the same at any time.
 */
struct block_commit {
	unsigned int
		depth; /* of that backing file: block_options.write_depth */
	bool keep;     /* the topmost image stays as it is */
	int (*progress)(void *context, uint64_t done, uint64_t total);
	void *context;
};
int block_commit(struct block *block, const struct block_commit *how,
		 struct err *err);

/*
 * Writes into the topmost image what it would no longer show if it lay over
 * @backing (NULL: nothing) instead of its backing file; durably. @progress as
 * for block_commit(). The name of the backing file is not changed by this.
 */
int block_rebase(struct block *block, struct image *backing,
		 int (*progress)(void *context, uint64_t done, uint64_t total),
		 void *context);

/* Closes the image and its chain; NULL is none. The first error. */
int image_close(struct image *image);

/* Flushes the image's files, the data's first. Any thread, at any time. */
int image_sync(struct image *image);

/*
 * The fast path: as much of the front of the range as map() answers at once.
 * *ret_done says how much that was; less than @length without an error: the
 * rest is for the slow path.
 */
int image_read_fast(struct image *image, uint64_t offset, uint64_t length,
		    struct cursor *to, uint64_t *ret_done);
int image_write_fast(struct image *image, uint64_t offset, uint64_t length,
		     struct cursor *from, uint64_t *ret_done);

/* The next extent, loaded if need be: never UNCACHED. */
int image_find(struct image *image, uint64_t offset, uint64_t length,
	       struct extent *ret_extent);

/* All of the range, by whatever path: these two. */
int image_write(struct image *image, uint64_t offset, uint64_t length,
		struct cursor *from);
int image_read(struct image *image, uint64_t offset, uint64_t length,
	       struct cursor *to);

/*
 * Into a flat buffer, of any alignment, and with zeroes for what lies past the
 * end of the image.
 */
int image_read_padded(struct image *image, uint64_t offset, uint64_t length,
		      void *buffer);

/*
 * Is the range known to read as zeroes, by the tables alone? As for
 * image_read_padded(). May load tables; an error there counts as no.
 */
bool image_is_zero(struct image *image, uint64_t offset, uint64_t length);

#endif

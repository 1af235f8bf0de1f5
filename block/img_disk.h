/*
 * block/img_disk.h - an image that a tool has open, with its chain.
 *
 * Other than a machine's disks, a tool's may be of a format that nobody
 * stated: then the file's first bytes decide, as in qemu-img. A backing file's
 * format is never guessed.
 */
#ifndef BLOCK_IMG_DISK_H
#define BLOCK_IMG_DISK_H

#include "block/block.h"
#include "block/image.h"
#include "block/img_blkdebug.h"
#include "block/img_options.h"

/* What is to be opened, and how; img_node.h says what it comes to. */
struct img_open {
	const char *path;    /* a file; NULL: options say */
	const char *options; /* QEMU's, "key=value,..."; NULL: none */
	bool typed;	     /* by the user: path may be "json:..." */
	const char *format;  /* NULL: by the first bytes */
	bool writable;
	bool snapshot;		  /* writes go to a nameless overlay */
	unsigned int write_depth; /* of block_options */
	bool no_lock;
	bool direct;		 /* O_DIRECT */
	bool writethrough;	 /* flush after each write, whoever writes */
	const char *data_file;	 /* NULL: the image has its data */
	const char *snapshot_id; /* of a snapshot inside; NULL: as it is now */
	uint64_t l2_cache_size;	 /* 0: the default */
	const char *backing_format; /* instead of what the image says */
	bool compress;		    /* what is written */
	bool explicit_zeroes;	    /* see struct block_options */
	bool describe; /* no data will be read: a data file is not needed */
	bool plain;    /* the sentence does not begin with "Could not open" */
	enum block_backing backing;
};

struct img_disk {
	struct block *block; /* NULL: closed */
	struct image *top;   /* owned by block */
	uint64_t size;
	bool compress;		       /* what is written */
	struct img_blkdebug *blkdebug; /* owned; NULL: none */
};

/*
 * A command's -f, -U, --backing and --data-file for @path; @cache is the letter
 * of its option that says how this file is cached, 't' or 'T', or 0.
 */
int img_open_init(struct img_open *open, const struct img_args *args,
		  const char *path, int cache, struct err *err);

/*
 * The snapshot that -l names, by "snapshot.name=NAME", "snapshot.id=ID" or
 * either alone; NULL: none.
 */
const char *img_snapshot_value(const struct img_args *args);

/* "none" and so on: the fields of @open that it is about. */
int img_cache_parse(const char *mode, struct img_open *open, struct err *err);

/* "qcow2" or "raw". */
int img_format_parse(const char *name, enum block_format *ret_format,
		     struct err *err);
const char *img_format_name(enum block_format format);

/*
 * The file alone, for what works on an image's metadata: with its locks, but
 * without a look into it beyond what tells the format. The caller closes it.
 */
int img_file_open(const struct img_open *open, struct file **ret_file,
		  enum block_format *ret_format, struct err *err);

/* The sentence in @err names the path. */
int img_disk_open(struct img_disk *disk, const struct img_open *open,
		  struct err *err);

/* The first error of the write-back. A closed disk is closed again. */
int img_disk_close(struct img_disk *disk);

/*
 * What commands do around their work: these say what went wrong themselves, and
 * give an exit status. img_disk_finish() closes the disk of a command that came
 * to @status; that it could not be closed is told if all went well before.
 */
int img_open_operand(struct img_open *open, const struct img_args *args,
		     size_t index, int cache);
int img_disk_begin(struct img_disk *disk, const struct img_open *open);
int img_disk_finish(struct img_disk *disk, const char *path, int status);

bool img_disk_is_qcow2(const struct img_disk *disk);

/*
 * Any range within the disk, not only whole sectors; what lies past a last,
 * partial sector of a raw file reads as zeroes. -EIO past the disk's end.
 */
int img_disk_read(struct img_disk *disk, uint64_t offset, void *buffer,
		  size_t length);
int img_disk_write(struct img_disk *disk, uint64_t offset, const void *buffer,
		   size_t length);
int img_disk_write_zeroes(struct img_disk *disk, uint64_t offset,
			  uint64_t length, bool may_unmap);

#endif

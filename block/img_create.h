/*
 * block/img_create.h - making an image file, for "create" and "convert".
 */
#ifndef BLOCK_IMG_CREATE_H
#define BLOCK_IMG_CREATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "block/block.h"
#include "block/preallocate.h"
#include "block/qcow2_create.h"

/* Texts are as typed; they are judged when the image is made. */
struct img_create {
	const char *path;
	enum block_format format;
	uint64_t size;
	bool has_size;
	char *backing;	      /* owned, as the others here; NULL: none */
	char *backing_format; /* NULL: not said */
	char *data_file;      /* NULL: none */
	char *compat;	      /* NULL: 1.1 */
	char *compression;    /* NULL: zlib */
	char *preallocation;  /* NULL: off */
	uint64_t cluster_size;
	uint64_t refcount_bits;
	bool lazy_refcounts;
	bool extended_l2;
	unsigned int said; /* the keys, by img_create_said() */
	bool data_file_raw;
};

/*
 * The defaults, changed by "key=value,...", which may be NULL; ",," is a comma
 * in a value. img_create_fini() is due in both cases.
 */
int img_create_init(struct img_create *create, const char *path,
		    enum block_format format, const char *options,
		    struct err *err);
void img_create_fini(struct img_create *create);

/* Was this key among the options? */
bool img_create_said(const struct img_create *create, const char *key);

/*
 * Decides what was not said, once it is known what the image is for: an overlay
 * gets subclusters, and a copy that is compressed (@compress) zstd. Not for a
 * program called qemu-img, whose images are those of QEMU.
 */
void img_create_choose(struct img_create *create, bool compress);

/* Is a help about the options asked for? */
bool img_create_wants_help(const char *options);
void img_create_print_help(enum block_format format);

/* Of those that "amend" takes. */
void img_create_print_amend_help(void);

/* "Formatting 'x', fmt=qcow2 ..." */
void img_create_print(const struct img_create *create);

/*
 * What would be made; *ret_qcow2 only of a qcow2 image, and valid as long as
 * @create. Fails where what was said does not go together.
 */
int img_create_plan(const struct img_create *create,
		    struct qcow2_create_options *ret_qcow2,
		    enum preallocation *ret_how, struct err *err);

/*
 * Makes the file, whatever was in it before; it must not be in use. If that
 * fails, or ends early because of a signal (img_stop.h), it is removed again,
 * unless it is a device.
 */
int img_create_make(const struct img_create *create, struct err *err);

/* Removes what was made, and its data file. */
void img_create_remove(const struct img_create *create);

#endif

/*
 * block/img_blkdebug.h - a file under an image that fails, or waits, when it is
 * told to: QEMU's "blkdebug", for qemu-io's scripts.
 *
 * QEMU has a name for each place that reads or writes (l2_update, cow_read,
 * ...). Here the file only sees whether one of the image's tables or data is
 * read or written, or all is flushed; each of QEMU's events is the one of
 * these that it belongs to. What is not a matter of the file, as cluster_alloc,
 * is refused.
 */
#ifndef BLOCK_IMG_BLKDEBUG_H
#define BLOCK_IMG_BLKDEBUG_H

#include "block/image.h"
#include "block/img_spec.h"

struct img_blkdebug;

/*
 * With the rules that @spec has with @prefix in front: config=FILE, and
 * inject-error.N.KEY and set-state.N.KEY as in that file's sections.
 */
int img_blkdebug_new(struct img_spec *spec, const char *prefix,
		     struct img_blkdebug **ret_blkdebug, struct err *err);

/* NULL is none. Not before the image that it is under is closed. */
void img_blkdebug_free(struct img_blkdebug *blkdebug);

/* Slides it under an image that nobody uses yet. */
int img_blkdebug_insert(struct img_blkdebug *blkdebug, struct image *image);

/*
 * The next request of that kind will wait, with a tag by which it is found.
 * -EINVAL: no such event.
 */
int img_blkdebug_break(struct img_blkdebug *blkdebug, const char *event,
		       const char *tag);

/* Those with the tag go on, or are not to wait any more; -ENOENT: none. */
int img_blkdebug_resume(struct img_blkdebug *blkdebug, const char *tag);
int img_blkdebug_remove(struct img_blkdebug *blkdebug, const char *tag);

/* Until one waits. -ENOENT: none is going to, as far as breakpoints go. */
int img_blkdebug_wait(struct img_blkdebug *blkdebug, const char *tag);

/* Does a request wait? Then others may wait for that one. */
bool img_blkdebug_is_waiting(struct img_blkdebug *blkdebug);

/* All go on, and none is going to wait. */
void img_blkdebug_resume_all(struct img_blkdebug *blkdebug);

#endif

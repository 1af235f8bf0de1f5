/*
 * block/backing.h - which file an image means by the name of its backing file.
 */
#ifndef BLOCK_BACKING_H
#define BLOCK_BACKING_H

#include "block/block.h"
#include "block/image.h"

/*
 * The path of the file that @image names, if the policy allows to open it; the
 * caller frees it. Only a plain file name is ever followed: names are part of
 * an image that someone else may have made.
 */
int backing_resolve(const struct image *image, enum block_backing policy,
		    char **ret_path, struct err *err);

/*
 * What the name, in an image of that path, means seen from here: nothing is
 * checked. The caller frees it; NULL: out of memory.
 */
char *backing_path(const char *image, const char *name);

/* The format that the image states; it is never probed. */
int backing_format(const struct image *image, enum block_format *ret_format,
		   struct err *err);

#endif

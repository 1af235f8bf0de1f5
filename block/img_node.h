/*
 * block/img_node.h - what a struct img_open comes to: a file's name, or one of
 * QEMU's descriptions (img_spec.h), or both. Only what the user typed is read
 * as a description; a name that an image gives never is.
 *
 * Of QEMU's drivers there are qcow2 and raw over a file; "file" and
 * "host_device" on their own, which are raw, too; "compress" over any of
 * them, which compresses what is written; and "blkdebug" (img_blkdebug.h).
 */
#ifndef BLOCK_IMG_NODE_H
#define BLOCK_IMG_NODE_H

#include "block/img_disk.h"
#include "block/img_runtime.h"
#include "block/img_spec.h"

struct img_node {
	struct img_open open; /* a plain path; texts are the caller's, or... */
	struct img_spec spec; /* ...of this */
	struct img_runtime runtime;
	struct img_blkdebug *blkdebug; /* owned until a disk takes it */
	const char *driver;	       /* of the file, if it was said */
};

/* img_node_fini() is due in both cases. */
int img_node_init(struct img_node *node, const struct img_open *open,
		  struct err *err);
void img_node_fini(struct img_node *node);

#endif

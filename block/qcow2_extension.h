/*
 * block/qcow2_extension.h - the header extensions that alcor looks into.
 *
 * The area begins at @start (the header's length) and ends with its own end
 * mark or the first cluster, of @cluster_size bytes.
 */
#ifndef BLOCK_QCOW2_EXTENSION_H
#define BLOCK_QCOW2_EXTENSION_H

#include "block/qcow2.h"

/*
 * The stated format of the backing file, cut to @room; empty if not stated.
 * -EUCLEAN: an extension does not end inside the first cluster.
 */
int qcow2_extension_backing_format(struct file *file, uint64_t start,
				   uint64_t cluster_size, char *ret_format,
				   size_t room);

/*
 * What the feature name table calls an incompatible feature; without control
 * characters, and "?" where it is silent. @ret_name has room for a whole name
 * and a zero.
 */
void qcow2_extension_feature_name(struct file *file, uint64_t start,
				  uint64_t cluster_size, unsigned int bit,
				  char *ret_name);

#endif

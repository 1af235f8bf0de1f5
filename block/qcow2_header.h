/*
 * block/qcow2_header.h - what an image's header and its extensions say.
 *
 * Read before anything else is known of an image; both halves are checked, so
 * that nothing of it needs another look.
 */
#ifndef BLOCK_QCOW2_HEADER_H
#define BLOCK_QCOW2_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "block/image.h"
#include "block/qcow2_format.h"

/* --- qcow2_header.c: the header, checked ---------------------------------- */

struct qcow2_info {
	unsigned int version;
	unsigned int cluster_bits;
	unsigned int refcount_order;
	enum qcow2_compression compression;
	uint64_t size; /* bytes, rounded down to a sector as QEMU does */
	uint64_t incompatible;
	uint64_t compatible;
	uint64_t autoclear;
	uint64_t l1_offset;
	uint64_t l1_size; /* entries */
	uint64_t reftable_offset;
	uint64_t reftable_clusters;
	uint64_t snapshots_offset;
	uint64_t snapshot_count;
	struct image_backing backing;
};

/*
 * Reads and checks the header and its extensions. Nothing in *ret_info needs
 * another look before it is used for a shift, a size or an allocation.
 */
int qcow2_header_read(struct file *file, const struct image_options *options,
		      struct qcow2_info *ret_info, struct err *err);

/* --- qcow2_extension.c: the header extensions that matter ----------------- */

/*
 * The area begins at @start (the header's length) and ends with its own end
 * mark or the first cluster, of @cluster_size bytes.
 */

/*
 * The stated format of the backing file, cut to @room; empty if not stated.
 * -EUCLEAN: an extension does not end inside the first cluster.
 */
int qcow2_extension_backing_format(struct file *file, uint64_t start,
				   uint64_t cluster_size, char *ret_format,
				   size_t room);

/*
 * The front of the last extension of a type, with zeroes behind it if it is
 * shorter than @room; none is all zeroes. -EUCLEAN as above.
 */
int qcow2_extension_find(struct file *file, uint64_t start,
			 uint64_t cluster_size, uint32_t type, void *ret_data,
			 size_t room);

/*
 * What the feature name table calls an incompatible feature; without control
 * characters, and empty where it is silent. @ret_name has room for a whole name
 * and a zero.
 */
void qcow2_extension_feature_name(struct file *file, uint64_t start,
				  uint64_t cluster_size, unsigned int bit,
				  char *ret_name);

#endif

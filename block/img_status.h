/*
 * block/img_status.h - what is known of a range of a disk, without its bytes.
 */
#ifndef BLOCK_IMG_STATUS_H
#define BLOCK_IMG_STATUS_H

#include "block/img_disk.h"

struct img_status {
	uint64_t length;    /* > 0 */
	unsigned int depth; /* in the chain: 0 is the image itself */
	bool present;	    /* the image at that depth has it allocated */
	bool zero;	    /* reads as zeroes */
	bool data;	    /* has clusters, or bytes of a raw file */
	bool compressed;
	bool has_offset;
	uint64_t offset;  /* in file */
	const char *file; /* NULL: none; owned by the disk */
};

/*
 * The first piece of [offset, offset + length), any range within the disk; may
 * read tables.
 */
int img_status_get(struct img_disk *disk, uint64_t offset, uint64_t length,
		   struct img_status *ret_status);

#endif

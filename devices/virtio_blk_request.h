/*
 * devices/virtio_blk_request.h - what a chain of descriptors asks of a disk
 * (Virtual I/O Device specification 1.2, section 5.2.6).
 *
 * Pure functions: from the guest's memory to a struct of ours. Each field is
 * read once. Any thread.
 */
#ifndef DEVICES_VIRTIO_BLK_REQUEST_H
#define DEVICES_VIRTIO_BLK_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "devices/virtqueue.h"

/* The limits of DISCARD and WRITE_ZEROES, told in the configuration. */
#define VIRTIO_BLK_SEGMENTS_MAX	       32
#define VIRTIO_BLK_SEGMENT_SECTORS_MAX (1U << 21) /* 1 GiB */

struct virtio_blk_data {
	struct iovec *iov; /* in the chain's array */
	unsigned int count;
	size_t length;
};

struct virtio_blk_request {
	bool has_header; /* else type and sector are 0 */
	uint32_t type;	 /* VIRTIO_BLK_T_* */
	uint64_t sector;
	struct virtio_blk_data from_driver; /* behind the header */
	struct virtio_blk_data to_driver;   /* before the status */
	uint8_t *status;		    /* [g] */
};

/* One range of a DISCARD or WRITE_ZEROES request, in bytes. */
struct virtio_blk_segment {
	uint64_t offset;
	uint64_t length;
	bool unmap;
};

/*
 * Takes header and status off the chain's ends, wherever its descriptors are
 * split (2.7.4: no assumption about framing). -EPROTO where there is no place
 * for a status: such a request cannot even be refused.
 */
int virtio_blk_request_parse(struct virtqueue_chain *chain,
			     struct virtio_blk_request *ret_request);

/*
 * The byte offset of @length bytes from @sector on, or -EINVAL unless that is
 * whole sectors within @capacity (bytes).
 */
int virtio_blk_request_range(uint64_t sector, uint64_t length,
			     uint64_t capacity, uint64_t *ret_offset);

/*
 * The ranges in a DISCARD or WRITE_ZEROES request: their number, all of them
 * within the limits and @capacity; or -EINVAL, or -ENOTSUP for a flag that
 * the type does not have.
 */
int virtio_blk_request_segments(
	const struct virtio_blk_request *request, uint64_t capacity,
	struct virtio_blk_segment ret_segments[VIRTIO_BLK_SEGMENTS_MAX]);

/* 0 or -errno as a status byte, VIRTIO_BLK_S_*. */
uint8_t virtio_blk_request_status(int ret);

#endif

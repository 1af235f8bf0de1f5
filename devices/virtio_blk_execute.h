/*
 * devices/virtio_blk_execute.h - does what a request asks, on a struct block.
 *
 * Synchronous: it returns when the host is done. Any thread, with a target of
 * its own.
 */
#ifndef DEVICES_VIRTIO_BLK_EXECUTE_H
#define DEVICES_VIRTIO_BLK_EXECUTE_H

#include <stdatomic.h>

#include "block/block.h"
#include "devices/virtio_blk_request.h"

/* What requests are executed on, and how. */
struct virtio_blk_target {
	struct block *disk;
	uint64_t capacity;	    /* bytes */
	const char *id;		    /* VIRTIO_BLK_ID_BYTES, padded with NUL */
	bool can_discard;	    /* negotiated */
	bool can_write_zeroes;	    /* negotiated */
	bool write_through;	    /* a write ends on stable storage */
	const atomic_bool *running; /* false: give up between two pieces */
	struct iovec *scratch;	    /* as large as a chain's array */
};

/*
 * 0 or -errno: -ENOTSUP for a type that is not known or not negotiated,
 * -ECANCELED where @running became false, whatever @request has done by then.
 * @ret_written: the bytes written to the driver's memory in front of the
 * status, or 0 unless that is all of them.
 */
int virtio_blk_execute(const struct virtio_blk_target *target,
		       const struct virtio_blk_request *request,
		       size_t *ret_written);

#endif

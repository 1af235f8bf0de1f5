/*
 * devices/virtio_blk_execute.c - see virtio_blk_execute.h.
 *
 * A request may be as long as the disk (the same memory can stand in it many
 * times), so reads and writes go in pieces, and between two of them a stop is
 * noticed: a guest cannot keep its own reset, or the machine's end, waiting.
 */
#include "devices/virtio_blk_execute.h"

#include <errno.h>
#include <linux/virtio_blk.h>

#include "base/iov.h"
#include "base/math.h"

#define PIECE_MAX (4 * MIB) /* a multiple of BLOCK_SECTOR */

typedef int (*transfer)(struct block *disk, uint64_t offset,
			const struct iovec *iov, size_t count);

static int transfer_data(const struct virtio_blk_target *target,
			 const struct virtio_blk_data *data, uint64_t sector,
			 transfer move)
{
	uint64_t offset, length;
	size_t count;
	int ret;

	ret = virtio_blk_request_range(sector, data->length, target->capacity,
				       &offset);
	if (ret || !data->length)
		return ret;
	if (data->length <= PIECE_MAX)
		return move(target->disk, offset, data->iov, data->count);
	for (uint64_t done = 0; done < data->length && !ret; done += length) {
		if (!atomic_load(target->running))
			return -ECANCELED;
		length = min_u64(data->length - done, PIECE_MAX);
		count = iov_slice(data->iov, data->count, done, length,
				  target->scratch);
		ret = move(target->disk, offset + done, target->scratch, count);
	}
	return ret;
}

static int execute_segments(const struct virtio_blk_target *target,
			    const struct virtio_blk_request *request)
{
	struct virtio_blk_segment segments[VIRTIO_BLK_SEGMENTS_MAX];
	const struct virtio_blk_segment *segment;
	int count, ret = 0;

	count = virtio_blk_request_segments(request, target->capacity,
					    segments);
	if (count < 0)
		return count;
	for (int i = 0; i < count && !ret; i++) {
		segment = &segments[i];
		if (!atomic_load(target->running))
			return -ECANCELED;
		if (!segment->length)
			continue;
		if (request->type == VIRTIO_BLK_T_DISCARD)
			ret = block_discard(target->disk, segment->offset,
					    segment->length);
		else
			ret = block_write_zeroes(target->disk, segment->offset,
						 segment->length,
						 segment->unmap);
	}
	return ret;
}

/* GET_ID: the text, and zeroes in whatever room is left behind it. */
static int answer_id(const struct virtio_blk_target *target,
		     const struct virtio_blk_data *data)
{
	size_t length = min_u64(data->length, VIRTIO_BLK_ID_BYTES);

	iov_from_buffer(data->iov, data->count, 0, target->id, length);
	iov_zero(data->iov, data->count, length, data->length - length);
	return 0;
}

/* What changes the disk: refused on a read-only one. */
static int execute_change(const struct virtio_blk_target *target,
			  const struct virtio_blk_request *request)
{
	int ret;

	if (block_is_read_only(target->disk))
		return -EROFS;
	if (request->type == VIRTIO_BLK_T_OUT)
		ret = transfer_data(target, &request->from_driver,
				    request->sector, block_write);
	else
		ret = execute_segments(target, request);
	if (!ret && target->write_through)
		ret = block_flush(target->disk);
	return ret;
}

static int execute_type(const struct virtio_blk_target *target,
			const struct virtio_blk_request *request)
{
	if (!request->has_header)
		return -EINVAL;
	switch (request->type) {
	case VIRTIO_BLK_T_IN:
		return transfer_data(target, &request->to_driver,
				     request->sector, block_read);
	case VIRTIO_BLK_T_OUT:
		return execute_change(target, request);
	case VIRTIO_BLK_T_FLUSH:
		return block_flush(target->disk);
	case VIRTIO_BLK_T_GET_ID:
		return answer_id(target, &request->to_driver);
	case VIRTIO_BLK_T_DISCARD:
		return target->can_discard ? execute_change(target, request)
					   : -ENOTSUP;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return target->can_write_zeroes
			       ? execute_change(target, request)
			       : -ENOTSUP;
	default:
		return -ENOTSUP;
	}
}

int virtio_blk_execute(const struct virtio_blk_target *target,
		       const struct virtio_blk_request *request,
		       size_t *ret_written)
{
	int ret = execute_type(target, request);
	bool filled = !ret && (request->type == VIRTIO_BLK_T_IN ||
			       request->type == VIRTIO_BLK_T_GET_ID);

	*ret_written = filled ? request->to_driver.length : 0;
	return ret;
}

/* devices/virtio_blk_request.c - see virtio_blk_request.h. */
#include "devices/virtio_blk_request.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_blk.h>

#include "base/iov.h"
#include "base/math.h"
#include "block/block.h"

/* The caller knows that there are so many bytes. */
static void drop_front(struct virtio_blk_data *data, size_t bytes)
{
	data->length -= bytes;
	while (data->count && bytes >= data->iov->iov_len) {
		bytes -= data->iov->iov_len;
		data->iov++;
		data->count--;
	}
	if (bytes) {
		data->iov->iov_base = (uint8_t *)data->iov->iov_base + bytes;
		data->iov->iov_len -= bytes;
	}
}

/* Takes the last byte off (pieces are never empty), and says where it is. */
static uint8_t *take_last_byte(struct virtio_blk_data *data)
{
	struct iovec *last = &data->iov[data->count - 1];

	data->length--;
	last->iov_len--;
	if (!last->iov_len)
		data->count--;
	return (uint8_t *)last->iov_base + last->iov_len;
}

int virtio_blk_request_parse(struct virtqueue_chain *chain,
			     struct virtio_blk_request *ret_request)
{
	struct virtio_blk_request *request = ret_request;
	struct virtio_blk_outhdr header;

	*request = (struct virtio_blk_request){
		.from_driver = {chain->iov, chain->readable_count,
				chain->readable_length},
		.to_driver = {chain->iov + chain->readable_count,
			      chain->writable_count, chain->writable_length},
	};
	if (!request->to_driver.length)
		return -EPROTO;
	request->status = take_last_byte(&request->to_driver);
	if (request->from_driver.length < sizeof(header))
		return 0;
	iov_to_buffer(request->from_driver.iov, request->from_driver.count, 0,
		      &header, sizeof(header));
	drop_front(&request->from_driver, sizeof(header));
	request->has_header = true;
	request->type = le32toh(header.type);
	request->sector = le64toh(header.sector);
	return 0;
}

int virtio_blk_request_range(uint64_t sector, uint64_t length,
			     uint64_t capacity, uint64_t *ret_offset)
{
	if (length % BLOCK_SECTOR ||
	    !mul_fits(sector, BLOCK_SECTOR, ret_offset) ||
	    !range_fits(*ret_offset, length, capacity))
		return -EINVAL;
	return 0;
}

static int parse_segment(const struct virtio_blk_discard_write_zeroes *raw,
			 uint32_t type, uint64_t capacity,
			 struct virtio_blk_segment *ret_segment)
{
	const uint32_t unmap = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	uint32_t flags = le32toh(raw->flags);
	uint32_t sectors = le32toh(raw->num_sectors);

	/* 5.2.6.2: discard has no flags. */
	if (flags & ~(type == VIRTIO_BLK_T_WRITE_ZEROES ? unmap : 0))
		return -ENOTSUP;
	if (sectors > VIRTIO_BLK_SEGMENT_SECTORS_MAX)
		return -EINVAL;
	ret_segment->unmap = flags & unmap;
	ret_segment->length = (uint64_t)sectors * BLOCK_SECTOR;
	return virtio_blk_request_range(le64toh(raw->sector),
					ret_segment->length, capacity,
					&ret_segment->offset);
}

int virtio_blk_request_segments(
	const struct virtio_blk_request *request, uint64_t capacity,
	struct virtio_blk_segment ret_segments[VIRTIO_BLK_SEGMENTS_MAX])
{
	const struct virtio_blk_data *data = &request->from_driver;
	struct virtio_blk_discard_write_zeroes raw[VIRTIO_BLK_SEGMENTS_MAX];
	size_t count = data->length / sizeof(raw[0]);
	int ret = 0;

	if (!count || data->length % sizeof(raw[0]) ||
	    count > VIRTIO_BLK_SEGMENTS_MAX)
		return -EINVAL;
	iov_to_buffer(data->iov, data->count, 0, raw, data->length);
	for (size_t i = 0; i < count && !ret; i++)
		ret = parse_segment(&raw[i], request->type, capacity,
				    &ret_segments[i]);
	return ret ? ret : (int)count;
}

uint8_t virtio_blk_request_status(int ret)
{
	if (!ret)
		return VIRTIO_BLK_S_OK;
	return ret == -ENOTSUP ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR;
}

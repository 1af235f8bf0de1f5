/*
 * devices/virtio_blk_execute.c - see virtio_blk_execute.h.
 *
 * Functions that begin or go on with a job return UNDER_WAY, or else the job's
 * result: 0 or -errno.
 */
#include "devices/virtio_blk_execute.h"

#include <assert.h>
#include <errno.h>
#include <linux/virtio_blk.h>

#include "base/iov.h"
#include "base/math.h"

#define UNDER_WAY 1

static_assert(offsetof(struct virtio_blk_job, block) == 0, "job_of() casts");

static struct virtio_blk_job *job_of(struct block_request *block)
{
	return (struct virtio_blk_job *)block;
}

static void on_block_done(struct block_request *block, int result);

static int submit(struct virtio_blk_job *job, struct block_request block)
{
	block.done = on_block_done;
	job->block = block;
	block_queue_submit(job->queue, &job->block);
	return UNDER_WAY;
}

/* The next segment of a DISCARD or WRITE_ZEROES; an empty one is no work. */
static int submit_segment(struct virtio_blk_job *job)
{
	const struct virtio_blk_segment *segment;
	bool discards = job->request.type == VIRTIO_BLK_T_DISCARD;

	while (job->segment_next < job->segment_count) {
		segment = &job->segments[job->segment_next++];
		if (!segment->length)
			continue;
		return submit(job,
			      (struct block_request){
				      .operation = discards
							   ? BLOCK_DISCARD
							   : BLOCK_WRITE_ZEROES,
				      .may_unmap = segment->unmap,
				      .offset = segment->offset,
				      .length = segment->length,
			      });
	}
	return 0;
}

static int submit_flush(struct virtio_blk_job *job)
{
	return submit(job, (struct block_request){.operation = BLOCK_FLUSH});
}

/* What is left to do after a part that went well. */
static int go_on(struct virtio_blk_job *job)
{
	int ret = submit_segment(job);

	if (ret || !job->flushes)
		return ret;
	job->flushes = false;
	return submit_flush(job);
}

static int transfer(struct virtio_blk_job *job, enum block_operation operation,
		    const struct virtio_blk_data *data)
{
	uint64_t offset;
	int ret;

	ret = virtio_blk_request_range(job->request.sector, data->length,
				       job->target->capacity, &offset);
	if (ret)
		return ret;
	if (!data->length)
		return go_on(job);
	return submit(job, (struct block_request){
				   .operation = operation,
				   .offset = offset,
				   .length = data->length,
				   .iov = data->iov,
				   .iov_count = data->count,
			   });
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
static int change(struct virtio_blk_job *job)
{
	int count;

	if (block_is_read_only(job->target->disk))
		return -EROFS;
	job->flushes = !atomic_load(&job->target->write_back);
	if (job->request.type == VIRTIO_BLK_T_OUT)
		return transfer(job, BLOCK_WRITE, &job->request.from_driver);
	count = virtio_blk_request_segments(&job->request,
					    job->target->capacity,
					    job->segments);
	if (count < 0)
		return count;
	job->segment_count = (unsigned int)count;
	return go_on(job);
}

static int begin(struct virtio_blk_job *job)
{
	const struct virtio_blk_target *target = job->target;

	job->flushes = false;
	job->segment_next = job->segment_count = 0;
	if (!job->request.has_header)
		return -EINVAL;
	switch (job->request.type) {
	case VIRTIO_BLK_T_IN:
		return transfer(job, BLOCK_READ, &job->request.to_driver);
	case VIRTIO_BLK_T_OUT:
		return change(job);
	case VIRTIO_BLK_T_FLUSH:
		return submit_flush(job);
	case VIRTIO_BLK_T_GET_ID:
		return answer_id(target, &job->request.to_driver);
	case VIRTIO_BLK_T_DISCARD:
		return target->can_discard ? change(job) : -ENOTSUP;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return target->can_write_zeroes ? change(job) : -ENOTSUP;
	default:
		return -ENOTSUP;
	}
}

static void end(struct virtio_blk_job *job, int ret)
{
	const struct virtio_blk_request *request = &job->request;
	bool filled = !ret && (request->type == VIRTIO_BLK_T_IN ||
			       request->type == VIRTIO_BLK_T_GET_ID);

	job->done(job, ret, filled ? request->to_driver.length : 0);
}

static void on_block_done(struct block_request *block, int result)
{
	struct virtio_blk_job *job = job_of(block);
	int ret = result ? result : go_on(job);

	if (ret != UNDER_WAY)
		end(job, ret);
}

void virtio_blk_execute(struct virtio_blk_job *job)
{
	int ret = begin(job);

	if (ret != UNDER_WAY)
		end(job, ret);
}

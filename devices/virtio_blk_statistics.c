/* devices/virtio_blk_statistics.c - see virtio_blk_statistics.h. */
#include "devices/virtio_blk_statistics.h"

#include <linux/virtio_blk.h>

#include "base/math.h"

static uint64_t *counter_of(struct virtio_blk_statistics *statistics,
			    const struct virtio_blk_request *request)
{
	switch (request->has_header ? request->type : UINT32_MAX) {
	case VIRTIO_BLK_T_IN:
		return &statistics->reads;
	case VIRTIO_BLK_T_OUT:
		return &statistics->writes;
	case VIRTIO_BLK_T_FLUSH:
		return &statistics->flushes;
	case VIRTIO_BLK_T_DISCARD:
		return &statistics->discards;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return &statistics->write_zeroes;
	default:
		return &statistics->others;
	}
}

void virtio_blk_statistics_note(struct virtio_blk_statistics *statistics,
				const struct virtio_blk_request *request,
				int ret)
{
	uint64_t *counter = counter_of(statistics, request);

	++*counter;
	if (ret)
		statistics->failed++;
	else if (counter == &statistics->reads)
		statistics->bytes_read += request->to_driver.length;
	else if (counter == &statistics->writes)
		statistics->bytes_written += request->from_driver.length;
}

void virtio_blk_statistics_add(struct virtio_blk_statistics *sum,
			       const struct virtio_blk_statistics *more)
{
	sum->reads += more->reads;
	sum->writes += more->writes;
	sum->flushes += more->flushes;
	sum->discards += more->discards;
	sum->write_zeroes += more->write_zeroes;
	sum->others += more->others;
	sum->failed += more->failed;
	sum->bytes_read += more->bytes_read;
	sum->bytes_written += more->bytes_written;
	sum->most_at_a_time = (unsigned int)max_u64(sum->most_at_a_time,
						    more->most_at_a_time);
	sum->interrupts += more->interrupts;
	sum->sleeps += more->sleeps;
	sum->spins += more->spins;
	sum->spins_won += more->spins_won;
	sum->cpu_nsec += more->cpu_nsec;
	sum->queue.kicks += more->queue.kicks;
	sum->queue.at_once += more->queue.at_once;
	sum->queue.by_engine += more->queue.by_engine;
	sum->queue.by_workers += more->queue.by_workers;
	sum->queue_count = more->queue_count;
	sum->engine = more->engine;
}

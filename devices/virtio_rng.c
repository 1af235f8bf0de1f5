/*
 * devices/virtio_rng.c - see virtio_rng.h.
 *
 * All of it runs under the transport's lock, so there is no other.
 */
#include "devices/virtio_rng.h"

#include <assert.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/math.h"

#define QUEUE_SIZE  16
#define REQUEST_MAX (4 * KIB) /* some microseconds of getrandom() */

struct virtio_rng {
	struct virtio_device device;  /* see virtio_device.h; is first */
	struct virtqueue_chain chain; /* under the transport's lock */
};

static_assert(offsetof(struct virtio_rng, device) == 0, "rng_of() casts");

static struct virtio_rng *rng_of(struct virtio_device *device)
{
	return (struct virtio_rng *)device;
}

/* Does not wait: virtio_rng_new() has seen the host's pool ready. */
static size_t fill(void *buffer, size_t length)
{
	uint8_t *to = buffer;
	size_t done = 0;
	ssize_t got;

	while (done < length) {
		got = getrandom(to + done, length - done, 0);
		if (got < 0 && errno != EINTR)
			break;
		if (got > 0)
			done += (size_t)got;
	}
	return done;
}

/* 5.4.6: part of the buffer is enough. */
static size_t fill_chain(const struct virtqueue_chain *chain)
{
	const struct iovec *piece = chain->iov + chain->readable_count;
	size_t done = 0;

	for (unsigned int i = 0; i < chain->writable_count; i++)
		done += fill(piece[i].iov_base,
			     min_u64(piece[i].iov_len, REQUEST_MAX - done));
	return done;
}

/*
 * Serves what waits now and no more; what is added later brings a kick of its
 * own. So a driver cannot keep the calling thread.
 */
static void serve(struct virtio_rng *rng)
{
	struct virtqueue *queue = &rng->device.queues[0];
	unsigned int waiting = virtqueue_arm_kick(queue);
	int ret = 1;

	while (waiting-- && ret > 0) {
		ret = virtqueue_pop(queue, &rng->chain);
		if (ret > 0)
			virtqueue_push(queue, rng->chain.head,
				       fill_chain(&rng->chain));
	}
	if (virtqueue_publish(queue))
		virtio_interrupt(&rng->device);
	if (ret < 0)
		virtio_needs_reset(&rng->device);
}

static void rng_start(struct virtio_device *device)
{
	serve(rng_of(device));
}

/* Nothing runs behind the transport's back. */
static void rng_stop(struct virtio_device *device)
{
	(void)device;
}

static void rng_notify(struct virtio_device *device, unsigned int queue)
{
	(void)queue;
	serve(rng_of(device));
}

static const struct virtio_device_ops rng_ops = {
	.start = rng_start,
	.stop = rng_stop,
	.notify = rng_notify,
};

int virtio_rng_new(struct virtio_rng **ret_rng, struct err *err)
{
	struct virtio_rng *rng;
	uint8_t probe;

	if (fill(&probe, sizeof(probe)) != sizeof(probe))
		return err_errno(err, errno, "cannot get random numbers");
	rng = calloc(1, sizeof(*rng));
	if (!rng || virtqueue_chain_init(&rng->chain, QUEUE_SIZE)) {
		free(rng);
		return err_errno(err, ENOMEM,
				 "cannot create the entropy device");
	}
	rng->device.ops = &rng_ops;
	rng->device.device_id = VIRTIO_ID_RNG;
	rng->device.queue_count = 1;
	rng->device.queue_size_max = QUEUE_SIZE;
	rng->device.kick_fds[0] = -1;
	*ret_rng = rng;
	return 0;
}

void virtio_rng_free(struct virtio_rng *rng)
{
	if (!rng)
		return;
	virtqueue_chain_fini(&rng->chain);
	free(rng);
}

struct virtio_device *virtio_rng_device(struct virtio_rng *rng)
{
	return &rng->device;
}

/*
 * devices/virtio_blk.c - see virtio_blk.h. Section numbers are those of the
 * Virtual I/O Device specification 1.2.
 *
 * The life of a request, on its queue's thread: the kick event wakes it;
 * virtqueue_pop() gives the chain; virtio_blk_request_parse() says what is
 * asked; virtio_blk_execute() does it; the status byte is written, the chain
 * goes to the used ring, and the driver gets an interrupt if it wants one.
 *
 * Stopping: a queue's lock is held by its thread while it serves, and `running`
 * goes false first. So stop() waits for at most the piece of I/O that is under
 * way, and nothing touches guest memory once it has had the lock.
 *
 * Left out: SIZE_MAX (a segment may have any size), GEOMETRY, SECURE_ERASE,
 * LIFETIME, ZONED. A queue's requests run one after the other: more at a time
 * would begin between parse and execute.
 */
#include "devices/virtio_blk.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/math.h"
#include "devices/virtio_blk_execute.h"

#define QUEUE_SIZE 256
/* 5.2.6.2: the writeback field until the driver has written it. */
#define WCE_UNSET (-1)
/* A hint for partitions and file systems: the host's page. */
#define PHYSICAL_BLOCK_EXP 3

#define CONFIG_SIZE offsetof(struct virtio_blk_config, max_secure_erase_sectors)

struct blk_queue {
	struct virtio_blk *blk; /* [c] */
	struct virtqueue *ring; /* [c] itself: see virtqueue.h */
	unsigned int index;	/* [c] */
	int kick_fd;		/* [c] also in the device's kick_fds */
	pthread_t thread;	/* [c] */
	bool has_thread;	/* [c] */
	atomic_bool quits;	/* [a] */
	atomic_bool running;	/* [a] may serve: started and not broken */
	pthread_mutex_t lock;	/* held while the thread serves */
	struct virtqueue_chain chain; /* [l] */
	struct iovec *scratch;	      /* [l] */
};

struct virtio_blk {
	struct virtio_device device;	 /* see virtio_device.h; is first */
	struct block *disk;		 /* [c] */
	unsigned int index;		 /* [c] */
	char id[VIRTIO_BLK_ID_BYTES];	 /* [c] */
	struct virtio_blk_config config; /* [c] but for wce */
	atomic_int wce;			 /* [a] WCE_UNSET, 0 or 1 */
	struct blk_queue queues[VIRTIO_QUEUES_MAX];
};

static_assert(offsetof(struct virtio_blk, device) == 0, "blk_of() casts");

static struct virtio_blk *blk_of(struct virtio_device *device)
{
	return (struct virtio_blk *)device;
}

/* --- Requests, on the queue's thread -------------------------------------- */

/*
 * 5.2.6.2: without a word from the driver, the cache is write-back exactly
 * where the driver is able to flush it.
 */
static bool is_write_back(struct virtio_blk *blk)
{
	int wce = atomic_load(&blk->wce);

	if (wce != WCE_UNSET &&
	    virtio_has_feature(&blk->device, VIRTIO_BLK_F_CONFIG_WCE))
		return wce;
	return virtio_has_feature(&blk->device, VIRTIO_BLK_F_FLUSH);
}

static struct virtio_blk_target target_of(const struct blk_queue *queue)
{
	struct virtio_blk *blk = queue->blk;
	const struct virtio_device *device = &blk->device;

	return (struct virtio_blk_target){
		.disk = blk->disk,
		.capacity = le64toh(blk->config.capacity) * BLOCK_SECTOR,
		.id = blk->id,
		.can_discard = virtio_has_feature(device, VIRTIO_BLK_F_DISCARD),
		.can_write_zeroes =
			virtio_has_feature(device, VIRTIO_BLK_F_WRITE_ZEROES),
		.write_through = !is_write_back(blk),
		.running = &queue->running,
		.scratch = queue->scratch,
	};
}

static void complete(struct blk_queue *queue,
		     const struct virtio_blk_request *request, int ret,
		     size_t written)
{
	/* The status comes last: it counts as written only behind the rest. */
	if (written == request->to_driver.length)
		written++;
	else
		written = 0;
	*request->status = virtio_blk_request_status(ret);
	virtqueue_push(queue->ring, queue->chain.head, written);
	if (virtqueue_publish(queue->ring))
		virtio_interrupt(&queue->blk->device);
}

/* 1; 0 where nothing waits or the queue is to stop; -EPROTO. */
static int serve_one(struct blk_queue *queue)
{
	const struct virtio_blk_target target = target_of(queue);
	struct virtio_blk_request request;
	size_t written;
	int ret;

	ret = virtqueue_pop(queue->ring, &queue->chain);
	if (ret <= 0)
		return ret;
	ret = virtio_blk_request_parse(&queue->chain, &request);
	if (ret)
		return ret;
	ret = virtio_blk_execute(&target, &request, &written);
	if (ret == -ECANCELED)
		return 0;
	complete(queue, &request, ret, written);
	return 1;
}

/* All that is there, and what comes meanwhile. */
static void serve(struct blk_queue *queue)
{
	int ret;

	do {
		virtqueue_disarm_kick(queue->ring);
		do {
			if (!atomic_load(&queue->running))
				return;
			ret = serve_one(queue);
		} while (ret > 0);
		if (ret < 0) {
			atomic_store(&queue->running, false);
			virtio_needs_reset(&queue->blk->device);
			return;
		}
	} while (virtqueue_arm_kick(queue->ring));
}

static void wait_for_kick(struct blk_queue *queue)
{
	uint64_t count;
	ssize_t got;

	do
		got = read(queue->kick_fd, &count, sizeof(count));
	while (got < 0 && errno == EINTR);
}

static void *queue_main(void *argument)
{
	struct blk_queue *queue = argument;
	char name[32];

	snprintf(name, sizeof(name), "disk/%u.%u", queue->blk->index,
		 queue->index);
	pthread_setname_np(pthread_self(), name);
	for (;;) {
		wait_for_kick(queue);
		if (atomic_load(&queue->quits))
			return NULL;
		/* Not for a stopped queue: its lock is wanted elsewhere. */
		if (!atomic_load(&queue->running))
			continue;
		pthread_mutex_lock(&queue->lock);
		/* Stopped while we waited: then there is no ring any more. */
		if (atomic_load(&queue->running))
			serve(queue);
		pthread_mutex_unlock(&queue->lock);
	}
}

/* --- What the transport asks ---------------------------------------------- */

static void blk_read_config(struct virtio_device *device, size_t offset,
			    void *data, size_t length)
{
	struct virtio_blk *blk = blk_of(device);
	struct virtio_blk_config config = blk->config;

	config.wce = is_write_back(blk);
	memcpy(data, (const uint8_t *)&config + offset, length);
}

/* 5.2.4: only writeback is the driver's to write. */
static void blk_write_config(struct virtio_device *device, size_t offset,
			     const void *data, size_t length)
{
	struct virtio_blk *blk = blk_of(device);
	uint8_t value;

	if (offset != offsetof(struct virtio_blk_config, wce) || length != 1)
		return;
	memcpy(&value, data, 1);
	atomic_store(&blk->wce, value & 1);
}

static void blk_start(struct virtio_device *device)
{
	struct virtio_blk *blk = blk_of(device);

	for (unsigned int i = 0; i < device->queue_count; i++) {
		struct blk_queue *queue = &blk->queues[i];

		pthread_mutex_lock(&queue->lock);
		atomic_store(&queue->running, true);
		pthread_mutex_unlock(&queue->lock);
		fd_event_raise(queue->kick_fd);
	}
}

static void blk_stop(struct virtio_device *device)
{
	struct virtio_blk *blk = blk_of(device);

	for (unsigned int i = 0; i < device->queue_count; i++)
		atomic_store(&blk->queues[i].running, false);
	for (unsigned int i = 0; i < device->queue_count; i++) {
		pthread_mutex_lock(&blk->queues[i].lock);
		pthread_mutex_unlock(&blk->queues[i].lock);
	}
}

static void blk_reset(struct virtio_device *device)
{
	atomic_store(&blk_of(device)->wce, WCE_UNSET);
}

static const struct virtio_device_ops blk_ops = {
	.read_config = blk_read_config,
	.write_config = blk_write_config,
	.start = blk_start,
	.stop = blk_stop,
	.reset = blk_reset,
};

/* --- Life ----------------------------------------------------------------- */

static uint64_t blk_features(const struct virtio_blk_options *options)
{
	uint64_t features = 1ULL << VIRTIO_BLK_F_SEG_MAX |
			    1ULL << VIRTIO_BLK_F_BLK_SIZE |
			    1ULL << VIRTIO_BLK_F_TOPOLOGY |
			    1ULL << VIRTIO_BLK_F_FLUSH |
			    1ULL << VIRTIO_BLK_F_CONFIG_WCE;

	if (options->queues > 1)
		features |= 1ULL << VIRTIO_BLK_F_MQ;
	if (block_is_read_only(options->disk))
		features |= 1ULL << VIRTIO_BLK_F_RO;
	else
		features |= 1ULL << VIRTIO_BLK_F_DISCARD |
			    1ULL << VIRTIO_BLK_F_WRITE_ZEROES;
	return features;
}

static struct virtio_blk_config blk_config(
	const struct virtio_blk_options *options)
{
	uint64_t granularity = block_discard_granularity(options->disk);
	uint32_t granularity_sectors = (uint32_t)(granularity / BLOCK_SECTOR);

	return (struct virtio_blk_config){
		.capacity = htole64(block_size(options->disk) / BLOCK_SECTOR),
		/* All but a descriptor each for header and status. */
		.seg_max = htole32(QUEUE_SIZE - 2),
		.blk_size = htole32(BLOCK_SECTOR),
		.physical_block_exp = PHYSICAL_BLOCK_EXP,
		.min_io_size = htole16(1 << PHYSICAL_BLOCK_EXP),
		.opt_io_size = htole32(granularity_sectors),
		.num_queues = htole16((uint16_t)options->queues),
		.max_discard_sectors = htole32(VIRTIO_BLK_SEGMENT_SECTORS_MAX),
		.max_discard_seg = htole32(VIRTIO_BLK_SEGMENTS_MAX),
		.discard_sector_alignment = htole32(granularity_sectors),
		.max_write_zeroes_sectors =
			htole32(VIRTIO_BLK_SEGMENT_SECTORS_MAX),
		.max_write_zeroes_seg = htole32(VIRTIO_BLK_SEGMENTS_MAX),
		.write_zeroes_may_unmap = 1,
	};
}

/* The new thread inherits a mask under which no signal ever reaches it. */
static int start_thread(struct blk_queue *queue)
{
	sigset_t all, before;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&queue->thread, NULL, queue_main, queue);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	queue->has_thread = !ret;
	return -ret;
}

/* What fails half-way is cleaned up by virtio_blk_free(). */
static int queue_init(struct virtio_blk *blk, unsigned int index)
{
	struct blk_queue *queue = &blk->queues[index];
	int ret;

	queue->blk = blk;
	queue->ring = &blk->device.queues[index];
	queue->index = index;
	pthread_mutex_init(&queue->lock, NULL);
	/* Blocking, unlike fd_event_new()'s: the thread sleeps in read(). */
	queue->kick_fd = eventfd(0, EFD_CLOEXEC);
	blk->device.kick_fds[index] = queue->kick_fd;
	blk->device.queue_count = index + 1;
	if (queue->kick_fd < 0)
		return -errno;
	queue->scratch = calloc(QUEUE_SIZE, sizeof(queue->scratch[0]));
	ret = virtqueue_chain_init(&queue->chain, QUEUE_SIZE);
	if (ret || !queue->scratch)
		return -ENOMEM;
	return start_thread(queue);
}

static void queue_fini(struct blk_queue *queue)
{
	if (queue->has_thread) {
		atomic_store(&queue->quits, true);
		fd_event_raise(queue->kick_fd);
		pthread_join(queue->thread, NULL);
	}
	virtqueue_chain_fini(&queue->chain);
	free(queue->scratch);
	fd_close(&queue->kick_fd);
	pthread_mutex_destroy(&queue->lock);
}

static int check_options(const struct virtio_blk_options *options,
			 struct err *err)
{
	if (!options->queues || options->queues > VIRTIO_QUEUES_MAX)
		return err_set(err, EINVAL, "a disk has 1 to %u queues, not %u",
			       VIRTIO_QUEUES_MAX, options->queues);
	if (options->serial && strlen(options->serial) > VIRTIO_BLK_ID_BYTES)
		return err_set(err, EINVAL,
			       "a disk's serial has at most %u bytes: '%s' is "
			       "longer",
			       VIRTIO_BLK_ID_BYTES, options->serial);
	return 0;
}

int virtio_blk_new(const struct virtio_blk_options *options,
		   struct virtio_blk **ret_blk, struct err *err)
{
	struct virtio_blk *blk;
	int ret;

	ret = check_options(options, err);
	if (ret)
		return ret;
	blk = calloc(1, sizeof(*blk));
	if (!blk)
		return err_errno(err, ENOMEM, "cannot create a disk");
	blk->device.ops = &blk_ops;
	blk->device.device_id = VIRTIO_ID_BLOCK;
	blk->device.offered_features = blk_features(options);
	blk->device.queue_size_max = QUEUE_SIZE;
	blk->device.config_size = CONFIG_SIZE;
	blk->disk = options->disk;
	blk->index = options->index;
	blk->config = blk_config(options);
	blk->wce = WCE_UNSET;
	if (options->serial)
		memcpy(blk->id, options->serial, strlen(options->serial));
	for (unsigned int i = 0; i < options->queues && !ret; i++)
		ret = queue_init(blk, i);
	if (ret) {
		virtio_blk_free(blk);
		return err_errno(err, -ret, "cannot create a disk's queues");
	}
	*ret_blk = blk;
	return 0;
}

void virtio_blk_free(struct virtio_blk *blk)
{
	if (!blk)
		return;
	for (unsigned int i = 0; i < blk->device.queue_count; i++)
		queue_fini(&blk->queues[i]);
	free(blk);
}

struct virtio_device *virtio_blk_device(struct virtio_blk *blk)
{
	return &blk->device;
}

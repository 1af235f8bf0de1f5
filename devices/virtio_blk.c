/*
 * devices/virtio_blk.c - see virtio_blk.h: the device as a whole, its features
 * and configuration. Its queues are virtio_blk_queue.c. Section numbers are
 * those of the Virtual I/O Device specification 1.2.
 *
 * Left out: SIZE_MAX (a segment may have any size), GEOMETRY, SECURE_ERASE,
 * LIFETIME, ZONED.
 */
#include "devices/virtio_blk.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "devices/virtio_blk_queue.h"

#define QUEUE_SIZE 256
/* 5.2.6.2: the writeback field until the driver has written it. */
#define WCE_UNSET (-1)
/* A hint for partitions and file systems: the host's page. */
#define PHYSICAL_BLOCK_EXP 3

#define CONFIG_SIZE offsetof(struct virtio_blk_config, max_secure_erase_sectors)

struct virtio_blk {
	struct virtio_device device;	 /* see virtio_device.h; is first */
	struct virtio_blk_target target; /* its features change at start() */
	char id[VIRTIO_BLK_ID_BYTES];	 /* [c] */
	struct virtio_blk_config config; /* [c] but for wce */
	atomic_int wce;			 /* [a] WCE_UNSET, 0 or 1 */
	struct virtio_blk_queue *queues[VIRTIO_QUEUES_MAX]; /* [c] */
};

static_assert(offsetof(struct virtio_blk, device) == 0, "blk_of() casts");

static struct virtio_blk *blk_of(struct virtio_device *device)
{
	return (struct virtio_blk *)device;
}

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
	atomic_store(&blk->target.write_back, is_write_back(blk));
}

static void blk_start(struct virtio_device *device)
{
	struct virtio_blk *blk = blk_of(device);
	struct virtio_blk_target *target = &blk->target;

	target->can_discard = virtio_has_feature(device, VIRTIO_BLK_F_DISCARD);
	target->can_write_zeroes =
		virtio_has_feature(device, VIRTIO_BLK_F_WRITE_ZEROES);
	atomic_store(&target->write_back, is_write_back(blk));
	for (unsigned int i = 0; i < device->queue_count; i++)
		virtio_blk_queue_start(blk->queues[i]);
}

static void blk_stop(struct virtio_device *device)
{
	struct virtio_blk *blk = blk_of(device);

	for (unsigned int i = 0; i < device->queue_count; i++)
		virtio_blk_queue_stop(blk->queues[i]);
	for (unsigned int i = 0; i < device->queue_count; i++)
		virtio_blk_queue_wait(blk->queues[i]);
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

/* What fails half-way is cleaned up by virtio_blk_free(). */
static int add_queue(struct virtio_blk *blk,
		     const struct virtio_blk_options *blk_options,
		     struct err *err)
{
	struct virtio_device *device = &blk->device;
	const struct virtio_blk_queue_options options = {
		.device = device,
		.target = &blk->target,
		.index = device->queue_count,
		.disk_index = blk_options->index,
		.may_spin = blk_options->may_spin,
		.pinned = blk_options->pinned,
		.pinned_count = blk_options->pinned_count,
	};
	struct virtio_blk_queue *queue;
	int ret = virtio_blk_queue_new(&options, &queue, err);

	if (ret)
		return ret;
	blk->queues[device->queue_count] = queue;
	device->kick_fds[device->queue_count] = virtio_blk_queue_kick_fd(queue);
	device->queue_count++;
	return 0;
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
	blk->config = blk_config(options);
	blk->wce = WCE_UNSET;
	if (options->serial)
		memcpy(blk->id, options->serial, strlen(options->serial));
	blk->target.disk = options->disk;
	blk->target.capacity = block_size(options->disk);
	blk->target.id = blk->id;
	for (unsigned int i = 0; i < options->queues && !ret; i++)
		ret = add_queue(blk, options, err);
	if (ret)
		virtio_blk_free(blk);
	else
		*ret_blk = blk;
	return ret;
}

void virtio_blk_free(struct virtio_blk *blk)
{
	if (!blk)
		return;
	for (unsigned int i = 0; i < blk->device.queue_count; i++)
		virtio_blk_queue_free(blk->queues[i]);
	free(blk);
}

void virtio_blk_add_statistics(struct virtio_blk *blk,
			       struct virtio_blk_statistics *sum)
{
	for (unsigned int i = 0; i < blk->device.queue_count; i++)
		virtio_blk_queue_add_statistics(blk->queues[i], sum);
	sum->queue_count = blk->device.queue_count;
}

struct virtio_device *virtio_blk_device(struct virtio_blk *blk)
{
	return &blk->device;
}

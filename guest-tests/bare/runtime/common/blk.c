/*
 * A disk with one request under way at a time.
 */
#include "runtime/blk.h"
#include "runtime/machine.h"
#include "runtime/string.h"

UNCLEARED static struct queue_rings rings[BLK_DISKS_MAX];

bool blk_restart(struct blk *blk, uint64_t features)
{
	features |= VIRTIO_BIT(VIRTIO_F_VERSION_1);
	blk->features = features & virtio_offered(&blk->virtio);
	if (!virtio_negotiate(&blk->virtio, blk->features))
		return false;
	blk->sectors =
		virtio_config64(&blk->virtio,
				offsetof(struct virtio_blk_config, capacity));
	queue_init(&blk->queue, &blk->virtio, 0, 0, blk->rings);
	virtio_status_add(&blk->virtio, VIRTIO_CONFIG_S_DRIVER_OK);
	return true;
}

bool blk_open(struct blk *blk, unsigned int nth, uint64_t features)
{
	if (nth >= BLK_DISKS_MAX)
		return false;
	*blk = (struct blk){.rings = &rings[nth]};
	return virtio_find(VIRTIO_ID_BLOCK, nth, &blk->virtio) &&
	       blk_restart(blk, features);
}

unsigned int blk_answer(struct blk *blk, uint16_t head,
			const volatile uint8_t *status)
{
	struct vring_used_elem used;

	if (!queue_wait_used(&blk->queue, &used))
		return virtio_needs_reset(&blk->virtio) ? BLK_NEEDS_RESET
							: BLK_NO_ANSWER;
	blk->written = used.len;
	return used.id == head ? *status : BLK_WRONG_USED;
}

unsigned int blk_do(struct blk *blk, uint32_t type, uint64_t sector,
		    const struct piece *pieces, unsigned int count)
{
	static struct virtio_blk_outhdr header;
	static volatile uint8_t status;
	struct queue *queue = &blk->queue;
	struct piece first = {&header, sizeof(header), false};
	struct piece last = {&status, 1, true};

	header = (struct virtio_blk_outhdr){.type = type, .sector = sector};
	status = 0xff;
	queue_describe(&queue->desc[0], &first, VRING_DESC_F_NEXT, 1);
	queue_chain(queue, 1, pieces, count);
	if (count)
		queue->desc[count].flags |= VRING_DESC_F_NEXT;
	queue_describe(&queue->desc[count + 1], &last, 0, 0);
	queue_offer(queue, 0);
	queue_kick(queue);
	return blk_answer(blk, 0, &status);
}

unsigned int blk_read(struct blk *blk, uint64_t sector, void *buffer,
		      uint32_t sectors)
{
	struct piece piece = {buffer, sectors * SECTOR, true};

	return blk_do(blk, VIRTIO_BLK_T_IN, sector, &piece, 1);
}

unsigned int blk_write(struct blk *blk, uint64_t sector, const void *buffer,
		       uint32_t sectors)
{
	struct piece piece = {buffer, sectors * SECTOR, false};

	return blk_do(blk, VIRTIO_BLK_T_OUT, sector, &piece, 1);
}

unsigned int blk_flush(struct blk *blk)
{
	return blk_do(blk, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
}

unsigned int blk_range(struct blk *blk, uint32_t type, uint64_t sector,
		       uint32_t sectors, uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes range = {
		.sector = sector,
		.num_sectors = sectors,
		.flags = flags,
	};
	struct piece piece = {&range, sizeof(range), false};

	return blk_do(blk, type, 0, &piece, 1);
}

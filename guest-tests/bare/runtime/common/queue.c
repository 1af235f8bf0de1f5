/*
 * A split virtqueue, driver side. No interrupts: users poll, unless they clear
 * VRING_AVAIL_F_NO_INTERRUPT themselves.
 */
#include "runtime/cpu.h"
#include "runtime/string.h"
#include "runtime/virtio.h"

#define ANSWER_SECONDS 10

/* Only what the device will look at: clearing memory may be slow here. */
static void clear(struct queue *queue)
{
	*queue->avail_flags = VRING_AVAIL_F_NO_INTERRUPT;
	*queue->avail_idx = 0;
	*queue->used_event = 0;
	*queue->used_flags = 0;
	*queue->used_idx = 0;
	*queue->avail_event = 0;
}

void queue_init(struct queue *queue, const struct virtio *virtio,
		unsigned int index, uint16_t size, struct queue_rings *rings)
{
	uint32_t most;

	virtio_write(virtio, VIRTIO_MMIO_QUEUE_SEL, index);
	most = virtio_read(virtio, VIRTIO_MMIO_QUEUE_NUM_MAX);
	if (most > QUEUE_SIZE_MAX)
		most = QUEUE_SIZE_MAX;
	if (!size)
		size = (uint16_t)most;
	*queue = (struct queue){
		.virtio = virtio,
		.index = index,
		.size = size,
		.desc = rings->desc,
		.avail_flags = &rings->avail[0],
		.avail_idx = &rings->avail[1],
		.avail_ring = &rings->avail[2],
		.used_event = &rings->avail[2 + size],
		.used_flags = &rings->used[0],
		.used_idx = &rings->used[1],
		.used_ring = (struct vring_used_elem *)&rings->used[2],
		.avail_event = &rings->used[2 + 4 * size],
	};
	clear(queue);
	virtio_write(virtio, VIRTIO_MMIO_QUEUE_NUM, size);
	virtio_write64(virtio, VIRTIO_MMIO_QUEUE_DESC_LOW,
		       (uintptr_t)rings->desc);
	virtio_write64(virtio, VIRTIO_MMIO_QUEUE_AVAIL_LOW,
		       (uintptr_t)rings->avail);
	virtio_write64(virtio, VIRTIO_MMIO_QUEUE_USED_LOW,
		       (uintptr_t)rings->used);
	virtio_write(virtio, VIRTIO_MMIO_QUEUE_READY, 1);
}

void queue_describe(volatile struct vring_desc *desc, const struct piece *piece,
		    uint16_t flags, uint16_t next)
{
	desc->addr = (uintptr_t)piece->at;
	desc->len = piece->length;
	desc->flags = flags | (piece->device_writes ? VRING_DESC_F_WRITE : 0);
	desc->next = next;
}

void queue_chain(struct queue *queue, uint16_t first,
		 const struct piece *pieces, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		queue_describe(&queue->desc[first + i], &pieces[i],
			       i + 1 < count ? VRING_DESC_F_NEXT : 0,
			       (uint16_t)(first + i + 1));
}

void queue_offer(struct queue *queue, uint16_t head)
{
	uint16_t at = *queue->avail_idx;

	queue->avail_ring[at % queue->size] = head;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	*queue->avail_idx = (uint16_t)(at + 1);
}

void queue_kick(const struct queue *queue)
{
	virtio_write(queue->virtio, VIRTIO_MMIO_QUEUE_NOTIFY, queue->index);
}

bool queue_used(struct queue *queue, struct vring_used_elem *ret_used)
{
	volatile struct vring_used_elem *used;

	if (*queue->used_idx == queue->used_seen)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	used = &queue->used_ring[queue->used_seen++ % queue->size];
	*ret_used = (struct vring_used_elem){used->id, used->len};
	return true;
}

bool queue_wait_used(struct queue *queue, struct vring_used_elem *ret_used)
{
	uint64_t since = clock_ticks();

	for (unsigned int turn = 1;; turn++) {
		if (queue_used(queue, ret_used))
			return true;
		/* The status is an exit; memory is not. */
		if (turn % 1024 == 0 && virtio_needs_reset(queue->virtio))
			return queue_used(queue, ret_used);
		if (clock_passed(since, ANSWER_SECONDS))
			return false;
		cpu_relax();
	}
}

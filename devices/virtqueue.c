/*
 * devices/virtqueue.c - see virtqueue.h.
 *
 * Memory order. Two things are handed over in each direction, and each has
 * its pair of accesses:
 *
 * - What an index covers. The driver writes descriptors and the available
 *   ring, then avail->idx; we read avail->idx with acquire and only then what
 *   it covers. We write data and the used ring, then used->idx, at least with
 *   release; the driver reads in the opposite order.
 * - The questions "does the other side want to hear?" Each side publishes its
 *   index and then reads the other's wish; each side changes its wish and then
 *   reads the other's index. Were a store to pass the load behind it, both
 *   could look too early and both sleep. So these stores and loads are
 *   sequentially consistent (xchg on x86_64, stlr and ldar on aarch64; the
 *   driver's side has a full barrier in the same place).
 *
 * Fields that the driver may change under us are read by one atomic load, or
 * copied once behind a compiler barrier, so that what was checked is what is
 * used.
 */
#include "devices/virtqueue.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"

int virtqueue_chain_init(struct virtqueue_chain *chain, unsigned int capacity)
{
	*chain = (struct virtqueue_chain){.capacity = capacity};
	chain->iov = calloc(capacity, sizeof(chain->iov[0]));
	return chain->iov ? 0 : -ENOMEM;
}

void virtqueue_chain_fini(struct virtqueue_chain *chain)
{
	free(chain->iov);
	chain->iov = NULL;
}

/* --- Start and stop ------------------------------------------------------- */

/* A part of the queue as host memory; NULL unless aligned and in RAM. */
static void *queue_part(const struct guest_memory *memory, gpa_t gpa,
			uint64_t length, uint64_t alignment)
{
	void *host = guest_range(memory, gpa, length);

	/* The host's pages are mapped on page boundaries, so both agree. */
	if (!is_aligned(gpa, alignment) ||
	    !is_aligned((uintptr_t)host, alignment))
		return NULL;
	return host;
}

int virtqueue_start(struct virtqueue *queue, const struct guest_memory *memory,
		    const struct virtqueue_layout *layout,
		    unsigned int size_max, uint64_t features)
{
	const unsigned int size = layout->size;

	virtqueue_stop(queue);
	if (!is_power_of_two(size) || size > size_max)
		return -EINVAL;
	/* Both rings have a 16-bit event index behind their entries. */
	queue->descriptors = queue_part(memory, layout->descriptors,
					size * sizeof(struct vring_desc),
					VRING_DESC_ALIGN_SIZE);
	queue->avail = queue_part(memory, layout->driver,
				  sizeof(struct vring_avail) +
					  (size + 1) * sizeof(uint16_t),
				  VRING_AVAIL_ALIGN_SIZE);
	queue->used = queue_part(memory, layout->device,
				 sizeof(struct vring_used) +
					 size * sizeof(struct vring_used_elem) +
					 sizeof(uint16_t),
				 VRING_USED_ALIGN_SIZE);
	if (!queue->descriptors || !queue->avail || !queue->used) {
		virtqueue_stop(queue);
		return -EINVAL;
	}
	queue->memory = memory;
	queue->size = (uint16_t)size;
	queue->indirect = features >> VIRTIO_RING_F_INDIRECT_DESC & 1;
	queue->event_idx = features >> VIRTIO_RING_F_EVENT_IDX & 1;
	return 0;
}

void virtqueue_stop(struct virtqueue *queue)
{
	*queue = (struct virtqueue){0};
}

/* --- From the available ring to a chain ----------------------------------- */

static uint16_t load_relaxed(const __virtio16 *field)
{
	return le16toh(__atomic_load_n(field, __ATOMIC_RELAXED));
}

/* The walk over one chain. */
struct walk {
	const struct virtqueue *queue;
	struct virtqueue_chain *chain;
	const uint8_t *table;	 /* [g] the queue's, or an unaligned indirect */
	unsigned int table_size; /* descriptors */
	bool in_indirect;
};

/* A copy in our memory and our byte order, out of the driver's reach. */
static struct vring_desc read_descriptor(const struct walk *walk,
					 unsigned int index)
{
	struct vring_desc copy;

	memcpy(&copy, walk->table + index * sizeof(copy), sizeof(copy));
	atomic_signal_fence(memory_order_seq_cst);
	copy.addr = le64toh(copy.addr);
	copy.len = le32toh(copy.len);
	copy.flags = le16toh(copy.flags);
	copy.next = le16toh(copy.next);
	return copy;
}

/* 2.7.5.3: only the last direct descriptor may refer to an indirect table. */
static int enter_indirect(struct walk *walk, const struct vring_desc *desc)
{
	const unsigned int entry_size = sizeof(struct vring_desc);

	if (!walk->queue->indirect || walk->in_indirect ||
	    desc->flags & VRING_DESC_F_NEXT || desc->len % entry_size)
		return -EPROTO;
	walk->table = guest_range(walk->queue->memory, desc->addr, desc->len);
	walk->table_size = desc->len / entry_size;
	walk->in_indirect = true;
	return walk->table ? 0 : -EPROTO;
}

static int add_piece(struct walk *walk, const struct vring_desc *desc)
{
	struct virtqueue_chain *chain = walk->chain;
	unsigned int used = chain->readable_count + chain->writable_count;
	void *host = guest_range(walk->queue->memory, desc->addr, desc->len);

	if (!host || used == chain->capacity)
		return -EPROTO;
	chain->iov[used] = (struct iovec){host, desc->len};
	if (desc->flags & VRING_DESC_F_WRITE) {
		chain->writable_count++;
		chain->writable_length += desc->len;
		return 0;
	}
	/* 2.7.4.2: what the device reads comes before what it writes. */
	if (chain->writable_count)
		return -EPROTO;
	chain->readable_count++;
	chain->readable_length += desc->len;
	return 0;
}

/*
 * Each turn adds a piece, and there is room for so many, or enters the only
 * indirect table: a loop ends when the chain is full.
 */
static int walk_chain(struct walk *walk, unsigned int index)
{
	struct vring_desc desc;
	int ret;

	for (;;) {
		if (index >= walk->table_size)
			return -EPROTO;
		desc = read_descriptor(walk, index);
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			ret = enter_indirect(walk, &desc);
			index = 0;
		} else {
			ret = add_piece(walk, &desc);
			index = desc.next;
			if (!ret && !(desc.flags & VRING_DESC_F_NEXT))
				return 0;
		}
		if (ret)
			return ret;
	}
}

/* Is there something at avail_next? 1, 0, or -EPROTO for an absurd index. */
static int poll_avail(struct virtqueue *queue)
{
	uint16_t waiting = queue->avail_seen - queue->avail_next;

	if (waiting)
		return 1;
	queue->avail_seen =
		le16toh(__atomic_load_n(&queue->avail->idx, __ATOMIC_ACQUIRE));
	waiting = queue->avail_seen - queue->avail_next;
	return waiting > queue->size ? -EPROTO : !!waiting;
}

static int pop_avail(struct virtqueue *queue, struct virtqueue_chain *chain)
{
	struct walk walk = {
		.queue = queue,
		.chain = chain,
		.table = (const uint8_t *)queue->descriptors,
		.table_size = queue->size,
	};
	int ret = poll_avail(queue);

	if (ret <= 0)
		return ret;
	chain->head = load_relaxed(
		&queue->avail->ring[queue->avail_next % queue->size]);
	queue->avail_next++;
	chain->readable_count = 0;
	chain->readable_length = 0;
	chain->writable_count = 0;
	chain->writable_length = 0;
	ret = walk_chain(&walk, chain->head);
	return ret ? ret : 1;
}

int virtqueue_pop(struct virtqueue *queue, struct virtqueue_chain *chain)
{
	int ret;

	if (!queue->size)
		return 0;
	if (queue->broken)
		return -EPROTO;
	ret = pop_avail(queue, chain);
	if (ret < 0)
		queue->broken = true;
	return ret;
}

bool virtqueue_has_more(const struct virtqueue *queue)
{
	return queue->size && !queue->broken &&
	       load_relaxed(&queue->avail->idx) != queue->avail_next;
}

/* --- To the used ring ----------------------------------------------------- */

void virtqueue_push(struct virtqueue *queue, uint16_t head, size_t written)
{
	struct vring_used_elem *element;

	assert(queue->size);
	element = &queue->used->ring[queue->used_next % queue->size];
	element->id = htole32(head);
	element->len = htole32((uint32_t)min_u64(written, UINT32_MAX));
	queue->used_next++;
}

static bool wants_interrupt(const struct virtqueue *queue, uint16_t old_index)
{
	const __virtio16 *used_event = &queue->avail->ring[queue->size];
	uint16_t value;

	if (!queue->event_idx) {
		value = le16toh(__atomic_load_n(&queue->avail->flags,
						__ATOMIC_SEQ_CST));
		return !(value & VRING_AVAIL_F_NO_INTERRUPT);
	}
	value = le16toh(__atomic_load_n(used_event, __ATOMIC_SEQ_CST));
	return vring_need_event(value, queue->used_published, old_index);
}

bool virtqueue_publish(struct virtqueue *queue)
{
	uint16_t old_index = queue->used_published;

	if (!queue->size || queue->used_next == old_index)
		return false;
	queue->used_published = queue->used_next;
	__atomic_store_n(&queue->used->idx, htole16(queue->used_published),
			 __ATOMIC_SEQ_CST);
	return wants_interrupt(queue, old_index);
}

/* --- Kicks ---------------------------------------------------------------- */

/*
 * With EVENT_IDX the armed index stays behind while we serve, and the driver
 * kicks only when it passes that index: nothing to do.
 */
void virtqueue_disarm_kick(struct virtqueue *queue)
{
	if (queue->size && !queue->event_idx)
		__atomic_store_n(&queue->used->flags,
				 htole16(VRING_USED_F_NO_NOTIFY),
				 __ATOMIC_RELAXED);
}

/* avail_event lies behind the used ring's last entry. */
static void store_avail_event(struct virtqueue *queue, uint16_t index)
{
	__virtio16 *avail_event = (void *)&queue->used->ring[queue->size];

	__atomic_store_n(avail_event, htole16(index), __ATOMIC_SEQ_CST);
}

static uint16_t load_avail_index(const struct virtqueue *queue)
{
	return le16toh(__atomic_load_n(&queue->avail->idx, __ATOMIC_SEQ_CST));
}

/*
 * The driver kicks when its index passes avail_event, so that must be the
 * index which it has now: set it, and look again. A driver adds no more than
 * the queue's size while we give nothing back, so more turns than that are not
 * for an honest one.
 */
unsigned int virtqueue_arm_kick(struct virtqueue *queue)
{
	uint16_t armed, index;

	if (!queue->size || queue->broken)
		return 0;
	if (!queue->event_idx)
		__atomic_store_n(&queue->used->flags, 0, __ATOMIC_SEQ_CST);
	index = load_avail_index(queue);
	for (unsigned int i = 0; queue->event_idx && i <= queue->size; i++) {
		armed = index;
		store_avail_event(queue, armed);
		index = load_avail_index(queue);
		if (index == armed)
			break;
	}
	/* A larger index is a lie; virtqueue_pop() finds it out. */
	return min_u64((uint16_t)(index - queue->avail_next), queue->size);
}

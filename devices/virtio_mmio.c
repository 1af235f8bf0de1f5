/*
 * devices/virtio_mmio.c - see virtio_mmio.h. Section numbers are those of the
 * Virtual I/O Device specification 1.2; register names those of
 * <linux/virtio_mmio.h>.
 *
 * Invariants: the device runs only between a DRIVER_OK that followed a granted
 * FEATURES_OK and the next reset; while it runs, features and queues are a
 * frozen copy that no register write reaches.
 *
 * What the driver reads is a page that is kept up to date: read_register() and
 * the device say what it holds, after every write that may have changed it. The
 * driver may have the page mapped, so that it reads without asking us.
 *
 * InterruptStatus, which is nowhere but on the page, and DEVICE_NEEDS_RESET are
 * atomics outside of the lock: the device's threads set them, also while a
 * reset holds the lock and waits for those threads. Once the device is stopped
 * nobody else sets them.
 *
 * ConfigGeneration stays 0: no device changes its configuration by itself.
 */
#include "devices/virtio_mmio.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/math.h"
#include "devices/virtio_mmio_page.h"

#define MAGIC	  0x74726976 /* "virt" */
#define VERSION	  2
#define VENDOR_ID 0x72636c61 /* "alcr" */

/* What the driver has written for one queue. */
struct queue_registers {
	struct virtqueue_layout layout;
	bool ready;
};

struct virtio_mmio {
	struct virtio_device *device;	   /* [c] */
	const struct guest_memory *memory; /* [c] */
	struct irq_line irq;		   /* [c] */
	struct virtio_mmio_page *page;	   /* [c] */
	atomic_bool needs_reset;	   /* [a] */
	atomic_bool needs_reset_said;	   /* [a] */
	pthread_mutex_t lock;
	bool running;		      /* [l] between start() and stop() */
	uint32_t status;	      /* [l] without DEVICE_NEEDS_RESET */
	uint32_t device_features_sel; /* [l] */
	uint32_t driver_features_sel; /* [l] */
	uint64_t driver_features;     /* [l] */
	uint32_t queue_sel;	      /* [l] */
	struct queue_registers queues[VIRTIO_QUEUES_MAX]; /* [l] */
};

/* --- From the device to the driver ---------------------------------------- */

/* The reason is there before the edge that makes the driver look for it. */
static void raise_interrupt(struct virtio_mmio *mmio, uint32_t reason)
{
	virtio_mmio_page_set_bits(mmio->page, VIRTIO_MMIO_INTERRUPT_STATUS,
				  reason);
	irq_raise(&mmio->irq);
}

static void mmio_interrupt(void *transport)
{
	raise_interrupt(transport, VIRTIO_MMIO_INT_VRING);
}

/* 2.1.2: the driver hears of it by a configuration change. */
static void mmio_needs_reset(void *transport)
{
	struct virtio_mmio *mmio = transport;

	log_once(&mmio->needs_reset_said,
		 "a guest driver broke the rules of its virtio device (type "
		 "%u), which now waits for a reset",
		 mmio->device->device_id);
	atomic_store(&mmio->needs_reset, true);
	virtio_mmio_page_set_bits(mmio->page, VIRTIO_MMIO_STATUS,
				  VIRTIO_CONFIG_S_NEEDS_RESET);
	raise_interrupt(mmio, VIRTIO_MMIO_INT_CONFIG);
}

static const struct virtio_transport_ops transport_ops = {
	.interrupt = mmio_interrupt,
	.needs_reset = mmio_needs_reset,
};

/* --- Status: negotiation, start, reset ------------------------------------ */

static void stop_device(struct virtio_mmio *mmio)
{
	mmio->device->ops->stop(mmio->device);
	mmio->running = false;
}

static void reset_device(struct virtio_mmio *mmio)
{
	struct virtio_device *device = mmio->device;

	stop_device(mmio);
	for (unsigned int i = 0; i < device->queue_count; i++) {
		virtqueue_stop(&device->queues[i]);
		mmio->queues[i] = (struct queue_registers){0};
	}
	if (device->ops->reset)
		device->ops->reset(device);
	device->features = 0;
	mmio->status = 0;
	mmio->device_features_sel = 0;
	mmio->driver_features_sel = 0;
	mmio->driver_features = 0;
	mmio->queue_sel = 0;
	atomic_store(&mmio->needs_reset, false);
	virtio_mmio_page_set(mmio->page, VIRTIO_MMIO_INTERRUPT_STATUS, 0);
}

/* 3.1.1, step 5. A refusal shows in FEATURES_OK that stays clear. */
static void accept_features(struct virtio_mmio *mmio)
{
	if (virtio_device_accept(mmio->device, mmio->driver_features))
		mmio->status |= VIRTIO_CONFIG_S_FEATURES_OK;
}

static int start_queues(struct virtio_mmio *mmio)
{
	struct virtio_device *device = mmio->device;
	int ret = 0;

	for (unsigned int i = 0; i < device->queue_count && !ret; i++)
		if (mmio->queues[i].ready)
			ret = virtqueue_start(&device->queues[i], mmio->memory,
					      &mmio->queues[i].layout,
					      device->queue_size_max,
					      device->features);
	return ret;
}

/* 3.1.1, step 8. */
static void start_device(struct virtio_mmio *mmio)
{
	if (!(mmio->status & VIRTIO_CONFIG_S_FEATURES_OK) ||
	    start_queues(mmio)) {
		mmio_needs_reset(mmio);
		return;
	}
	mmio->running = true;
	mmio->device->ops->start(mmio->device);
}

/* The driver only ever adds bits (2.1.1), or resets; so what is set stays. */
static void write_status(struct virtio_mmio *mmio, uint32_t value)
{
	const uint32_t driver_bits = VIRTIO_CONFIG_S_ACKNOWLEDGE |
				     VIRTIO_CONFIG_S_DRIVER |
				     VIRTIO_CONFIG_S_DRIVER_OK |
				     VIRTIO_CONFIG_S_FAILED;
	uint32_t added = value & ~mmio->status;

	if (!value) {
		reset_device(mmio);
		return;
	}
	mmio->status |= value & driver_bits;
	if (added & VIRTIO_CONFIG_S_FEATURES_OK)
		accept_features(mmio);
	if (added & VIRTIO_CONFIG_S_DRIVER_OK)
		start_device(mmio);
}

static uint32_t read_status(struct virtio_mmio *mmio)
{
	bool needs_reset = atomic_load(&mmio->needs_reset);

	return mmio->status | (needs_reset ? VIRTIO_CONFIG_S_NEEDS_RESET : 0);
}

/* --- Features and queues -------------------------------------------------- */

/* Half @sel of 64 bits; there is nothing beyond. */
static uint32_t half(uint64_t value, uint32_t sel)
{
	return sel > 1 ? 0 : (uint32_t)(value >> 32 * sel);
}

static void set_half(uint64_t *value, uint32_t sel, uint32_t bits)
{
	if (sel > 1)
		return;
	*value &= ~(0xffffffffULL << 32 * sel);
	*value |= (uint64_t)bits << 32 * sel;
}

/* The selected queue's registers; NULL where there is no such queue. */
static struct queue_registers *selected_queue(struct virtio_mmio *mmio)
{
	if (mmio->queue_sel >= mmio->device->queue_count)
		return NULL;
	return &mmio->queues[mmio->queue_sel];
}

/*
 * 4.2.2.2: a queue is taken away from a running device by 0 in QueueReady. It
 * is added only before DRIVER_OK.
 */
static void write_queue_ready(struct virtio_mmio *mmio,
			      struct queue_registers *queue, uint32_t value)
{
	struct virtio_device *device = mmio->device;

	if (mmio->running && queue->ready && !value) {
		device->ops->stop(device);
		virtqueue_stop(&device->queues[mmio->queue_sel]);
		device->ops->start(device);
	}
	if (!mmio->running || !value)
		queue->ready = value & 1;
}

static void write_queue(struct virtio_mmio *mmio, uint64_t offset,
			uint32_t value)
{
	struct queue_registers *queue = selected_queue(mmio);

	if (!queue)
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		queue->layout.size = value;
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		write_queue_ready(mmio, queue, value);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_half(&queue->layout.descriptors,
			 offset == VIRTIO_MMIO_QUEUE_DESC_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_half(&queue->layout.driver,
			 offset == VIRTIO_MMIO_QUEUE_AVAIL_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_half(&queue->layout.device,
			 offset == VIRTIO_MMIO_QUEUE_USED_HIGH, value);
		break;
	}
}

static void notify_queue(struct virtio_mmio *mmio, uint32_t queue)
{
	struct virtio_device *device = mmio->device;

	if (queue >= device->queue_count)
		return;
	if (device->kick_fds[queue] >= 0)
		fd_event_raise(device->kick_fds[queue]);
	else if (mmio->running)
		device->ops->notify(device, queue);
}

/* --- Registers ------------------------------------------------------------ */

static uint32_t read_register(struct virtio_mmio *mmio, uint64_t offset)
{
	const struct queue_registers *queue = selected_queue(mmio);

	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return mmio->device->device_id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR_ID;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return half(virtio_device_offered(mmio->device),
			    mmio->device_features_sel);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return queue ? mmio->device->queue_size_max : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return queue && queue->ready;
	case VIRTIO_MMIO_STATUS:
		return read_status(mmio);
	case VIRTIO_MMIO_SHM_LEN_LOW: /* all ones: no such region */
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		return UINT32_MAX;
	default:
		return 0;
	}
}

static void write_register(struct virtio_mmio *mmio, uint64_t offset,
			   uint32_t value)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		mmio->device_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		set_half(&mmio->driver_features, mmio->driver_features_sel,
			 value);
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		mmio->driver_features_sel = value;
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		mmio->queue_sel = value;
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		notify_queue(mmio, value);
		break;
	case VIRTIO_MMIO_STATUS:
		write_status(mmio, value);
		break;
	default:
		write_queue(mmio, offset, value);
		break;
	}
}

/* --- What the driver reads ------------------------------------------------ */

static void show_config(struct virtio_mmio *mmio)
{
	uint32_t words[(VIRTIO_MMIO_SIZE - VIRTIO_MMIO_CONFIG) / 4] = {0};
	size_t size = mmio->device->config_size;

	if (size)
		mmio->device->ops->read_config(mmio->device, 0, words, size);
	for (size_t i = 0; i < div_round_up(size, 4); i++)
		virtio_mmio_page_set(mmio->page, VIRTIO_MMIO_CONFIG + 4 * i,
				     words[i]);
}

/* Under the lock, after any change. */
static void show(struct virtio_mmio *mmio)
{
	for (uint64_t at = 0; at < VIRTIO_MMIO_CONFIG; at += 4)
		if (at != VIRTIO_MMIO_INTERRUPT_STATUS)
			virtio_mmio_page_set(mmio->page, at,
					     read_register(mmio, at));
	/* Perhaps a thread has set a bit between our look and the store. */
	virtio_mmio_page_set_bits(mmio->page, VIRTIO_MMIO_STATUS,
				  read_status(mmio));
	show_config(mmio);
	virtio_mmio_page_clean(mmio->page);
}

/* --- Accesses ------------------------------------------------------------- */

/* 4.2.2.2: registers are 32 bits wide and so are the accesses to them. */
static bool is_allowed(uint64_t offset, unsigned int size)
{
	return offset >= VIRTIO_MMIO_CONFIG ||
	       (size == 4 && is_aligned(offset, 4));
}

static uint64_t mmio_read(void *device, uint64_t offset, unsigned int size)
{
	const struct virtio_mmio *mmio = device;

	return is_allowed(offset, size)
		       ? virtio_mmio_page_read(mmio->page, offset, size)
		       : 0;
}

static void mmio_write(void *device, uint64_t offset, unsigned int size,
		       uint64_t value)
{
	struct virtio_mmio *mmio = device;

	if (!is_allowed(offset, size))
		return;
	/* A reset that another vCPU writes now may come before or after. */
	if (offset == VIRTIO_MMIO_INTERRUPT_ACK) {
		virtio_mmio_page_clear_bits(mmio->page,
					    VIRTIO_MMIO_INTERRUPT_STATUS,
					    (uint32_t)value);
		return;
	}
	pthread_mutex_lock(&mmio->lock);
	if (offset >= VIRTIO_MMIO_CONFIG)
		virtio_device_write_config(mmio->device,
					   offset - VIRTIO_MMIO_CONFIG, size,
					   value);
	else
		write_register(mmio, offset, (uint32_t)value);
	if (offset != VIRTIO_MMIO_QUEUE_NOTIFY) /* which changes nothing */
		show(mmio);
	pthread_mutex_unlock(&mmio->lock);
}

const struct bus_ops virtio_mmio_bus_ops = {mmio_read, mmio_write};

/* --- Life ----------------------------------------------------------------- */

int virtio_mmio_new(struct virtio_device *device,
		    const struct guest_memory *memory,
		    const struct irq_line *irq, struct virtio_mmio **ret_mmio,
		    struct err *err)
{
	struct virtio_mmio *mmio = calloc(1, sizeof(*mmio));

	if (mmio)
		mmio->page = virtio_mmio_page_new();
	if (!mmio || !mmio->page) {
		free(mmio);
		return err_errno(err, ENOMEM, "cannot create a virtio device");
	}
	mmio->device = device;
	mmio->memory = memory;
	mmio->irq = *irq;
	pthread_mutex_init(&mmio->lock, NULL);
	device->transport_ops = &transport_ops;
	device->transport = mmio;
	show(mmio);
	*ret_mmio = mmio;
	return 0;
}

void virtio_mmio_free(struct virtio_mmio *mmio)
{
	if (!mmio)
		return;
	virtio_mmio_reset(mmio);
	pthread_mutex_destroy(&mmio->lock);
	free(mmio->page);
	free(mmio);
}

void virtio_mmio_reset(struct virtio_mmio *mmio)
{
	pthread_mutex_lock(&mmio->lock);
	reset_device(mmio);
	show(mmio);
	pthread_mutex_unlock(&mmio->lock);
}

void *virtio_mmio_page(struct virtio_mmio *mmio)
{
	return mmio->page;
}

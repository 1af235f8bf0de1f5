/*
 * devices/virtio_input.c - see virtio_input.h. Section numbers are those of
 * the Virtual I/O Device specification 1.2.
 *
 * A press is four events, each of which needs a buffer of the driver's; how
 * far it has come is kept, so that it waits for buffers and for the driver.
 *
 * Left out: LEDs and other output (what the driver sends on the status queue
 * is taken and forgotten), and every axis.
 */
#include "devices/virtio_input.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <linux/input.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_input.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "base/math.h"

#define QUEUE_SIZE   64
#define EVENT_QUEUE  0
#define STATUS_QUEUE 1
#define QUEUE_COUNT  2

struct virtio_input {
	struct virtio_device device; /* see virtio_device.h; is first */
	uint8_t select;		     /* under the transport's lock */
	uint8_t subsel;		     /* under the transport's lock */
	pthread_mutex_t lock;
	bool running;		  /* [l] */
	unsigned int events_sent; /* [l] of the press; PRESS_EVENTS: no press */
	struct virtqueue_chain chain; /* [l] */
};

static_assert(offsetof(struct virtio_input, device) == 0, "input_of() casts");

static const struct input_event_values {
	uint16_t type;
	uint16_t code;
	uint32_t value;
} press[] = {
	{EV_KEY, KEY_POWER, 1},
	{EV_SYN, SYN_REPORT, 0},
	{EV_KEY, KEY_POWER, 0},
	{EV_SYN, SYN_REPORT, 0},
};

#define PRESS_EVENTS ARRAY_LENGTH(press)

static struct virtio_input *input_of(struct virtio_device *device)
{
	return (struct virtio_input *)device;
}

/* --- Events; all with the lock held --------------------------------------- */

static size_t write_event(const struct virtqueue_chain *chain,
			  const struct input_event_values *values)
{
	const struct virtio_input_event event = {
		.type = htole16(values->type),
		.code = htole16(values->code),
		.value = htole32(values->value),
	};

	return iov_from_buffer(chain->iov + chain->readable_count,
			       chain->writable_count, 0, &event, sizeof(event));
}

/* 1; 0 where no buffer waits; -EPROTO. */
static int send_event(struct virtio_input *input)
{
	struct virtqueue *queue = &input->device.queues[EVENT_QUEUE];
	int ret = virtqueue_pop(queue, &input->chain);

	if (ret <= 0)
		return ret;
	if (input->chain.writable_length < sizeof(struct virtio_input_event))
		return -EPROTO;
	virtqueue_push(queue, input->chain.head,
		       write_event(&input->chain, &press[input->events_sent]));
	input->events_sent++;
	return 1;
}

/* Takes what the driver sends on the status queue. As send_event(). */
static int take_status(struct virtio_input *input)
{
	struct virtqueue *queue = &input->device.queues[STATUS_QUEUE];
	int ret = virtqueue_pop(queue, &input->chain);

	if (ret > 0)
		virtqueue_push(queue, input->chain.head, 0);
	return ret;
}

/*
 * Serves what waits now and no more; what is added later brings a kick of its
 * own. So a driver cannot keep the calling thread.
 */
static void serve(struct virtio_input *input, unsigned int index)
{
	struct virtqueue *queue = &input->device.queues[index];
	unsigned int waiting = virtqueue_arm_kick(queue);
	int ret = 1;

	while (waiting-- && ret > 0) {
		if (index == STATUS_QUEUE)
			ret = take_status(input);
		else if (input->events_sent < PRESS_EVENTS)
			ret = send_event(input);
		else
			break;
	}
	if (virtqueue_publish(queue))
		virtio_interrupt(&input->device);
	if (ret < 0) {
		input->running = false;
		virtio_needs_reset(&input->device);
	}
}

void virtio_input_press_power(struct virtio_input *input)
{
	pthread_mutex_lock(&input->lock);
	if (input->events_sent == PRESS_EVENTS)
		input->events_sent = 0;
	if (input->running)
		serve(input, EVENT_QUEUE);
	pthread_mutex_unlock(&input->lock);
}

/* --- Configuration space (5.8.4) ------------------------------------------ */

static void set_text(struct virtio_input_config *config, const char *text)
{
	config->size = (uint8_t)strlen(text);
	memcpy(config->u.string, text, config->size);
}

/* The bitmap of the event codes of type @subsel. */
static void set_event_codes(struct virtio_input_config *config)
{
	if (config->subsel != EV_KEY)
		return;
	config->size = KEY_POWER / 8 + 1;
	config->u.bitmap[KEY_POWER / 8] = 1 << KEY_POWER % 8;
}

/* What is not answered has size 0. */
static struct virtio_input_config answer(const struct virtio_input *input)
{
	struct virtio_input_config config = {
		.select = input->select,
		.subsel = input->subsel,
	};

	switch (config.select) {
	case VIRTIO_INPUT_CFG_EV_BITS:
		set_event_codes(&config);
		return config;
	case VIRTIO_INPUT_CFG_ID_NAME:
		if (!config.subsel)
			set_text(&config, "alcor power button");
		return config;
	case VIRTIO_INPUT_CFG_ID_SERIAL:
		if (!config.subsel)
			set_text(&config, "0");
		return config;
	case VIRTIO_INPUT_CFG_ID_DEVIDS:
		if (config.subsel)
			return config;
		config.size = sizeof(config.u.ids);
		config.u.ids.bustype = htole16(BUS_VIRTUAL);
		return config;
	default:
		return config;
	}
}

static void input_read_config(struct virtio_device *device, size_t offset,
			      void *data, size_t length)
{
	struct virtio_input_config config = answer(input_of(device));

	memcpy(data, (const uint8_t *)&config + offset, length);
}

/* 5.8.5.1: the driver writes select and subsel, in one access or in two. */
static void input_write_config(struct virtio_device *device, size_t offset,
			       const void *data, size_t length)
{
	struct virtio_input *input = input_of(device);
	const uint8_t *bytes = data;

	for (size_t i = 0; i < length; i++) {
		if (offset + i == offsetof(struct virtio_input_config, select))
			input->select = bytes[i];
		if (offset + i == offsetof(struct virtio_input_config, subsel))
			input->subsel = bytes[i];
	}
}

/* --- What else the transport asks ----------------------------------------- */

static void input_start(struct virtio_device *device)
{
	struct virtio_input *input = input_of(device);

	pthread_mutex_lock(&input->lock);
	input->running = true;
	serve(input, EVENT_QUEUE);
	pthread_mutex_unlock(&input->lock);
}

/* A press that was begun is made again from its start. */
static void input_stop(struct virtio_device *device)
{
	struct virtio_input *input = input_of(device);

	pthread_mutex_lock(&input->lock);
	input->running = false;
	if (input->events_sent < PRESS_EVENTS)
		input->events_sent = 0;
	pthread_mutex_unlock(&input->lock);
}

static void input_notify(struct virtio_device *device, unsigned int queue)
{
	struct virtio_input *input = input_of(device);

	pthread_mutex_lock(&input->lock);
	if (input->running)
		serve(input, queue);
	pthread_mutex_unlock(&input->lock);
}

static const struct virtio_device_ops input_ops = {
	.read_config = input_read_config,
	.write_config = input_write_config,
	.start = input_start,
	.stop = input_stop,
	.notify = input_notify,
};

/* --- Life ----------------------------------------------------------------- */

int virtio_input_new(struct virtio_input **ret_input, struct err *err)
{
	struct virtio_input *input = calloc(1, sizeof(*input));

	if (!input || virtqueue_chain_init(&input->chain, QUEUE_SIZE)) {
		free(input);
		return err_errno(err, ENOMEM, "cannot create the power button");
	}
	input->device.ops = &input_ops;
	input->device.device_id = VIRTIO_ID_INPUT;
	input->device.queue_count = QUEUE_COUNT;
	input->device.queue_size_max = QUEUE_SIZE;
	input->device.config_size = sizeof(struct virtio_input_config);
	input->device.kick_fds[EVENT_QUEUE] = -1;
	input->device.kick_fds[STATUS_QUEUE] = -1;
	input->events_sent = PRESS_EVENTS;
	pthread_mutex_init(&input->lock, NULL);
	*ret_input = input;
	return 0;
}

void virtio_input_free(struct virtio_input *input)
{
	if (!input)
		return;
	virtqueue_chain_fini(&input->chain);
	pthread_mutex_destroy(&input->lock);
	free(input);
}

struct virtio_device *virtio_input_device(struct virtio_input *input)
{
	return &input->device;
}

/*
 * The power button, an input device with one key (Virtual I/O Device
 * specification 1.2, 5.8): says "ready", waits for the key to go down and up,
 * then powers off.
 */
#include <linux/input-event-codes.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_input.h>

#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/test.h"
#include "runtime/virtio.h"

#define EVENTS 8

static struct virtio virtio;
static struct queue queue;
static struct virtio_input_event events[EVENTS];

UNCLEARED static struct queue_rings rings;

static bool start(void)
{
	if (!virtio_find(VIRTIO_ID_INPUT, 0, &virtio) ||
	    !virtio_negotiate(&virtio, VIRTIO_BIT(VIRTIO_F_VERSION_1)))
		return false;
	queue_init(&queue, &virtio, 0, 0, &rings);
	virtio_status_add(&virtio, VIRTIO_CONFIG_S_DRIVER_OK);
	for (uint16_t i = 0; i < EVENTS; i++) {
		struct piece piece = {&events[i], sizeof(events[i]), true};

		queue_chain(&queue, i, &piece, 1);
		queue_offer(&queue, i);
	}
	queue_kick(&queue);
	return true;
}

/* The next event is the power key's, with this value? */
static bool key_event(uint32_t value)
{
	struct vring_used_elem used;

	do {
		if (!queue_wait_used(&queue, &used) || used.id >= EVENTS ||
		    used.len != sizeof(events[0]))
			return false;
	} while (events[used.id].type == EV_SYN);
	return events[used.id].type == EV_KEY &&
	       events[used.id].code == KEY_POWER &&
	       events[used.id].value == value;
}

void guest_main(void)
{
	if (!start()) {
		test_report("button", "no input device, or it refuses");
		return;
	}
	print("# ready\n");
	if (key_event(1) && key_event(0))
		machine_power_off();
	test_report("button", "the key did not go down and up");
}

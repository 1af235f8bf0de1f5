/*
 * The entropy device (Virtual I/O Device specification 1.2, 5.4): it fills
 * buffers, with something else each time, and no more than it was given.
 */
#include <linux/virtio_ids.h>

#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/string.h"
#include "runtime/test.h"
#include "runtime/virtio.h"

#define MARK 0xee

static struct virtio virtio;
static struct queue queue;

UNCLEARED static struct queue_rings rings;
static uint8_t first[64] __attribute__((aligned(8)));
static uint8_t second[64] __attribute__((aligned(8)));

static bool start(void)
{
	if (!virtio_negotiate(&virtio, VIRTIO_BIT(VIRTIO_F_VERSION_1)))
		return false;
	queue_init(&queue, &virtio, 0, 0, &rings);
	virtio_status_add(&virtio, VIRTIO_CONFIG_S_DRIVER_OK);
	return true;
}

/* Asks for @length bytes; how many came, or ~0 for none in time. */
static uint32_t get_entropy(void *to, uint32_t length)
{
	struct piece piece = {to, length, true};
	struct vring_used_elem used;

	queue_chain(&queue, 0, &piece, 1);
	queue_offer(&queue, 0);
	queue_kick(&queue);
	return queue_wait_used(&queue, &used) ? used.len : ~0u;
}

static void fills_buffers(void)
{
	uint32_t length;

	memset(first, MARK, sizeof(first));
	memset(second, MARK, sizeof(second));
	length = get_entropy(first, 48);
	CHECK(length > 0 && length <= 48);
	length = get_entropy(second, 48);
	CHECK(length > 0 && length <= 48);
	CHECK(memcmp(first, second, 8) != 0);
	for (unsigned int i = 48; i < sizeof(first); i++)
		CHECK(first[i] == MARK && second[i] == MARK);
}

/* A buffer that the device may only read holds nothing for it to do. */
static void buffer_of_the_wrong_direction(void)
{
	struct piece piece = {first, 16, false};
	struct vring_used_elem used;

	if (on_qemu())
		SKIP("QEMU leaves it there");
	memset(first, MARK, sizeof(first));
	queue_chain(&queue, 0, &piece, 1);
	queue_offer(&queue, 0);
	queue_kick(&queue);
	CHECK(queue_wait_used(&queue, &used) || virtio_needs_reset(&virtio));
	CHECK_EQUAL(first[0], MARK);
	REQUIRE(start());
	CHECK(get_entropy(first, 16) <= 16);
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(fills_buffers),
		TEST(buffer_of_the_wrong_direction),
	};

	if (!virtio_find(VIRTIO_ID_RNG, 0, &virtio) || !start())
		test_report("open", "no entropy device, or it refuses");
	else
		tests_run_natively(tests, ARRAY_LENGTH(tests));
}

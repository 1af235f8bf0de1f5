/*
 * devices/virtio_input_test.c - the power button: what udev asks it, and a
 * press that comes before, with and after the driver's buffers.
 */
#include "devices/virtio_input.h"

#include <linux/input.h>
#include <linux/virtio_input.h>
#include <unistd.h>

#include "devices/test_driver.h"

#define VERSION_1  (1ULL << VIRTIO_F_VERSION_1)
#define EVENT_IDX  (1ULL << VIRTIO_RING_F_EVENT_IDX)
#define QUEUE_SIZE 64U
#define BUFFERS	   0x8000 /* guest address; 8 bytes each */
#define CONFIG(field) \
	(VIRTIO_MMIO_CONFIG + offsetof(struct virtio_input_config, field))

struct bench {
	struct test_ram ram;
	struct test_queue queues[2]; /* events, status */
	struct virtio_input *input;
	struct virtio_mmio *mmio;
	int irq_fd;
	unsigned int offered;
};

static bool bench_init(struct bench *bench)
{
	struct irq_line irq = {test_irq_raise, &bench->irq_fd};

	*bench = (struct bench){.irq_fd = fd_event_new()};
	if (!test_ram_init(&bench->ram))
		return false;
	for (unsigned int i = 0; i < 2; i++)
		test_queue_init(&bench->queues[i], &bench->ram, QUEUE_SIZE);
	return CHECK(!virtio_input_new(&bench->input, NULL)) &&
	       CHECK(!virtio_mmio_new(virtio_input_device(bench->input),
				      &bench->ram.memory, &irq, &bench->mmio,
				      NULL));
}

static void bench_fini(struct bench *bench)
{
	virtio_mmio_free(bench->mmio);
	virtio_input_free(bench->input);
	fd_close(&bench->irq_fd);
	test_ram_fini(&bench->ram);
}

static bool start(struct bench *bench)
{
	test_mmio_write(bench->mmio, VIRTIO_MMIO_STATUS, 0);
	for (unsigned int i = 0; i < 2; i++)
		test_queue_clear(&bench->queues[i]);
	return test_mmio_start(bench->mmio, VERSION_1, bench->queues, 2);
}

static void offer_buffers(struct bench *bench, unsigned int count)
{
	while (count--) {
		const struct test_piece buffer = {BUFFERS +
							  8 * bench->offered++,
						  8, VRING_DESC_F_WRITE};

		test_offer(&bench->queues[0],
			   test_chain(&bench->queues[0], &buffer, 1));
	}
	test_kick(bench->mmio, 0);
}

static unsigned int interrupts(struct bench *bench)
{
	uint64_t count;

	if (read(bench->irq_fd, &count, sizeof(count)) < 0)
		return 0;
	return (unsigned int)count;
}

/* The next event in the used ring is this one. */
static void expect_event(struct bench *bench, uint16_t type, uint16_t code,
			 uint32_t value)
{
	struct test_queue *queue = &bench->queues[0];
	struct virtio_input_event event;
	uint32_t head, written;

	REQUIRE(test_used(queue, &head, &written));
	CHECK_EQUAL(written, 8);
	CHECK(!guest_read(&bench->ram.memory,
			  le64toh(queue->descriptors[head].addr), &event,
			  sizeof(event)));
	CHECK_EQUAL(le16toh(event.type), type);
	CHECK_EQUAL(le16toh(event.code), code);
	CHECK_EQUAL(le32toh(event.value), value);
}

static void expect_press(struct bench *bench)
{
	expect_event(bench, EV_KEY, KEY_POWER, 1);
	expect_event(bench, EV_SYN, SYN_REPORT, 0);
	expect_event(bench, EV_KEY, KEY_POWER, 0);
	expect_event(bench, EV_SYN, SYN_REPORT, 0);
}

static void expect_no_event(struct bench *bench)
{
	uint32_t head, written;

	CHECK(!test_used(&bench->queues[0], &head, &written));
}

/* --- What it says of itself ----------------------------------------------- */

/* Selects, and answers the size of what is there. */
static unsigned int select_config(struct bench *bench, uint8_t select,
				  uint8_t subsel)
{
	const struct bus_ops *ops = &virtio_mmio_bus_ops;

	ops->write(bench->mmio, CONFIG(select), 1, select);
	ops->write(bench->mmio, CONFIG(subsel), 1, subsel);
	return (unsigned int)ops->read(bench->mmio, CONFIG(size), 1);
}

static uint8_t config_byte(struct bench *bench, unsigned int index)
{
	return (uint8_t)virtio_mmio_bus_ops.read(bench->mmio,
						 CONFIG(u.string) + index, 1);
}

static void test_only_the_power_key(void)
{
	struct bench bench;
	unsigned int size;

	REQUIRE(bench_init(&bench));
	size = select_config(&bench, VIRTIO_INPUT_CFG_EV_BITS, EV_KEY);
	CHECK_EQUAL(size, KEY_POWER / 8 + 1);
	for (unsigned int i = 0; i < size; i++)
		CHECK_EQUAL(config_byte(&bench, i),
			    i == KEY_POWER / 8 ? 1 << KEY_POWER % 8 : 0);
	for (unsigned int type = 0; type <= EV_MAX; type++)
		if (type != EV_KEY)
			CHECK(!select_config(&bench, VIRTIO_INPUT_CFG_EV_BITS,
					     (uint8_t)type));
	bench_fini(&bench);
}

static void test_identity(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	CHECK_EQUAL(test_mmio_read(bench.mmio, VIRTIO_MMIO_DEVICE_ID), 18);
	CHECK_EQUAL(select_config(&bench, VIRTIO_INPUT_CFG_ID_NAME, 0), 18);
	CHECK_EQUAL(config_byte(&bench, 0), 'a');
	CHECK_EQUAL(config_byte(&bench, 17), 'n');
	CHECK_EQUAL(config_byte(&bench, 18), 0);
	CHECK(select_config(&bench, VIRTIO_INPUT_CFG_ID_SERIAL, 0) > 0);
	CHECK_EQUAL(select_config(&bench, VIRTIO_INPUT_CFG_ID_DEVIDS, 0), 8);
	CHECK_EQUAL(select_config(&bench, VIRTIO_INPUT_CFG_ID_NAME, 1), 0);
	CHECK_EQUAL(select_config(&bench, VIRTIO_INPUT_CFG_UNSET, 0), 0);
	CHECK_EQUAL(select_config(&bench, VIRTIO_INPUT_CFG_PROP_BITS, 0), 0);
	CHECK_EQUAL(select_config(&bench, VIRTIO_INPUT_CFG_ABS_INFO, 0), 0);
	CHECK_EQUAL(select_config(&bench, 0xff, 0xff), 0);
	bench_fini(&bench);
}

/* --- Presses -------------------------------------------------------------- */

static void test_press(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench));
	offer_buffers(&bench, 10);
	expect_no_event(&bench);
	for (unsigned int i = 0; i < 2; i++) {
		virtio_input_press_power(bench.input);
		CHECK_EQUAL(interrupts(&bench), 1);
		expect_press(&bench);
		expect_no_event(&bench);
	}
	bench_fini(&bench);
}

static void test_press_waits_for_buffers(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench));
	virtio_input_press_power(bench.input);
	virtio_input_press_power(bench.input);
	CHECK_EQUAL(interrupts(&bench), 0);
	offer_buffers(&bench, 3);
	CHECK_EQUAL(interrupts(&bench), 1);
	virtio_input_press_power(bench.input);
	offer_buffers(&bench, 3);
	expect_press(&bench);
	/* Presses during a press add nothing. */
	expect_no_event(&bench);
	bench_fini(&bench);
}

static void test_press_waits_for_the_driver(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	virtio_input_press_power(bench.input);
	REQUIRE(start(&bench));
	offer_buffers(&bench, 4);
	expect_press(&bench);
	/* Cut by a reset, it is made again as a whole. */
	virtio_input_press_power(bench.input);
	offer_buffers(&bench, 2);
	REQUIRE(start(&bench));
	offer_buffers(&bench, 6);
	expect_press(&bench);
	expect_no_event(&bench);
	/* A press that was delivered is not. */
	REQUIRE(start(&bench));
	offer_buffers(&bench, 4);
	expect_no_event(&bench);
	bench_fini(&bench);
}

/* Buffers that are there at DRIVER_OK are used without a kick. */
static void test_buffers_before_start(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	virtio_input_press_power(bench.input);
	offer_buffers(&bench, 4);
	expect_no_event(&bench);
	REQUIRE(test_mmio_start(bench.mmio, VERSION_1, bench.queues, 2));
	expect_press(&bench);
	bench_fini(&bench);
}

static void test_kick_is_armed(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(test_mmio_start(bench.mmio, VERSION_1 | EVENT_IDX, bench.queues,
				2));
	offer_buffers(&bench, 2);
	CHECK_EQUAL(test_avail_event(&bench.queues[0]), 2);
	virtio_input_press_power(bench.input);
	CHECK_EQUAL(test_avail_event(&bench.queues[0]), 2);
	offer_buffers(&bench, 4);
	expect_press(&bench);
	CHECK_EQUAL(test_avail_event(&bench.queues[0]), 6);
	bench_fini(&bench);
}

static void test_status_queue_is_drained(void)
{
	const struct test_piece led = {BUFFERS, 8, 0};
	uint32_t head, written;
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench));
	for (unsigned int i = 0; i < 3; i++)
		test_offer(&bench.queues[1],
			   test_chain(&bench.queues[1], &led, 1));
	test_kick(bench.mmio, 1);
	for (unsigned int i = 0; i < 3; i++)
		CHECK(test_used(&bench.queues[1], &head, &written) && !written);
	bench_fini(&bench);
}

static void test_small_buffer(void)
{
	const struct test_piece small = {BUFFERS, 7, VRING_DESC_F_WRITE};
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench));
	test_offer(&bench.queues[0], test_chain(&bench.queues[0], &small, 1));
	virtio_input_press_power(bench.input);
	CHECK(test_mmio_read(bench.mmio, VIRTIO_MMIO_STATUS) &
	      VIRTIO_CONFIG_S_NEEDS_RESET);
	REQUIRE(start(&bench));
	offer_buffers(&bench, 4);
	expect_press(&bench);
	bench_fini(&bench);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_only_the_power_key),
		TEST(test_identity),
		TEST(test_press),
		TEST(test_press_waits_for_buffers),
		TEST(test_press_waits_for_the_driver),
		TEST(test_buffers_before_start),
		TEST(test_kick_is_armed),
		TEST(test_status_queue_is_drained),
		TEST(test_small_buffer),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

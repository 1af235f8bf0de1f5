/*
 * devices/virtio_mmio_test.c - the transport in front of a device that only
 * counts what it is asked: registers, negotiation, life, interrupts.
 */
#include "devices/virtio_mmio.h"

#include <linux/virtio_ids.h>
#include <unistd.h>

#include "devices/test_driver.h"

#define QUEUES	   2U
#define QUEUE_SIZE 16U
#define VERSION_1  (1ULL << VIRTIO_F_VERSION_1)
#define EVENT_IDX  (1ULL << VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT   (1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define OWN	   (1ULL << 5)

/* A device type: queue 0 has a kick event, queue 1 has none. */
struct fake {
	struct virtio_device device;
	unsigned int starts, stops, resets, kicks;
	uint8_t config[6];
};

static void fake_read_config(struct virtio_device *device, size_t offset,
			     void *data, size_t length)
{
	memcpy(data, ((struct fake *)device)->config + offset, length);
}

static void fake_write_config(struct virtio_device *device, size_t offset,
			      const void *data, size_t length)
{
	memcpy(((struct fake *)device)->config + offset, data, length);
}

static void fake_start(struct virtio_device *device)
{
	((struct fake *)device)->starts++;
}

static void fake_stop(struct virtio_device *device)
{
	((struct fake *)device)->stops++;
}

static void fake_reset(struct virtio_device *device)
{
	((struct fake *)device)->resets++;
}

static void fake_notify(struct virtio_device *device, unsigned int queue)
{
	CHECK_EQUAL(queue, 1);
	((struct fake *)device)->kicks++;
}

static const struct virtio_device_ops fake_ops = {
	.read_config = fake_read_config,
	.write_config = fake_write_config,
	.start = fake_start,
	.stop = fake_stop,
	.reset = fake_reset,
	.notify = fake_notify,
};

struct bench {
	struct test_ram ram;
	struct test_queue queues[QUEUES];
	struct fake fake;
	struct virtio_mmio *mmio;
	int irq_fd;
};

static bool bench_init(struct bench *bench)
{
	struct irq_line irq = {test_irq_raise, &bench->irq_fd};

	*bench = (struct bench){
		.fake = {.device = {.ops = &fake_ops,
				    .device_id = VIRTIO_ID_BLOCK,
				    .offered_features = OWN,
				    .queue_count = QUEUES,
				    .queue_size_max = QUEUE_SIZE,
				    .config_size = 6,
				    .kick_fds = {fd_event_new(), -1}}},
		.irq_fd = fd_event_new(),
	};
	if (!test_ram_init(&bench->ram))
		return false;
	for (unsigned int i = 0; i < QUEUES; i++)
		test_queue_init(&bench->queues[i], &bench->ram, QUEUE_SIZE);
	return CHECK(!virtio_mmio_new(&bench->fake.device, &bench->ram.memory,
				      &irq, &bench->mmio, NULL));
}

static void bench_fini(struct bench *bench)
{
	virtio_mmio_free(bench->mmio);
	fd_close(&bench->fake.device.kick_fds[0]);
	fd_close(&bench->irq_fd);
	test_ram_fini(&bench->ram);
}

static bool start(struct bench *bench, uint64_t features)
{
	return test_mmio_start(bench->mmio, features, bench->queues, QUEUES);
}

static uint32_t status(struct bench *bench)
{
	return test_mmio_read(bench->mmio, VIRTIO_MMIO_STATUS);
}

/* How often the event was raised since the last call. */
static uint64_t raised(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) < 0 ? 0 : count;
}

static void test_identity(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	CHECK_EQUAL(test_mmio_read(bench.mmio, VIRTIO_MMIO_MAGIC_VALUE),
		    0x74726976);
	CHECK_EQUAL(test_mmio_read(bench.mmio, VIRTIO_MMIO_VERSION), 2);
	CHECK_EQUAL(test_mmio_read(bench.mmio, VIRTIO_MMIO_DEVICE_ID), 2);
	CHECK_EQUAL(test_mmio_read(bench.mmio, VIRTIO_MMIO_QUEUE_NUM_MAX),
		    QUEUE_SIZE);
	test_mmio_write(bench.mmio, VIRTIO_MMIO_QUEUE_SEL, QUEUES);
	CHECK_EQUAL(test_mmio_read(bench.mmio, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	test_mmio_write(bench.mmio, VIRTIO_MMIO_QUEUE_READY, 1);
	CHECK_EQUAL(test_mmio_read(bench.mmio, VIRTIO_MMIO_QUEUE_READY), 0);
	CHECK_EQUAL(test_mmio_read(bench.mmio, VIRTIO_MMIO_SHM_LEN_LOW),
		    UINT32_MAX);
	CHECK_EQUAL(test_mmio_read(bench.mmio, VIRTIO_MMIO_SHM_LEN_HIGH),
		    UINT32_MAX);
	CHECK_EQUAL(test_mmio_read(bench.mmio, VIRTIO_MMIO_CONFIG_GENERATION),
		    0);
	CHECK_EQUAL(status(&bench), 0);
	bench_fini(&bench);
}

static void test_registers_are_32_bits(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	CHECK_EQUAL(virtio_mmio_bus_ops.read(bench.mmio, 0, 1), 0);
	CHECK_EQUAL(virtio_mmio_bus_ops.read(bench.mmio, 0, 8), 0);
	CHECK_EQUAL(virtio_mmio_bus_ops.read(bench.mmio, 2, 4), 0);
	virtio_mmio_bus_ops.write(bench.mmio, VIRTIO_MMIO_STATUS, 1, 3);
	CHECK_EQUAL(status(&bench), 0);
	bench_fini(&bench);
}

static void test_features(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	CHECK_EQUAL(test_mmio_features(bench.mmio),
		    VERSION_1 | EVENT_IDX | INDIRECT | OWN);
	test_mmio_write(bench.mmio, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
	CHECK_EQUAL(test_mmio_read(bench.mmio, VIRTIO_MMIO_DEVICE_FEATURES), 0);

	CHECK(!test_mmio_negotiate(bench.mmio, OWN));
	CHECK(!test_mmio_negotiate(bench.mmio, VERSION_1 | 1ULL << 6));
	CHECK(!test_mmio_negotiate(bench.mmio, VERSION_1 | 1ULL << 63));
	CHECK_EQUAL(bench.fake.device.features, 0);
	CHECK(test_mmio_negotiate(bench.mmio, VERSION_1 | OWN));
	CHECK_EQUAL(bench.fake.device.features, VERSION_1 | OWN);

	/* Too late to change one's mind. */
	test_mmio_write(bench.mmio, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	test_mmio_write(bench.mmio, VIRTIO_MMIO_DRIVER_FEATURES, 0);
	test_mmio_write(bench.mmio, VIRTIO_MMIO_STATUS, TEST_STATUS_RUNNING);
	CHECK_EQUAL(bench.fake.device.features, VERSION_1 | OWN);
	bench_fini(&bench);
}

static void test_starts_ready_queues(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(test_mmio_start(bench.mmio, VERSION_1 | EVENT_IDX, bench.queues,
				1));
	CHECK_EQUAL(bench.fake.starts, 1);
	CHECK_EQUAL(bench.fake.device.queues[0].size, QUEUE_SIZE);
	CHECK(bench.fake.device.queues[0].event_idx);
	CHECK(!bench.fake.device.queues[0].indirect);
	CHECK_EQUAL(bench.fake.device.queues[1].size, 0);
	/* DRIVER_OK a second time is nothing new. */
	test_mmio_write(bench.mmio, VIRTIO_MMIO_STATUS, TEST_STATUS_RUNNING);
	CHECK_EQUAL(bench.fake.starts, 1);
	CHECK_EQUAL(raised(bench.irq_fd), 0);
	bench_fini(&bench);
}

static void test_starts_without_queues(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	CHECK(test_mmio_start(bench.mmio, VERSION_1, NULL, 0));
	CHECK_EQUAL(bench.fake.starts, 1);
	bench_fini(&bench);
}

/* NEEDS_RESET, told by a configuration interrupt; gone after a reset. */
static void expect_needs_reset(struct bench *bench)
{
	CHECK(status(bench) & VIRTIO_CONFIG_S_NEEDS_RESET);
	CHECK_EQUAL(bench->fake.starts, 0);
	CHECK_EQUAL(raised(bench->irq_fd), 1);
	CHECK_EQUAL(test_mmio_read(bench->mmio, VIRTIO_MMIO_INTERRUPT_STATUS),
		    VIRTIO_MMIO_INT_CONFIG);
	CHECK(start(bench, VERSION_1));
	CHECK_EQUAL(bench->fake.starts, 1);
}

static void test_start_without_features_ok(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	test_mmio_write(bench.mmio, VIRTIO_MMIO_STATUS,
			TEST_STATUS_DRIVER | VIRTIO_CONFIG_S_DRIVER_OK);
	expect_needs_reset(&bench);
	bench_fini(&bench);
}

static void expect_bad_layout(unsigned int size, gpa_t descriptors)
{
	struct virtqueue_layout layout;
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(test_mmio_negotiate(bench.mmio, VERSION_1));
	layout = bench.queues[1].layout;
	layout.size = size;
	layout.descriptors = descriptors;
	test_mmio_queue(bench.mmio, 0, &bench.queues[0].layout);
	test_mmio_queue(bench.mmio, 1, &layout);
	test_mmio_write(bench.mmio, VIRTIO_MMIO_STATUS, TEST_STATUS_RUNNING);
	expect_needs_reset(&bench);
	bench_fini(&bench);
}

static void test_bad_layouts(void)
{
	expect_bad_layout(0, 0x1000);
	expect_bad_layout(3, 0x1000);
	expect_bad_layout(2 * QUEUE_SIZE, 0x1000);
	expect_bad_layout(QUEUE_SIZE, TEST_LOW_SIZE);
	expect_bad_layout(QUEUE_SIZE, UINT64_MAX << 4);
}

static void test_queues_are_frozen(void)
{
	const struct vring_desc *descriptors;
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, VERSION_1));
	descriptors = bench.fake.device.queues[0].descriptors;
	test_mmio_queue(bench.mmio, 0, &bench.queues[1].layout);
	CHECK(bench.fake.device.queues[0].descriptors == descriptors);
	bench_fini(&bench);
}

static void test_queue_is_taken_away(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, VERSION_1));
	bench.fake.stops = 0;
	test_mmio_write(bench.mmio, VIRTIO_MMIO_QUEUE_SEL, 1);
	test_mmio_write(bench.mmio, VIRTIO_MMIO_QUEUE_READY, 0);
	CHECK_EQUAL(test_mmio_read(bench.mmio, VIRTIO_MMIO_QUEUE_READY), 0);
	CHECK_EQUAL(bench.fake.stops, 1);
	CHECK_EQUAL(bench.fake.starts, 2);
	CHECK_EQUAL(bench.fake.resets, 1);
	CHECK_EQUAL(bench.fake.device.queues[1].size, 0);
	CHECK_EQUAL(bench.fake.device.queues[0].size, QUEUE_SIZE);
	/* And does not come back before a reset. */
	test_mmio_write(bench.mmio, VIRTIO_MMIO_QUEUE_READY, 1);
	CHECK_EQUAL(test_mmio_read(bench.mmio, VIRTIO_MMIO_QUEUE_READY), 0);
	bench_fini(&bench);
}

static void test_reset_forgets_all(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, VERSION_1 | OWN));
	virtio_interrupt(&bench.fake.device);
	virtio_needs_reset(&bench.fake.device);
	test_mmio_write(bench.mmio, VIRTIO_MMIO_STATUS, 0);
	CHECK_EQUAL(status(&bench), 0);
	CHECK_EQUAL(test_mmio_read(bench.mmio, VIRTIO_MMIO_INTERRUPT_STATUS),
		    0);
	CHECK_EQUAL(test_mmio_read(bench.mmio, VIRTIO_MMIO_QUEUE_READY), 0);
	CHECK_EQUAL(bench.fake.device.features, 0);
	CHECK_EQUAL(bench.fake.device.queues[0].size, 0);
	CHECK_EQUAL(bench.fake.stops, 2);
	CHECK_EQUAL(bench.fake.resets, 2);
	test_mmio_write(bench.mmio, VIRTIO_MMIO_STATUS, 0);
	virtio_mmio_reset(bench.mmio);
	CHECK_EQUAL(bench.fake.stops, 4);
	CHECK_EQUAL(bench.fake.starts, 1);
	bench_fini(&bench);
}

static void test_interrupts(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	REQUIRE(start(&bench, VERSION_1));
	virtio_interrupt(&bench.fake.device);
	CHECK_EQUAL(raised(bench.irq_fd), 1);
	virtio_needs_reset(&bench.fake.device);
	CHECK_EQUAL(raised(bench.irq_fd), 1);
	CHECK_EQUAL(test_mmio_read(bench.mmio, VIRTIO_MMIO_INTERRUPT_STATUS),
		    VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG);
	test_mmio_write(bench.mmio, VIRTIO_MMIO_INTERRUPT_ACK,
			VIRTIO_MMIO_INT_VRING);
	CHECK_EQUAL(test_mmio_read(bench.mmio, VIRTIO_MMIO_INTERRUPT_STATUS),
		    VIRTIO_MMIO_INT_CONFIG);
	bench_fini(&bench);
}

static void test_kicks(void)
{
	struct bench bench;
	int kick_fd;

	REQUIRE(bench_init(&bench));
	kick_fd = bench.fake.device.kick_fds[0];
	test_kick(bench.mmio, 1);
	CHECK_EQUAL(bench.fake.kicks, 0); /* not running yet */
	REQUIRE(start(&bench, VERSION_1));
	test_kick(bench.mmio, 0);
	CHECK_EQUAL(raised(kick_fd), 1);
	CHECK_EQUAL(bench.fake.kicks, 0);
	test_kick(bench.mmio, 1);
	CHECK_EQUAL(bench.fake.kicks, 1);
	test_kick(bench.mmio, QUEUES);
	test_kick(bench.mmio, UINT32_MAX);
	CHECK_EQUAL(raised(kick_fd), 0);
	CHECK_EQUAL(bench.fake.kicks, 1);
	bench_fini(&bench);
}

static void test_config_space(void)
{
	const struct bus_ops *ops = &virtio_mmio_bus_ops;
	const unsigned int config = VIRTIO_MMIO_CONFIG;
	struct bench bench;

	REQUIRE(bench_init(&bench));
	ops->write(bench.mmio, config, 4, 0x04030201);
	ops->write(bench.mmio, config + 4, 2, 0x0605);
	CHECK_EQUAL(ops->read(bench.mmio, config, 4), 0x04030201);
	CHECK_EQUAL(ops->read(bench.mmio, config + 4, 2), 0x0605);
	CHECK_EQUAL(ops->read(bench.mmio, config + 5, 1), 0x06);
	CHECK_EQUAL(ops->read(bench.mmio, config + 4, 4), 0x0605);
	CHECK_EQUAL(ops->read(bench.mmio, config + 6, 1), 0);
	CHECK_EQUAL(ops->read(bench.mmio, config, 8), 0x060504030201);
	ops->write(bench.mmio, config + 2, 2, 0xbbaa);
	ops->write(bench.mmio, config + 4, 4, 0);
	ops->write(bench.mmio, config + 0xf00, 4, 0);
	CHECK(!memcmp(bench.fake.config, "\1\2\xaa\xbb\5\6", 6));
	bench_fini(&bench);
}

/* What a driver sees that reads the page itself, without asking. */
static uint32_t on_page(struct bench *bench, uint64_t offset)
{
	return ((const uint32_t *)virtio_mmio_page(bench->mmio))[offset / 4];
}

static void test_page(void)
{
	struct bench bench;

	REQUIRE(bench_init(&bench));
	CHECK_EQUAL(on_page(&bench, VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	CHECK_EQUAL(on_page(&bench, VIRTIO_MMIO_DEVICE_FEATURES),
		    OWN | EVENT_IDX | INDIRECT);
	test_mmio_write(bench.mmio, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	CHECK_EQUAL(on_page(&bench, VIRTIO_MMIO_DEVICE_FEATURES), 1);
	test_mmio_write(bench.mmio, VIRTIO_MMIO_CONFIG + 4, 0x05);
	CHECK_EQUAL(on_page(&bench, VIRTIO_MMIO_CONFIG + 4), 0);
	virtio_mmio_bus_ops.write(bench.mmio, VIRTIO_MMIO_CONFIG + 4, 2,
				  0x0605);
	CHECK_EQUAL(on_page(&bench, VIRTIO_MMIO_CONFIG + 4), 0x0605);
	REQUIRE(start(&bench, VERSION_1));
	CHECK_EQUAL(on_page(&bench, VIRTIO_MMIO_STATUS), status(&bench));
	virtio_interrupt(&bench.fake.device);
	CHECK_EQUAL(on_page(&bench, VIRTIO_MMIO_INTERRUPT_STATUS),
		    VIRTIO_MMIO_INT_VRING);
	test_mmio_write(bench.mmio, VIRTIO_MMIO_INTERRUPT_ACK,
			VIRTIO_MMIO_INT_VRING);
	CHECK_EQUAL(on_page(&bench, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	virtio_needs_reset(&bench.fake.device);
	CHECK_EQUAL(on_page(&bench, VIRTIO_MMIO_INTERRUPT_STATUS),
		    VIRTIO_MMIO_INT_CONFIG);
	CHECK(on_page(&bench, VIRTIO_MMIO_STATUS) &
	      VIRTIO_CONFIG_S_NEEDS_RESET);
	test_mmio_write(bench.mmio, VIRTIO_MMIO_STATUS, 0);
	CHECK_EQUAL(on_page(&bench, VIRTIO_MMIO_STATUS), 0);
	CHECK_EQUAL(on_page(&bench, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	bench_fini(&bench);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_identity),
		TEST(test_registers_are_32_bits),
		TEST(test_features),
		TEST(test_starts_ready_queues),
		TEST(test_starts_without_queues),
		TEST(test_start_without_features_ok),
		TEST(test_bad_layouts),
		TEST(test_queues_are_frozen),
		TEST(test_queue_is_taken_away),
		TEST(test_reset_forgets_all),
		TEST(test_interrupts),
		TEST(test_kicks),
		TEST(test_config_space),
		TEST(test_page),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

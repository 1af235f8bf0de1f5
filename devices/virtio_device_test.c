/* devices/virtio_device_test.c - what transports leave to virtio_device.c. */
#include "devices/virtio_device.h"

#include <linux/virtio_config.h>
#include <string.h>

#include "base/math.h"
#include "base/test.h"

#define VERSION_1 (1ULL << VIRTIO_F_VERSION_1)
#define OWN	  (1ULL << 5)

static uint8_t config[6];
static unsigned int writes;

static void write_config(struct virtio_device *device, size_t offset,
			 const void *data, size_t length)
{
	(void)device;
	writes++;
	memcpy(config + offset, data, length);
}

static const struct virtio_device_ops ops = {.write_config = write_config};
static const struct virtio_device_ops read_only_ops;

static void features_are_all_known_ones_with_version_1(void)
{
	struct virtio_device device = {.offered_features = OWN};

	CHECK_EQUAL(virtio_device_offered(&device),
		    OWN | VERSION_1 | VIRTQUEUE_FEATURES);
	CHECK(!virtio_device_accept(&device, 0));
	CHECK(!virtio_device_accept(&device, OWN));
	CHECK(!virtio_device_accept(&device, VERSION_1 | OWN << 1));
	CHECK(!virtio_device_accept(&device, UINT64_MAX));
	CHECK_EQUAL(device.features, 0);
	CHECK(virtio_device_accept(&device, VERSION_1));
	CHECK_EQUAL(device.features, VERSION_1);
	CHECK(virtio_device_accept(&device, VERSION_1 | OWN));
	CHECK(virtio_has_feature(&device, 5));
}

static void configuration_is_little_endian(void)
{
	struct virtio_device device = {.ops = &ops, .config_size = 6};

	memcpy(config, "\1\2\3\4\5\6", 6);
	virtio_device_write_config(&device, 1, 2, 0xbbaa);
	CHECK(!memcmp(config, "\1\xaa\xbb\4\5\6", 6));
}

static void configuration_has_an_end(void)
{
	struct virtio_device device = {.ops = &ops, .config_size = 6};

	memset(config, 0xff, sizeof(config));
	writes = 0;
	virtio_device_write_config(&device, 5, 2, 0);
	virtio_device_write_config(&device, UINT64_MAX - 3, 4, 0);
	CHECK_EQUAL(writes, 0);
	device.ops = &read_only_ops;
	virtio_device_write_config(&device, 0, 1, 0);
	CHECK_EQUAL(config[0], 0xff);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(features_are_all_known_ones_with_version_1),
		TEST(configuration_is_little_endian),
		TEST(configuration_has_an_end),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

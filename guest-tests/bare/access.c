/*
 * Memory-mapped accesses of each size, where a device answers and where none
 * does: the bus gives all ones there and drops writes.
 */
#include <linux/virtio_ids.h>

#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/test.h"
#include "runtime/virtio.h"

static void nothing_answers(void)
{
	const uint64_t at = machine.hole;

	if (on_qemu())
		SKIP("QEMU reads zeroes or has the access abort");
	CHECK_EQUAL(*(volatile uint8_t *)at, 0xff);
	CHECK_EQUAL(*(volatile uint16_t *)(at + 2), 0xffff);
	CHECK_EQUAL(*(volatile uint32_t *)(at + 4), ~0u);
	CHECK_EQUAL(*(volatile uint64_t *)(at + 8), ~0ULL);
	*(volatile uint8_t *)at = 0;
	*(volatile uint16_t *)(at + 2) = 0;
	*(volatile uint32_t *)(at + 4) = 0;
	*(volatile uint64_t *)(at + 8) = 0;
	CHECK_EQUAL(*(volatile uint64_t *)at, ~0ULL);
}

/* Behind the virtio devices that there are. */
static void between_devices(void)
{
	struct machine_virtio *last = &machine.virtio[machine.virtio_count - 1];
	uint64_t at = last->base + 0x10000;

	if (on_qemu() || !machine.virtio_count)
		SKIP("only on alcor, with a disk");
	CHECK_EQUAL(*(volatile uint32_t *)at, ~0u);
}

static void register_sizes(void)
{
	struct virtio disk;

	REQUIRE(virtio_find(VIRTIO_ID_BLOCK, 0, &disk));
	CHECK_EQUAL(*(volatile uint32_t *)disk.base, 0x74726976);
	/* Registers are 32 bits; other sizes give what the device likes. */
	(void)*(volatile uint8_t *)disk.base;
	(void)*(volatile uint16_t *)disk.base;
	(void)*(volatile uint64_t *)disk.base;
	CHECK_EQUAL(*(volatile uint32_t *)disk.base, 0x74726976);
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(nothing_answers),
		TEST(between_devices),
		TEST(register_sizes),
	};

	tests_run(tests, ARRAY_LENGTH(tests));
}

/* arch/x86_64/map_test.c - RAM around the hole, and devices that lie in it. */
#include <errno.h>

#include "arch/arch.h"
#include "arch/x86_64/layout.h"
#include "base/test.h"

static void check_layout(uint64_t size, uint64_t low, uint64_t high)
{
	struct guest_memory memory;

	CHECK_EQUAL(arch_memory_layout(size, &memory, NULL), 0);
	CHECK_EQUAL(memory.count, high ? 2 : 1);
	CHECK_EQUAL(memory.regions[0].base, 0);
	CHECK_EQUAL(memory.regions[0].size, low);
	if (high) {
		CHECK_EQUAL(memory.regions[1].base, 4 * GIB);
		CHECK_EQUAL(memory.regions[1].size, high);
	}
	CHECK_EQUAL(guest_memory_size(&memory), size);
}

static void ram_goes_around_the_hole(void)
{
	check_layout(2 * MIB, 2 * MIB, 0);
	check_layout(32 * MIB, 32 * MIB, 0);
	check_layout(3 * GIB - 4096, 3 * GIB - 4096, 0);
	check_layout(3 * GIB, 3 * GIB, 0);
	check_layout(3 * GIB + 2 * MIB, 3 * GIB, 2 * MIB);
	check_layout(5 * GIB, 3 * GIB, 2 * GIB);
	check_layout(32 * GIB, 3 * GIB, 29 * GIB);
}

static void sizes_without_a_place_are_refused(void)
{
	/* No CPU has 53 bits of physical address. */
	static const uint64_t wrong[] = {0, 4096, 2 * MIB - 1, 1ULL << 52,
					 UINT64_MAX};
	struct guest_memory memory;
	struct err err;

	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
		CHECK_EQUAL(arch_memory_layout(wrong[i], &memory, &err),
			    -EINVAL);
	CHECK(strstr(err.text, "17592186044415 MiB of memory"));
}

static void virtio_slots_lie_in_the_hole(void)
{
	struct arch_slot first = arch_virtio_slot(0);
	struct arch_slot last = arch_virtio_slot(arch_map.virtio_max - 1);

	CHECK_EQUAL(first.range.space, IO_MMIO);
	CHECK(first.range.base >= LAYOUT_HOLE);
	CHECK(last.range.base + last.range.size <= LAYOUT_IOAPIC);
	CHECK_EQUAL(arch_virtio_slot(1).range.base,
		    first.range.base + first.range.size);
	CHECK_EQUAL(arch_virtio_slot(1).gsi, first.gsi + 1);
	/* The IOAPIC's pins are 0 to 23. */
	CHECK(last.gsi < 24);
}

static bool ports_overlap(const struct io_range *a, const struct io_range *b)
{
	return a->base < b->base + b->size && b->base < a->base + a->size;
}

static void ports_and_interrupts_are_distinct(void)
{
	const struct arch_slot *slots[] = {
		&arch_map.serial, &arch_map.power,	&arch_map.reset_port,
		&arch_map.panic,  &arch_map.debug_exit,
	};

	for (size_t i = 0; i < ARRAY_LENGTH(slots); i++) {
		CHECK_EQUAL(slots[i]->range.space, IO_PIO);
		CHECK(slots[i]->range.base + slots[i]->range.size <= 0x10000);
		for (size_t j = 0; j < i; j++)
			CHECK(!ports_overlap(&slots[i]->range,
					     &slots[j]->range));
	}
	CHECK(arch_map.serial.gsi != arch_map.power_button.gsi);
	CHECK(arch_map.serial.gsi < arch_map.virtio_first.gsi);
	CHECK(arch_map.power_button.gsi < arch_map.virtio_first.gsi);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(ram_goes_around_the_hole),
		TEST(sizes_without_a_place_are_refused),
		TEST(virtio_slots_lie_in_the_hole),
		TEST(ports_and_interrupts_are_distinct),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

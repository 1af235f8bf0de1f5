/*
 * Memory is where and as large as the machine says, to its last byte, for the
 * CPU and for a disk. The command line's memory= has the size in MiB.
 */
#include "runtime/blk.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/test.h"

#define PLACE 12400
#define MIB   (1ULL << 20)

static void size(void)
{
	uint64_t sum = 0, want = option_number("memory", 0) * MIB;

	for (unsigned int i = 0; i < machine.memory_count; i++) {
		print("# memory at 0x%lx, 0x%lx bytes\n",
		      machine.memory[i].base, machine.memory[i].size);
		sum += machine.memory[i].size;
	}
	/* x86_64 may keep some of the first MiB from us. */
	CHECK(sum <= want);
	CHECK(sum >= want - MIB);
	CHECK(machine_memory_at((uintptr_t)&machine));
}

static void ends(void)
{
	for (unsigned int i = 0; i < machine.memory_count; i++) {
		const struct machine_memory *memory = &machine.memory[i];
		volatile uint64_t *last =
			(volatile uint64_t *)(memory->base + memory->size - 8);

		*last = 0x0123456789abcdefULL + i;
	}
	/* Afterwards, so that two that are the same memory are found out. */
	for (unsigned int i = 0; i < machine.memory_count; i++) {
		const struct machine_memory *memory = &machine.memory[i];
		volatile uint64_t *last =
			(volatile uint64_t *)(memory->base + memory->size - 8);

		CHECK_EQUAL(*last, 0x0123456789abcdefULL + i);
	}
}

/* Into the last sectors of each piece, and out of them. */
static void disk_reaches_all(void)
{
	struct blk disk;

	REQUIRE(blk_open(&disk, 0, BLK_FEATURES));
	for (unsigned int i = 0; i < machine.memory_count; i++) {
		const struct machine_memory *memory = &machine.memory[i];
		uint8_t *end = (uint8_t *)(memory->base + memory->size);
		uint64_t sector = PLACE + 2 * i;

		pattern_fill(end - SECTOR, sector, 1, 'x');
		REQUIRE(CHECK_EQUAL(blk_write(&disk, sector, end - SECTOR, 1),
				    VIRTIO_BLK_S_OK));
		REQUIRE(CHECK_EQUAL(blk_read(&disk, sector, end - 2 * SECTOR,
					     1),
				    VIRTIO_BLK_S_OK));
		CHECK(pattern_holds(end - 2 * SECTOR, sector, 1, 'x'));
		print("# holds 0 x %lu 1\n", sector);
	}
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(size),
		TEST(ends),
		TEST(disk_reaches_all),
	};

	tests_run(tests, ARRAY_LENGTH(tests));
}

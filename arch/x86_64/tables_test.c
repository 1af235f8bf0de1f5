/*
 * arch/x86_64/tables_test.c - walks the page tables as the CPU does (SDM 3A,
 * 4.5) and reads the descriptors that the boot protocol's selectors name.
 */
#include <errno.h>

#include "arch/x86_64/boot.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/test_board.h"
#include "base/test.h"

#define PRESENT	    (1 << 0)
#define WRITABLE    (1 << 1)
#define LARGE	    (1 << 7)
#define ADDRESS	    0x000ffffffffff000
#define NOT_PRESENT UINT64_MAX

static uint64_t entry_of(const struct test_board *test, gpa_t table,
			 uint64_t address, unsigned int shift)
{
	return test_board_get(test, table + (address >> shift & 511) * 8, 8);
}

/* The physical address that @address is mapped to. */
static uint64_t walk(const struct test_board *test, uint64_t address)
{
	uint64_t entry = entry_of(test, LAYOUT_PAGE_TABLES, address, 39);

	if (!(entry & PRESENT))
		return NOT_PRESENT;
	CHECK(entry & WRITABLE);
	entry = entry_of(test, entry & ADDRESS, address, 30);
	if (!(entry & PRESENT))
		return NOT_PRESENT;
	CHECK(entry & WRITABLE);
	CHECK(!(entry & LARGE)); /* 1 GiB pages need a CPU feature */
	entry = entry_of(test, entry & ADDRESS, address, 21);
	if (!(entry & PRESENT))
		return NOT_PRESENT;
	CHECK(entry & WRITABLE);
	CHECK(entry & LARGE);
	CHECK(is_aligned(entry & ADDRESS, 2 * MIB));
	return (entry & ADDRESS) + (address & (2 * MIB - 1));
}

static void four_gib_are_mapped_to_themselves(void)
{
	struct test_board test;

	test_board_init(&test, 2 * MIB);
	REQUIRE(!tables_write(&test.memory, NULL));
	for (uint64_t address = 0; address < 4 * GIB; address += 2 * MIB)
		CHECK_EQUAL(walk(&test, address), address);
	CHECK_EQUAL(walk(&test, 0x12345678), 0x12345678);
	CHECK_EQUAL(walk(&test, 4 * GIB - 1), 4 * GIB - 1);
	test_board_fini(&test);
}

static void nothing_else_is_mapped(void)
{
	struct test_board test;

	test_board_init(&test, 2 * MIB);
	REQUIRE(!tables_write(&test.memory, NULL));
	for (unsigned int bit = 32; bit < 48; bit++)
		CHECK(walk(&test, 1ULL << bit) == NOT_PRESENT);
	test_board_fini(&test);
}

/* SDM 3A, 3.4.5: base 0, limit 4 GiB, present, ring 0, accessed. */
static void selectors_are_flat(void)
{
	struct test_board test;
	uint64_t code, data;

	test_board_init(&test, 2 * MIB);
	REQUIRE(!tables_write(&test.memory, NULL));
	CHECK_EQUAL(test_board_get(&test, LAYOUT_GDT, 8), 0);
	code = test_board_get(&test, LAYOUT_GDT + LAYOUT_BOOT_CS, 8);
	data = test_board_get(&test, LAYOUT_GDT + LAYOUT_BOOT_DS, 8);
	CHECK_EQUAL(code & 0xff00ffffffffffff, 0x00009b000000ffff);
	CHECK_EQUAL(data & 0xff00ffffffffffff, 0x000093000000ffff);
	CHECK_EQUAL(code >> 48 & 0xff, 0xaf); /* G, L, not D */
	CHECK_EQUAL(data >> 48 & 0xff, 0xcf); /* G, B */
	test_board_fini(&test);
}

static void memory_may_be_too_small(void)
{
	static uint8_t bytes[LAYOUT_PAGE_TABLES];
	const struct guest_memory memory = {
		.count = 1,
		.regions = {{0, sizeof(bytes), bytes}},
	};
	struct err err;

	CHECK_EQUAL(tables_write(&memory, &err), -ENOSPC);
	CHECK_TEXT(err.text, "no memory for page tables");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(four_gib_are_mapped_to_themselves),
		TEST(nothing_else_is_mapped),
		TEST(selectors_are_flat),
		TEST(memory_may_be_too_small),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * vmm/partition_test.c - MBR, logical partitions, GPT, neither; and tables
 * that lie.
 */
#include "vmm/partition.h"

#include <zlib.h>

#include "base/test.h"
#include "vmm/test_disk.h"

#define DISK_SIZE (4 * MIB)

static struct test_disk disk;
static struct partition_table table;
static struct err err;

static void check_partition(unsigned int index, unsigned int number,
			    uint64_t first, uint64_t sectors, const char *uuid)
{
	const struct partition *part = &table.partitions[index];

	CHECK_EQUAL(part->number, number);
	CHECK_EQUAL(part->offset, first * BLOCK_SECTOR);
	CHECK_EQUAL(part->size, sectors * BLOCK_SECTOR);
	CHECK_TEXT(part->uuid, uuid);
}

static void takes_a_disk_without_a_table(void)
{
	test_disk_init(&disk, DISK_SIZE);
	CHECK(!partition_table_read(&disk.view, &table, &err));
	CHECK_EQUAL(table.count, 1);
	check_partition(0, 0, 0, DISK_SIZE / BLOCK_SECTOR, "");

	/* A boot sector with its code where the table would be. */
	memset(disk.data, 0x90, 510);
	test_disk_set_mbr(&disk, 3, 0x90, 0x90909090, 0x90909090);
	CHECK(!partition_table_read(&disk.view, &table, &err));
	CHECK_EQUAL(table.count, 1);
	check_partition(0, 0, 0, DISK_SIZE / BLOCK_SECTOR, "");
	test_disk_fini(&disk);
}

static void reads_an_mbr(void)
{
	le32 signature = le32_make(0xc0ffee01);

	test_disk_init(&disk, DISK_SIZE);
	memcpy(disk.data + 440, &signature, sizeof(signature));
	test_disk_set_mbr(&disk, 0, 0x83, 2048, 1024);
	test_disk_set_mbr(&disk, 2, 0x0c, 4096, 4096);
	CHECK(!partition_table_read(&disk.view, &table, &err));
	CHECK_EQUAL(table.count, 2);
	check_partition(0, 1, 2048, 1024, "c0ffee01-01");
	check_partition(1, 3, 4096, 4096, "c0ffee01-03");
	test_disk_fini(&disk);
}

static void ignores_what_leaves_the_disk(void)
{
	test_disk_init(&disk, DISK_SIZE);
	test_disk_set_mbr(&disk, 0, 0x83, 2048, 8192);
	test_disk_set_mbr(&disk, 1, 0x83, UINT32_MAX, UINT32_MAX);
	test_disk_set_mbr(&disk, 2, 0x83, 2048, 0);
	test_disk_set_mbr(&disk, 3, 0x83, 8191, 1);
	CHECK(!partition_table_read(&disk.view, &table, &err));
	CHECK_EQUAL(table.count, 1);
	check_partition(0, 4, 8191, 1, "");
	test_disk_fini(&disk);
}

/* A link of the chain of logical partitions, at sector @at. */
static void set_link(uint32_t at, uint32_t first, uint32_t sectors,
		     uint32_t next)
{
	struct test_disk link = {.data = disk.data + at * BLOCK_SECTOR};

	test_disk_set_mbr(&link, 0, 0x83, first, sectors);
	test_disk_set_mbr(&link, 1, next ? 0x05 : 0, next, next ? 1 : 0);
}

static void reads_logical_partitions(void)
{
	test_disk_init(&disk, DISK_SIZE);
	test_disk_set_mbr(&disk, 0, 0x83, 64, 64);
	test_disk_set_mbr(&disk, 1, 0x0f, 1000, 7000);
	set_link(1000, 24, 100, 200);
	set_link(1200, 24, 300, 600);
	set_link(1600, 24, 10, 0);
	CHECK(!partition_table_read(&disk.view, &table, &err));
	CHECK_EQUAL(table.count, 4);
	check_partition(1, 5, 1024, 100, "");
	check_partition(2, 6, 1224, 300, "");
	check_partition(3, 7, 1624, 10, "");
	test_disk_fini(&disk);
}

static void ends_a_chain_in_a_circle(void)
{
	test_disk_init(&disk, DISK_SIZE);
	test_disk_set_mbr(&disk, 1, 0x05, 1000, 7000);
	set_link(1000, 24, 100, 200);
	set_link(1200, 24, 100, 200);
	CHECK(!partition_table_read(&disk.view, &table, &err));
	CHECK_EQUAL(table.count, PARTITIONS_MAX);

	/* Out of the disk. */
	set_link(1200, 24, 100, UINT32_MAX);
	CHECK(!partition_table_read(&disk.view, &table, &err));
	CHECK_EQUAL(table.count, 2);
	test_disk_fini(&disk);
}

/* --- GPT ------------------------------------------------------------------ */

static const uint8_t linux_type[16] = {1};
static const uint8_t uuid_bytes[16] = {0x33, 0x22, 0x11, 0x00, 0x55, 0x44,
				       0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb,
				       0xcc, 0xdd, 0xee, 0xFF};

static void put32(uint32_t offset, uint32_t value)
{
	le32 raw = le32_make(value);

	memcpy(disk.data + offset, &raw, sizeof(raw));
}

static void put64(uint32_t offset, uint64_t value)
{
	le64 raw = le64_make(value);

	memcpy(disk.data + offset, &raw, sizeof(raw));
}

/* Makes the checksums fit what is there. */
static void seal(uint32_t count, uint32_t size)
{
	put32(512 + 80, count);
	put32(512 + 84, size);
	put32(512 + 88, (uint32_t)crc32(0, disk.data + 1024, count * size));
	put32(512 + 16, 0);
	put32(512 + 16, (uint32_t)crc32(0, disk.data + 512, 92));
}

static void set_entry(uint32_t index, uint64_t first, uint64_t last)
{
	uint32_t offset = 1024 + 128 * index;

	memcpy(disk.data + offset, linux_type, 16);
	memcpy(disk.data + offset + 16, uuid_bytes, 16);
	put64(offset + 32, first);
	put64(offset + 40, last);
}

static void make_gpt(void)
{
	test_disk_init(&disk, DISK_SIZE);
	test_disk_set_mbr(&disk, 0, 0xee, 1, 8191);
	memcpy(disk.data + 512, "EFI PART", 8);
	put32(512 + 12, 92);
	put64(512 + 24, 1);
	put64(512 + 72, 2);
	set_entry(0, 2048, 4095);
	set_entry(2, 4096, 4096);
	seal(128, 128);
}

static void reads_a_gpt(void)
{
	make_gpt();
	CHECK(!partition_table_read(&disk.view, &table, &err));
	CHECK_EQUAL(table.count, 2);
	check_partition(0, 1, 2048, 2048,
			"00112233-4455-6677-8899-aabbccddeeff");
	check_partition(1, 3, 4096, 1, "00112233-4455-6677-8899-aabbccddeeff");
	test_disk_fini(&disk);
}

static void refuses_a_damaged_gpt(void)
{
	static const uint32_t offsets[] = {512,	     512 + 12,	512 + 24,
					   512 + 40, 512 + 72,	512 + 80,
					   1024,     1024 + 127};

	for (size_t i = 0; i < ARRAY_LENGTH(offsets); i++) {
		make_gpt();
		disk.data[offsets[i]] ^= 0x40;
		CHECK_EQUAL(partition_table_read(&disk.view, &table, &err),
			    -EUCLEAN);
		CHECK(strstr(err.text, "GPT"));
		test_disk_fini(&disk);
	}
}

static void refuses_a_gpt_that_lies(void)
{
	make_gpt();
	put32(512 + 80, UINT32_MAX);
	put32(512 + 16, 0);
	put32(512 + 16, (uint32_t)crc32(0, disk.data + 512, 92));
	CHECK_EQUAL(partition_table_read(&disk.view, &table, &err), -EUCLEAN);

	put64(512 + 72, UINT64_MAX / 4);
	seal(128, 128);
	CHECK_EQUAL(partition_table_read(&disk.view, &table, &err), -EUCLEAN);

	put64(512 + 72, 8191);
	seal(128, 128);
	CHECK_EQUAL(partition_table_read(&disk.view, &table, &err), -EUCLEAN);

	put64(512 + 72, 2);
	seal(128, 64);
	CHECK_EQUAL(partition_table_read(&disk.view, &table, &err), -EUCLEAN);
	test_disk_fini(&disk);
}

static void ignores_gpt_entries_that_leave_the_disk(void)
{
	make_gpt();
	set_entry(0, 2048, 8192);
	set_entry(1, 4096, 4095);
	set_entry(2, UINT64_MAX, UINT64_MAX);
	set_entry(3, 0, UINT64_MAX);
	set_entry(4, 8191, 8191);
	seal(128, 128);
	CHECK(!partition_table_read(&disk.view, &table, &err));
	CHECK_EQUAL(table.count, 1);
	check_partition(0, 5, 8191, 1, "00112233-4455-6677-8899-aabbccddeeff");
	test_disk_fini(&disk);
}

static void reads_tiny_disks(void)
{
	for (uint64_t size = 512; size <= 2048; size += 512) {
		test_disk_init(&disk, size);
		test_disk_set_mbr(&disk, 0, 0xee, 1, 1);
		CHECK_EQUAL(partition_table_read(&disk.view, &table, &err),
			    -EUCLEAN);
		test_disk_fini(&disk);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(takes_a_disk_without_a_table),
		TEST(reads_an_mbr),
		TEST(ignores_what_leaves_the_disk),
		TEST(reads_logical_partitions),
		TEST(ends_a_chain_in_a_circle),
		TEST(reads_a_gpt),
		TEST(refuses_a_damaged_gpt),
		TEST(refuses_a_gpt_that_lies),
		TEST(ignores_gpt_entries_that_leave_the_disk),
		TEST(reads_tiny_disks),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

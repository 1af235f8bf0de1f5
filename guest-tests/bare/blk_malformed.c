/*
 * Chains that break the rules of the virtqueue. The device ends each with an
 * error or says that it needs a reset (2.1.2), writes nowhere it should not,
 * and works again after a reset.
 *
 * Each case describes its chain in the descriptors; the frame around it offers
 * the chain, judges the answer, resets, and reads a sector of known content.
 */
#include "runtime/blk.h"
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/test.h"

#define PLACE	  12100
#define GUARD	  0x5a
#define TABLE_MAX 16

static struct blk disk;
static struct virtio_blk_outhdr header;
static volatile uint8_t status;
static struct vring_desc table[TABLE_MAX] __attribute__((aligned(16)));

/* The buffer of the requests, and what lies around it. */
static struct {
	uint8_t before[64], data[SECTOR], after[64];
} area __attribute__((aligned(64)));

static const struct piece header_piece = {&header, sizeof(header), false};
static const struct piece data_piece = {area.data, SECTOR, true};
static const struct piece status_piece = {&status, 1, true};

#define NEXT	 VRING_DESC_F_NEXT
#define WRITE	 VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT

static void describe(unsigned int index, const struct piece *piece,
		     uint16_t flags, uint16_t next)
{
	queue_describe(&disk.queue.desc[index], piece, flags, next);
}

static void describe_raw(unsigned int index, uint64_t address, uint32_t length,
			 uint16_t flags, uint16_t next)
{
	disk.queue.desc[index] = (struct vring_desc){address, length, flags,
						     next};
}

static void describe_table(unsigned int index, const struct piece *piece,
			   uint16_t flags, uint16_t next)
{
	queue_describe(&table[index], piece, flags, next);
}

/* A good read of one sector; cases spoil it. */
static void good_chain(void)
{
	describe(0, &header_piece, NEXT, 1);
	describe(1, &data_piece, NEXT, 2);
	describe(2, &status_piece, 0, 0);
}

static void good_table(void)
{
	describe_table(0, &header_piece, NEXT, 1);
	describe_table(1, &data_piece, NEXT, 2);
	describe_table(2, &status_piece, 0, 0);
	describe_raw(0, (uintptr_t)table, 3 * sizeof(*table), INDIRECT, 0);
}

static bool guards_hold(void)
{
	return bytes_are(area.before, GUARD, sizeof(area.before)) &&
	       bytes_are(area.after, GUARD, sizeof(area.after));
}

static void start(void)
{
	header = (struct virtio_blk_outhdr){.type = VIRTIO_BLK_T_IN,
					    .sector = PLACE};
	status = 0xff;
	memset(&area, GUARD, sizeof(area));
}

static void works_again(void)
{
	CHECK(guards_hold());
	REQUIRE(blk_restart(&disk, BLK_FEATURES));
	start();
	good_chain();
	queue_offer(&disk.queue, 0);
	queue_kick(&disk.queue);
	CHECK_EQUAL(blk_answer(&disk, 0, &status), VIRTIO_BLK_S_OK);
	CHECK(pattern_holds(area.data, PLACE, 1, 'q'));
	CHECK(guards_hold());
}

/* Offers chain @head and judges; an answer of OK is wrong. */
static void expect_refusal(uint16_t head)
{
	unsigned int answer;

	queue_offer(&disk.queue, head);
	queue_kick(&disk.queue);
	answer = blk_answer(&disk, head, &status);
	/* 0xff: a used entry of a chain that had no status byte to write. */
	if (answer != VIRTIO_BLK_S_IOERR && answer != VIRTIO_BLK_S_UNSUPP &&
	    answer != BLK_NEEDS_RESET && answer != 0xff) {
		print("# answer 0x%x\n", answer);
		CHECK(!"an error or a needed reset");
	}
	works_again();
}

static void prepare(void)
{
	start();
	pattern_fill(area.data, PLACE, 1, 'q');
	REQUIRE(CHECK_EQUAL(blk_write(&disk, PLACE, area.data, 1),
			    VIRTIO_BLK_S_OK));
	works_again();
}

static void chain_that_loops(void)
{
	start();
	good_chain();
	describe(2, &data_piece, NEXT, 1);
	expect_refusal(0);
	start();
	describe(0, &header_piece, NEXT, 0);
	expect_refusal(0);
}

static void next_out_of_range(void)
{
	const uint16_t nexts[] = {disk.queue.size, disk.queue.size + 1, 0x8000,
				  0xffff};

	for (unsigned int i = 0; i < ARRAY_LENGTH(nexts); i++) {
		start();
		good_chain();
		describe(1, &data_piece, NEXT, nexts[i]);
		/* What a device finds that looks there all the same. */
		describe(disk.queue.size, &status_piece, 0, 0);
		expect_refusal(0);
	}
}

static void head_out_of_range(void)
{
	start();
	good_chain();
	describe(disk.queue.size, &header_piece, NEXT, 1);
	expect_refusal(disk.queue.size);
	start();
	good_chain();
	expect_refusal(0xffff);
}

/* Of the piece that this guest lies in. */
static uint64_t end_of_memory(void)
{
	const struct machine_memory *here = machine_memory_at((uintptr_t)&disk);

	return here->base + here->size;
}

/* Addresses where no memory is, as data of a read and of a write. */
static void data_outside_memory(void)
{
	const uint64_t end = end_of_memory();
	const uint64_t addresses[] = {
		machine.hole,
		disk.virtio.base,
		end,
		end - SECTOR / 2,
		1ULL << 40,
		1ULL << 52,
		1ULL << 63,
		-4096ULL,
		-(uint64_t)SECTOR / 2,
		~0ULL,
	};

	if (on_qemu())
		SKIP("QEMU reads and writes registers, too");
	for (unsigned int i = 0; i < ARRAY_LENGTH(addresses); i++) {
		start();
		good_chain();
		describe_raw(1, addresses[i], SECTOR, NEXT | WRITE, 2);
		expect_refusal(0);
		start();
		good_chain();
		header.type = VIRTIO_BLK_T_OUT;
		describe_raw(1, addresses[i], SECTOR, NEXT, 2);
		expect_refusal(0);
	}
}

static void header_outside_memory(void)
{
	if (on_qemu())
		SKIP("QEMU reads registers, too");
	start();
	good_chain();
	describe_raw(0, machine.hole, sizeof(header), NEXT, 1);
	expect_refusal(0);
}

static void status_outside_memory(void)
{
	start();
	good_chain();
	describe_raw(2, machine.hole, 1, WRITE, 0);
	expect_refusal(0);
}

static void table_outside_memory(void)
{
	const uint64_t end = end_of_memory();

	start();
	describe_raw(0, machine.hole, 48, INDIRECT, 0);
	expect_refusal(0);
	start();
	describe_raw(0, end - 16, 48, INDIRECT, 0);
	expect_refusal(0);
	start();
	describe_raw(0, -16ULL, 48, INDIRECT, 0);
	expect_refusal(0);
}

static void table_of_odd_length(void)
{
	const uint32_t lengths[] = {0, 1, 15, 47, ~0u};

	for (unsigned int i = 0; i < ARRAY_LENGTH(lengths); i++) {
		start();
		good_table();
		describe_raw(0, (uintptr_t)table, lengths[i], INDIRECT, 0);
		expect_refusal(0);
	}
}

static void table_that_loops(void)
{
	start();
	good_table();
	describe_table(1, &data_piece, NEXT, 0);
	expect_refusal(0);
	start();
	good_table();
	describe_table(1, &data_piece, NEXT, 1);
	expect_refusal(0);
}

static void table_with_next_out_of_range(void)
{
	start();
	good_table();
	describe_table(1, &data_piece, NEXT, 3);
	describe_table(3, &status_piece, 0, 0);
	expect_refusal(0);
	start();
	good_table();
	describe_table(1, &data_piece, NEXT, 0xffff);
	expect_refusal(0);
}

static void table_in_a_table(void)
{
	struct piece inner = {&table[4], 3 * sizeof(*table), false};

	start();
	good_table();
	describe_table(4, &header_piece, NEXT, 1);
	describe_table(5, &data_piece, NEXT, 2);
	describe_table(6, &status_piece, 0, 0);
	describe_table(0, &inner, INDIRECT, 0);
	expect_refusal(0);
}

/* INDIRECT and NEXT exclude each other (2.7.5.3.1). */
static void table_and_next(void)
{
	if (on_qemu())
		SKIP("QEMU overlooks NEXT there");
	start();
	good_table();
	describe_raw(0, (uintptr_t)table, 3 * sizeof(*table), INDIRECT | NEXT,
		     1);
	describe(1, &status_piece, 0, 0);
	expect_refusal(0);
}

static void table_not_negotiated(void)
{
	if (on_qemu())
		SKIP("QEMU takes one anyway");
	REQUIRE(blk_restart(&disk, VIRTIO_BIT(VIRTIO_BLK_F_FLUSH)));
	start();
	good_table();
	expect_refusal(0);
}

static void no_status_byte(void)
{
	start();
	describe(0, &header_piece, 0, 0);
	expect_refusal(0);
	start();
	good_chain();
	describe(2, &status_piece, 0, 0);
	disk.queue.desc[1].flags = NEXT;
	disk.queue.desc[2].flags = 0;
	expect_refusal(0);
}

static void short_header(void)
{
	struct piece piece = {&header, sizeof(header) - 1, false};

	start();
	good_chain();
	describe(0, &piece, NEXT, 1);
	expect_refusal(0);
}

static void no_header(void)
{
	start();
	describe(0, &data_piece, NEXT, 1);
	describe(1, &status_piece, 0, 0);
	expect_refusal(0);
}

/* What the device reads must stand before what it writes (2.7.4.2). */
static void readable_behind_writable(void)
{
	start();
	describe(0, &header_piece, NEXT, 1);
	describe(1, &data_piece, NEXT, 2);
	describe(2, &header_piece, NEXT, 3);
	describe(3, &status_piece, 0, 0);
	expect_refusal(0);
}

/* Pieces without length are of no use; they may be refused or skipped. */
static void empty_pieces(void)
{
	unsigned int answer;

	start();
	good_chain();
	describe_raw(1, (uintptr_t)area.data, 0, NEXT | WRITE, 2);
	queue_offer(&disk.queue, 0);
	queue_kick(&disk.queue);
	answer = blk_answer(&disk, 0, &status);
	CHECK(answer <= VIRTIO_BLK_S_UNSUPP || answer == BLK_NEEDS_RESET);
	works_again();
}

/* Lengths whose sum does not fit 32 bits, all inside memory's addresses. */
static void lengths_that_overflow(void)
{
	start();
	good_chain();
	describe_raw(1, 4096, ~0u, NEXT | WRITE, 2);
	expect_refusal(0);
	start();
	describe(0, &header_piece, NEXT, 1);
	describe_raw(1, -8ULL, 0x80000008, NEXT | WRITE, 2);
	describe_raw(2, (uintptr_t)area.data, 0x80000000, NEXT | WRITE, 3);
	describe(3, &status_piece, 0, 0);
	expect_refusal(0);
}

/* More chains made available than there are descriptors. */
static void available_index_too_far(void)
{
	start();
	good_chain();
	for (uint16_t i = 0; i < disk.queue.size; i++)
		disk.queue.avail_ring[i] = 0;
	*disk.queue.avail_idx += disk.queue.size + 1;
	queue_kick(&disk.queue);
	CHECK_EQUAL(blk_answer(&disk, 0, &status), BLK_NEEDS_RESET);
	works_again();
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(prepare),
		TEST(chain_that_loops),
		TEST(next_out_of_range),
		TEST(head_out_of_range),
		TEST(data_outside_memory),
		TEST(header_outside_memory),
		TEST(status_outside_memory),
		TEST(table_outside_memory),
		TEST(table_of_odd_length),
		TEST(table_that_loops),
		TEST(table_with_next_out_of_range),
		TEST(table_in_a_table),
		TEST(table_and_next),
		TEST(table_not_negotiated),
		TEST(no_status_byte),
		TEST(short_header),
		TEST(no_header),
		TEST(readable_behind_writable),
		TEST(empty_pieces),
		TEST(lengths_that_overflow),
		TEST(available_index_too_far),
	};

	if (!blk_open(&disk, 0, BLK_FEATURES))
		test_report("open", "no disk, or it refuses");
	else
		tests_run_natively(tests, ARRAY_LENGTH(tests));
}

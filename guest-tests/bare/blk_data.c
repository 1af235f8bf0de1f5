/*
 * Reading and writing a disk: each way of cutting a request into pieces that
 * the specification allows, and each kind of request, with the data checked.
 *
 * What a test leaves on the disk it announces as "# holds DISK LETTER FIRST
 * COUNT": sectors with the pattern of that letter, for the host to compare.
 */
#include "runtime/blk.h"
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/test.h"

#define BUFFER_SECTORS 256

/* Where on the disk each test works, in sectors. */
enum place {
	PLACE_ONE = 8,
	PLACE_MANY = 64,
	PLACE_ODD = 512,
	PLACE_SMALL = 600,
	PLACE_HEADER = 640,
	PLACE_SEGMENTS = 1024,
	PLACE_INDIRECT = 2048,
	PLACE_MIXED = 2560,
	PLACE_ZEROES = 4096,
	PLACE_DISCARD = 6144,
	PLACE_FLIGHT = 8192,
};

UNCLEARED static uint8_t buffer[BUFFER_SECTORS * SECTOR],
	other[BUFFER_SECTORS * SECTOR];

static struct blk disk;

static void holds(char letter, uint64_t first, uint32_t sectors)
{
	print("# holds 0 %c %lu %u\n", letter, first, sectors);
}

static bool reads_back(uint64_t sector, uint32_t sectors, char letter)
{
	return CHECK_EQUAL(blk_read(&disk, sector, other, sectors),
			   VIRTIO_BLK_S_OK) &&
	       CHECK_EQUAL(disk.written, sectors * SECTOR + 1) &&
	       CHECK(pattern_holds(other, sector, sectors, letter));
}

static bool write_pattern(uint64_t sector, uint32_t sectors, char letter)
{
	pattern_fill(buffer, sector, sectors, letter);
	return CHECK_EQUAL(blk_write(&disk, sector, buffer, sectors),
			   VIRTIO_BLK_S_OK);
}

static void one_sector(void)
{
	REQUIRE(write_pattern(PLACE_ONE, 1, 'a'));
	REQUIRE(reads_back(PLACE_ONE, 1, 'a'));
	REQUIRE(write_pattern(PLACE_ONE, 1, 'b'));
	REQUIRE(reads_back(PLACE_ONE, 1, 'b'));
	holds('b', PLACE_ONE, 1);
}

static void many_sectors(void)
{
	REQUIRE(write_pattern(PLACE_MANY + 1, 200, 'c'));
	REQUIRE(reads_back(PLACE_MANY + 1, 200, 'c'));
	REQUIRE(reads_back(PLACE_MANY + 100, 7, 'c'));
	holds('c', PLACE_MANY + 1, 200);
}

static void last_sector(void)
{
	REQUIRE(write_pattern(disk.sectors - 1, 1, 'd'));
	REQUIRE(reads_back(disk.sectors - 1, 1, 'd'));
	holds('d', disk.sectors - 1, 1);
}

/* Pieces that no sector boundary falls between. */
static void odd_pieces(void)
{
	const uint32_t lengths[] = {1, 510, 3, 1021, 1, 512, 4095, 1, 512 * 2};
	struct piece pieces[ARRAY_LENGTH(lengths)];
	uint32_t offset = 0;

	for (unsigned int i = 0; i < ARRAY_LENGTH(lengths); i++) {
		pieces[i] = (struct piece){buffer + offset, lengths[i], false};
		offset += lengths[i];
	}
	REQUIRE(CHECK_EQUAL(offset % SECTOR, 0));
	pattern_fill(buffer, PLACE_ODD, offset / SECTOR, 'e');
	CHECK_EQUAL(blk_do(&disk, VIRTIO_BLK_T_OUT, PLACE_ODD, pieces,
			   ARRAY_LENGTH(pieces)),
		    VIRTIO_BLK_S_OK);
	REQUIRE(reads_back(PLACE_ODD, offset / SECTOR, 'e'));
	memset(buffer, 0, offset);
	for (unsigned int i = 0; i < ARRAY_LENGTH(lengths); i++)
		pieces[i].device_writes = true;
	CHECK_EQUAL(blk_do(&disk, VIRTIO_BLK_T_IN, PLACE_ODD, pieces,
			   ARRAY_LENGTH(pieces)),
		    VIRTIO_BLK_S_OK);
	CHECK(pattern_holds(buffer, PLACE_ODD, offset / SECTOR, 'e'));
	holds('e', PLACE_ODD, offset / SECTOR);
}

static void sixteen_byte_pieces(void)
{
	struct piece pieces[2 * SECTOR / 16];

	pattern_fill(buffer, PLACE_SMALL, 2, 'f');
	for (unsigned int i = 0; i < ARRAY_LENGTH(pieces); i++)
		pieces[i] = (struct piece){buffer + 16 * i, 16, false};
	CHECK_EQUAL(blk_do(&disk, VIRTIO_BLK_T_OUT, PLACE_SMALL, pieces,
			   ARRAY_LENGTH(pieces)),
		    VIRTIO_BLK_S_OK);
	REQUIRE(reads_back(PLACE_SMALL, 2, 'f'));
	holds('f', PLACE_SMALL, 2);
}

/* The pieces of one chain, in order, for a request of one's own making. */
static unsigned int do_pieces(const struct piece *pieces, unsigned int count,
			      const volatile uint8_t *status)
{
	queue_chain(&disk.queue, 0, pieces, count);
	queue_offer(&disk.queue, 0);
	queue_kick(&disk.queue);
	return blk_answer(&disk, 0, status);
}

/*
 * Framing is the driver's choice (2.7.4.1): the header in three pieces, the
 * last one with data behind it; the status behind the data in one piece.
 */
static void header_and_status_anywhere(void)
{
	struct {
		struct virtio_blk_outhdr header;
		uint8_t data[SECTOR];
	} out = {.header = {.type = VIRTIO_BLK_T_OUT, .sector = PLACE_HEADER}};
	volatile uint8_t status = 0xff;
	uint8_t *at = (uint8_t *)&out;
	const struct piece write[] = {
		{at, 1, false},
		{at + 1, 6, false},
		{at + 7, sizeof(out) - 7, false},
		{&status, 1, true},
	};
	struct virtio_blk_outhdr header = {.type = VIRTIO_BLK_T_IN,
					   .sector = PLACE_HEADER};
	const struct piece read[] = {
		{&header, 4, false},
		{(uint8_t *)&header + 4, 12, false},
		{other, SECTOR + 1, true},
	};

	pattern_fill(out.data, PLACE_HEADER, 1, 'g');
	REQUIRE(CHECK_EQUAL(do_pieces(write, ARRAY_LENGTH(write), &status),
			    VIRTIO_BLK_S_OK));
	other[SECTOR] = 0xff;
	REQUIRE(CHECK_EQUAL(do_pieces(read, ARRAY_LENGTH(read), &other[SECTOR]),
			    VIRTIO_BLK_S_OK));
	CHECK(pattern_holds(other, PLACE_HEADER, 1, 'g'));
	holds('g', PLACE_HEADER, 1);
}

/* Every other 512 bytes of both buffers, 200 pieces, last ones first. */
static void segment_pieces(struct piece *pieces, uint64_t sector, bool in)
{
	for (unsigned int i = 0; i < 200; i++) {
		uint8_t *at = i & 1 ? &buffer[(199 - i) * SECTOR]
				    : &other[(199 - i) * SECTOR];

		pieces[i] = (struct piece){at, SECTOR, in};
		if (in)
			*(uint64_t *)at = 0;
		else
			pattern_fill(at, sector + i, 1, 'h');
	}
}

static bool segments_hold(const struct piece *pieces, uint64_t sector)
{
	for (unsigned int i = 0; i < 200; i++)
		if (!pattern_holds((const void *)pieces[i].at, sector + i, 1,
				   'h'))
			return false;
	return true;
}

static void two_hundred_segments(void)
{
	static struct piece pieces[200];

	if (disk.queue.size < 256)
		SKIP("the queue is smaller than 256");
	segment_pieces(pieces, PLACE_SEGMENTS, false);
	REQUIRE(CHECK_EQUAL(blk_do(&disk, VIRTIO_BLK_T_OUT, PLACE_SEGMENTS,
				   pieces, 200),
			    VIRTIO_BLK_S_OK));
	segment_pieces(pieces, PLACE_SEGMENTS, true);
	REQUIRE(CHECK_EQUAL(blk_do(&disk, VIRTIO_BLK_T_IN, PLACE_SEGMENTS,
				   pieces, 200),
			    VIRTIO_BLK_S_OK));
	CHECK_EQUAL(disk.written, 200 * SECTOR + 1);
	CHECK(segments_hold(pieces, PLACE_SEGMENTS));
	holds('h', PLACE_SEGMENTS, 200);
}

/* A chain in an indirect table, behind @direct ordinary descriptors. */
static unsigned int do_indirect(const struct piece *pieces, unsigned int count,
				unsigned int direct,
				const volatile uint8_t *status)
{
	static struct vring_desc table[256];
	unsigned int rest = count - direct;
	const struct piece whole = {table, rest * sizeof(*table), false};
	struct queue *queue = &disk.queue;

	for (unsigned int i = 0; i < rest; i++)
		queue_describe(&table[i], &pieces[direct + i],
			       i + 1 < rest ? VRING_DESC_F_NEXT : 0,
			       (uint16_t)(i + 1));
	queue_chain(queue, 0, pieces, direct);
	if (direct)
		queue->desc[direct - 1].flags |= VRING_DESC_F_NEXT;
	queue_describe(&queue->desc[direct], &whole, VRING_DESC_F_INDIRECT, 0);
	queue_offer(queue, 0);
	queue_kick(queue);
	return blk_answer(&disk, 0, status);
}

/* 200 segments to @place and back through an indirect table. */
static void indirect_segments(uint64_t place, unsigned int direct)
{
	static struct piece pieces[202];
	struct virtio_blk_outhdr header = {.type = VIRTIO_BLK_T_OUT,
					   .sector = place};
	volatile uint8_t status = 0xff;

	if (!(disk.features & VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC)))
		SKIP("INDIRECT_DESC is not offered");
	pieces[0] = (struct piece){&header, sizeof(header), false};
	pieces[201] = (struct piece){&status, 1, true};
	segment_pieces(pieces + 1, place, false);
	REQUIRE(CHECK_EQUAL(do_indirect(pieces, 202, direct, &status),
			    VIRTIO_BLK_S_OK));
	header.type = VIRTIO_BLK_T_IN;
	status = 0xff;
	segment_pieces(pieces + 1, place, true);
	REQUIRE(CHECK_EQUAL(do_indirect(pieces, 202, direct, &status),
			    VIRTIO_BLK_S_OK));
	CHECK(segments_hold(pieces + 1, place));
	holds('h', place, 200);
}

static void indirect(void)
{
	indirect_segments(PLACE_INDIRECT, 0);
}

/* Ordinary descriptors before the indirect one (2.7.5.3.2). */
static void indirect_behind_direct(void)
{
	if (on_qemu())
		SKIP("QEMU takes an indirect descriptor only as the first");
	indirect_segments(PLACE_MIXED, 3);
}

/* As many requests at once as the queue can hold. */
static void many_in_flight(void)
{
	static struct virtio_blk_outhdr headers[64];
	static volatile uint8_t status[64];
	struct vring_used_elem used;
	unsigned int right = 0;

	REQUIRE(write_pattern(PLACE_FLIGHT, 64, 'i'));
	for (unsigned int i = 0; i < 64; i++) {
		unsigned int sector = i * 37 % 64;
		const struct piece pieces[] = {
			{&headers[i], sizeof(headers[i]), false},
			{other + i * SECTOR, SECTOR, true},
			{&status[i], 1, true},
		};

		headers[i].type = VIRTIO_BLK_T_IN;
		headers[i].sector = PLACE_FLIGHT + sector;
		status[i] = 0xff;
		queue_chain(&disk.queue, (uint16_t)(3 * i), pieces, 3);
		queue_offer(&disk.queue, (uint16_t)(3 * i));
	}
	queue_kick(&disk.queue);
	for (unsigned int i = 0; i < 64; i++) {
		REQUIRE(queue_wait_used(&disk.queue, &used));
		REQUIRE(used.id % 3 == 0 && used.id / 3 < 64);
		CHECK_EQUAL(status[used.id / 3], VIRTIO_BLK_S_OK);
		CHECK_EQUAL(used.len, SECTOR + 1);
	}
	for (unsigned int i = 0; i < 64; i++)
		right += pattern_holds(other + i * SECTOR,
				       PLACE_FLIGHT + i * 37 % 64, 1, 'i');
	CHECK_EQUAL(right, 64);
	holds('i', PLACE_FLIGHT, 64);
}

static void flush(void)
{
	if (!(disk.features & VIRTIO_BIT(VIRTIO_BLK_F_FLUSH)))
		SKIP("FLUSH is not offered");
	CHECK_EQUAL(blk_flush(&disk), VIRTIO_BLK_S_OK);
	REQUIRE(write_pattern(PLACE_ONE + 8, 4, 'j'));
	CHECK_EQUAL(blk_flush(&disk), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(disk.written, 1);
	REQUIRE(reads_back(PLACE_ONE + 8, 4, 'j'));
	holds('j', PLACE_ONE + 8, 4);
}

static void zeroes_at(uint64_t place, uint32_t flags)
{
	if (!(disk.features & VIRTIO_BIT(VIRTIO_BLK_F_WRITE_ZEROES)))
		SKIP("WRITE_ZEROES is not offered");
	REQUIRE(write_pattern(place, 48, 'k'));
	REQUIRE(CHECK_EQUAL(blk_range(&disk, VIRTIO_BLK_T_WRITE_ZEROES,
				      place + 5, 27, flags),
			    VIRTIO_BLK_S_OK));
	REQUIRE(reads_back(place, 5, 'k'));
	REQUIRE(reads_back(place + 32, 16, 'k'));
	REQUIRE(CHECK_EQUAL(blk_read(&disk, place + 5, other, 27),
			    VIRTIO_BLK_S_OK));
	CHECK(bytes_are(other, 0, 27 * SECTOR));
	/* And it can be written again. */
	REQUIRE(write_pattern(place + 8, 2, 'l'));
	REQUIRE(reads_back(place + 8, 2, 'l'));
	holds('k', place, 5);
	holds('0', place + 5, 3);
	holds('l', place + 8, 2);
	holds('0', place + 10, 22);
	holds('k', place + 32, 16);
}

static void write_zeroes(void)
{
	zeroes_at(PLACE_ZEROES, 0);
}

static void write_zeroes_unmap(void)
{
	zeroes_at(PLACE_ZEROES + 1024, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);
}

/* What is discarded may read as anything; what lies around it may not. */
static void discard(void)
{
	if (!(disk.features & VIRTIO_BIT(VIRTIO_BLK_F_DISCARD)))
		SKIP("DISCARD is not offered");
	REQUIRE(write_pattern(PLACE_DISCARD, 255, 'm'));
	CHECK_EQUAL(blk_range(&disk, VIRTIO_BLK_T_DISCARD, PLACE_DISCARD + 3,
			      200, 0),
		    VIRTIO_BLK_S_OK);
	REQUIRE(reads_back(PLACE_DISCARD, 3, 'm'));
	REQUIRE(reads_back(PLACE_DISCARD + 203, 52, 'm'));
	REQUIRE(CHECK_EQUAL(blk_read(&disk, PLACE_DISCARD + 3, other, 200),
			    VIRTIO_BLK_S_OK));
	REQUIRE(write_pattern(PLACE_DISCARD + 64, 2, 'n'));
	REQUIRE(reads_back(PLACE_DISCARD + 64, 2, 'n'));
	holds('m', PLACE_DISCARD, 3);
	holds('n', PLACE_DISCARD + 64, 2);
	holds('m', PLACE_DISCARD + 203, 52);
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(one_sector),
		TEST(many_sectors),
		TEST(last_sector),
		TEST(odd_pieces),
		TEST(sixteen_byte_pieces),
		TEST(header_and_status_anywhere),
		TEST(two_hundred_segments),
		TEST(indirect),
		TEST(indirect_behind_direct),
		TEST(many_in_flight),
		TEST(write_zeroes),
		TEST(write_zeroes_unmap),
		TEST(discard),
		TEST(flush),
	};

	if (!blk_open(&disk, 0, BLK_FEATURES))
		test_report("open", "no disk, or it refuses");
	else
		tests_run_natively(tests, ARRAY_LENGTH(tests));
}

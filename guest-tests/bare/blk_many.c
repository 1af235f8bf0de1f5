/*
 * As many disks as the command line's disks= says: there, in the order of
 * their serial numbers disk-0, disk-1, ..., each with an interrupt of its own.
 */
#include "runtime/blk.h"
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/test.h"

#define SECONDS 5
#define PLACE	12500

static struct blk disks[BLK_DISKS_MAX];
static unsigned int count;
static uint8_t sector[SECTOR] __attribute__((aligned(8)));

/* Of the disk that is being tested. */
static struct virtio *interrupting;
static volatile unsigned int interrupts;

static void on_interrupt(void)
{
	virtio_write(interrupting, VIRTIO_MMIO_INTERRUPT_ACK,
		     virtio_read(interrupting, VIRTIO_MMIO_INTERRUPT_STATUS));
	interrupts++;
}

static void all_there(void)
{
	struct virtio one_more;

	for (unsigned int i = 0; i < count; i++)
		REQUIRE(blk_open(&disks[i], i, BLK_FEATURES));
	CHECK(!virtio_find(VIRTIO_ID_BLOCK, count, &one_more));
}

static void in_order(void)
{
	for (unsigned int i = 0; i < count; i++) {
		char id[VIRTIO_BLK_ID_BYTES + 4] = "", want[8] = "disk-";
		struct piece piece = {id, VIRTIO_BLK_ID_BYTES, true};

		want[5] = (char)(i < 10 ? '0' + i : '1');
		want[6] = (char)(i < 10 ? '\0' : '0' + i - 10);
		CHECK_EQUAL(blk_do(&disks[i], VIRTIO_BLK_T_GET_ID, 0, &piece,
				   1),
			    VIRTIO_BLK_S_OK);
		if (!CHECK(text_equal(id, want)))
			print("# disk %u is called %s\n", i, id);
	}
}

static void each_its_own(void)
{
	for (unsigned int i = 0; i < count; i++) {
		pattern_fill(sector, PLACE, 1, (char)('A' + i));
		CHECK_EQUAL(blk_write(&disks[i], PLACE, sector, 1),
			    VIRTIO_BLK_S_OK);
	}
	for (unsigned int i = 0; i < count; i++) {
		CHECK_EQUAL(blk_read(&disks[i], PLACE, sector, 1),
			    VIRTIO_BLK_S_OK);
		CHECK(pattern_holds(sector, PLACE, 1, (char)('A' + i)));
		print("# holds %u %c %u 1\n", i, (char)('A' + i), PLACE);
	}
}

static void each_interrupts(void)
{
	for (unsigned int i = 0; i < count; i++) {
		bool came;

		interrupting = &disks[i].virtio;
		interrupts = 0;
		interrupt_connect(interrupting->irq, on_interrupt);
		*disks[i].queue.avail_flags = 0;
		CHECK_EQUAL(blk_read(&disks[i], 0, sector, 1), VIRTIO_BLK_S_OK);
		interrupts_on();
		came = WAIT_UNTIL(interrupts, SECONDS);
		interrupts_off();
		CHECK(came);
		CHECK_EQUAL(interrupts, 1);
		*disks[i].queue.avail_flags = VRING_AVAIL_F_NO_INTERRUPT;
	}
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(all_there),
		TEST(in_order),
		TEST(each_its_own),
		TEST(each_interrupts),
	};

	count = (unsigned int)option_number("disks", 1);
	if (count > BLK_DISKS_MAX)
		test_report("open", "disks= is more than 16");
	else
		tests_run(tests, ARRAY_LENGTH(tests));
}

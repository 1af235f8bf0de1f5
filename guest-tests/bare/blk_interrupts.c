/*
 * A disk's interrupts: they arrive at the CPU through the interrupt
 * controller, only when asked for, with InterruptStatus saying why; and the
 * two event indices of EVENT_IDX (2.7.7, 2.7.10).
 */
#include "runtime/blk.h"
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/test.h"

#define SECONDS	 3
#define QUIET_US 20000

static struct blk disk;
static struct virtio_blk_outhdr headers[16];
static volatile uint8_t status[16];
static volatile unsigned int interrupts, reasons;
static volatile bool time_is_up;

UNCLEARED static uint8_t data[16][SECTOR];

static void on_interrupt(void)
{
	uint32_t why = virtio_read(&disk.virtio, VIRTIO_MMIO_INTERRUPT_STATUS);

	reasons |= why;
	virtio_write(&disk.virtio, VIRTIO_MMIO_INTERRUPT_ACK, why);
	interrupts++;
}

static void on_timer(void)
{
	time_is_up = true;
}

/* Gives an interrupt that should not come the time to come. */
static void wait_quietly(void)
{
	uint64_t since = clock_ticks();

	interrupts_on();
	while (clock_ticks() - since <
	       clock_ticks_per_second() / 1000000 * QUIET_US)
		cpu_relax();
	interrupts_off();
}

/*
 * After the reset no more is raised; but what was raised before may still be
 * on its way through the interrupt controller.
 */
static bool start(uint64_t features)
{
	if (!blk_restart(&disk, features))
		return false;
	wait_quietly();
	interrupts = reasons = 0;
	return true;
}

/* Makes request @nth available; the doorbell is the caller's. */
static void offer(unsigned int nth)
{
	const struct piece pieces[] = {
		{&headers[nth], sizeof(headers[nth]), false},
		{data[nth], SECTOR, true},
		{&status[nth], 1, true},
	};

	headers[nth] = (struct virtio_blk_outhdr){.type = VIRTIO_BLK_T_IN,
						  .sector = nth};
	queue_chain(&disk.queue, (uint16_t)(3 * nth), pieces, 3);
	queue_offer(&disk.queue, (uint16_t)(3 * nth));
}

static bool take_used(unsigned int count)
{
	struct vring_used_elem used;

	while (count--)
		if (!queue_wait_used(&disk.queue, &used))
			return false;
	return true;
}

/* Interrupts on until @count came, or for the seconds that are too many. */
static bool wait_interrupts(unsigned int count)
{
	bool held;

	interrupts_on();
	held = WAIT_UNTIL(interrupts >= count, SECONDS);
	interrupts_off();
	return held;
}

static void for_a_request(void)
{
	REQUIRE(start(BLK_FEATURES));
	*disk.queue.avail_flags = 0;
	offer(0);
	queue_kick(&disk.queue);
	REQUIRE(wait_interrupts(1));
	CHECK_EQUAL(reasons, VIRTIO_MMIO_INT_VRING);
	REQUIRE(take_used(1));
	CHECK_EQUAL(status[0], VIRTIO_BLK_S_OK);
	CHECK_EQUAL(virtio_read(&disk.virtio, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	wait_quietly();
	CHECK_EQUAL(interrupts, 1);
}

static void for_each_of_many(void)
{
	REQUIRE(start(BLK_FEATURES));
	*disk.queue.avail_flags = 0;
	for (unsigned int i = 0; i < 16; i++) {
		offer(i);
		queue_kick(&disk.queue);
		REQUIRE(wait_interrupts(i + 1));
		REQUIRE(take_used(1));
	}
	CHECK_EQUAL(interrupts, 16);
}

static void wakes_a_halted_cpu(void)
{
	REQUIRE(start(BLK_FEATURES));
	*disk.queue.avail_flags = 0;
	offer(0);
	queue_kick(&disk.queue);
	/* The timer, so that a CPU that nothing wakes does not sleep forever.
	 */
	time_is_up = false;
	timer_start(SECONDS * 1000000ULL, on_timer);
	while (!interrupts && !time_is_up)
		interrupts_wait();
	CHECK_EQUAL(interrupts, 1);
	REQUIRE(take_used(1));
}

static void not_when_unwanted(void)
{
	REQUIRE(start(BLK_FEATURES));
	*disk.queue.avail_flags = VRING_AVAIL_F_NO_INTERRUPT;
	offer(0);
	queue_kick(&disk.queue);
	REQUIRE(take_used(1));
	wait_quietly();
	CHECK_EQUAL(interrupts, 0);
}

static void status_stays_until_acknowledged(void)
{
	REQUIRE(start(BLK_FEATURES));
	*disk.queue.avail_flags = 0;
	offer(0);
	queue_kick(&disk.queue);
	REQUIRE(take_used(1));
	REQUIRE(WAIT_UNTIL(virtio_read(&disk.virtio,
				       VIRTIO_MMIO_INTERRUPT_STATUS) ==
				   VIRTIO_MMIO_INT_VRING,
			   SECONDS));
	virtio_write(&disk.virtio, VIRTIO_MMIO_INTERRUPT_ACK, 2);
	CHECK_EQUAL(virtio_read(&disk.virtio, VIRTIO_MMIO_INTERRUPT_STATUS),
		    VIRTIO_MMIO_INT_VRING);
	virtio_write(&disk.virtio, VIRTIO_MMIO_INTERRUPT_ACK, 1);
	CHECK_EQUAL(virtio_read(&disk.virtio, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	/* The edge is still pending at the controller: let it come. */
	wait_quietly();
}

static void reset_clears_the_status(void)
{
	REQUIRE(start(BLK_FEATURES));
	*disk.queue.avail_flags = 0;
	offer(0);
	queue_kick(&disk.queue);
	REQUIRE(take_used(1));
	virtio_reset(&disk.virtio);
	CHECK_EQUAL(virtio_read(&disk.virtio, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	wait_quietly();
}

#define EVENT_IDX VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX)

static bool do_request(unsigned int nth)
{
	offer(nth);
	queue_kick(&disk.queue);
	return take_used(1);
}

/* used_event says after which used entry an interrupt shall come. */
static void used_event(void)
{
	REQUIRE(start(BLK_FEATURES | EVENT_IDX));
	if (!(disk.features & EVENT_IDX))
		SKIP("EVENT_IDX is not offered");
	REQUIRE(do_request(0));
	REQUIRE(wait_interrupts(1));
	*disk.queue.used_event = 3;
	REQUIRE(do_request(1) && do_request(2));
	wait_quietly();
	CHECK_EQUAL(interrupts, 1);
	REQUIRE(do_request(3));
	REQUIRE(wait_interrupts(2));
	REQUIRE(do_request(4));
	wait_quietly();
	CHECK_EQUAL(interrupts, 2);
}

/* avail_event says from which available entry on the device wants to know. */
static void avail_event(void)
{
	REQUIRE(start(BLK_FEATURES | EVENT_IDX));
	if (!(disk.features & EVENT_IDX))
		SKIP("EVENT_IDX is not offered");
	for (uint16_t i = 0; i < 16; i++) {
		/* It has seen all so far, so it must ask for the next one. */
		REQUIRE(WAIT_UNTIL(*disk.queue.avail_event == i, SECONDS));
		offer(i);
		queue_kick(&disk.queue);
		REQUIRE(take_used(1));
		CHECK_EQUAL(status[i], VIRTIO_BLK_S_OK);
	}
}

/* A doorbell where the device does not ask for one, and twice where it does. */
static void too_many_doorbells(void)
{
	REQUIRE(start(BLK_FEATURES));
	for (unsigned int i = 0; i < 100; i++)
		queue_kick(&disk.queue);
	offer(0);
	queue_kick(&disk.queue);
	queue_kick(&disk.queue);
	REQUIRE(take_used(1));
	queue_kick(&disk.queue);
	CHECK(!virtio_needs_reset(&disk.virtio));
	CHECK_EQUAL(*disk.queue.used_idx, 1);
}

/* 2.1.2: a device that needs a reset says so by a configuration interrupt. */
static void for_a_needed_reset(void)
{
	REQUIRE(start(BLK_FEATURES));
	*disk.queue.avail_flags = 0;
	queue_offer(&disk.queue, 0xffff);
	queue_kick(&disk.queue);
	REQUIRE(wait_interrupts(1));
	CHECK(reasons & VIRTIO_MMIO_INT_CONFIG);
	CHECK(virtio_needs_reset(&disk.virtio));
	REQUIRE(start(BLK_FEATURES));
	offer(0);
	queue_kick(&disk.queue);
	REQUIRE(take_used(1));
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(for_a_request),
		TEST(for_each_of_many),
		TEST(wakes_a_halted_cpu),
		TEST(not_when_unwanted),
		TEST(status_stays_until_acknowledged),
		TEST(reset_clears_the_status),
		TEST(used_event),
		TEST(avail_event),
		TEST(too_many_doorbells),
		TEST(for_a_needed_reset),
	};

	if (!blk_open(&disk, 0, BLK_FEATURES)) {
		test_report("open", "no disk, or it refuses");
		return;
	}
	interrupt_connect(disk.virtio.irq, on_interrupt);
	tests_run(tests, ARRAY_LENGTH(tests));
}

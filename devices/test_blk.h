/*
 * devices/test_blk.h - a virtio-blk device with a disk in memory, and a driver
 * that sends it requests and waits for their interrupts, for the unit tests.
 */
#ifndef DEVICES_TEST_BLK_H
#define DEVICES_TEST_BLK_H

#include <linux/virtio_blk.h>
#include <poll.h>

#include "devices/test_block.h"
#include "devices/test_driver.h"
#include "devices/virtio_blk.h"

#define FEATURE(name) (1ULL << (name))
#define VERSION_1     FEATURE(VIRTIO_F_VERSION_1)
#define EVENT_IDX     FEATURE(VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT      FEATURE(VIRTIO_RING_F_INDIRECT_DESC)
#define FLUSH	      FEATURE(VIRTIO_BLK_F_FLUSH)
#define CONFIG_WCE    FEATURE(VIRTIO_BLK_F_CONFIG_WCE)
#define USUAL                                       \
	(VERSION_1 | EVENT_IDX | INDIRECT | FLUSH | \
	 FEATURE(VIRTIO_BLK_F_DISCARD) | FEATURE(VIRTIO_BLK_F_WRITE_ZEROES))

#define WRITE	   VRING_DESC_F_WRITE
#define DISK_SIZE  (16 * MIB)
#define QUEUE_SIZE 256U
#define HEADER	   0x80000 /* guest addresses */
#define STATUS	   0x80100
#define DATA	   0x90000
#define DATA_SIZE  0x10000
#define WAIT_MS	   10000

#define NO_STATUS 0xee

struct bench {
	struct test_ram ram;
	struct test_queue queues[4];
	unsigned int queue_count;
	struct block disk;
	struct virtio_blk *blk;
	struct virtio_mmio *mmio;
	int irq_fd;
};

static inline bool bench_init_with(struct bench *bench, unsigned int queues,
				   bool read_only)
{
	struct virtio_blk_options options = {
		.disk = &bench->disk,
		.index = 3,
		.queues = queues,
		.serial = "serial-0123456789",
		.may_spin = true,
	};
	struct irq_line irq = {test_irq_raise, &bench->irq_fd};

	*bench = (struct bench){.queue_count = queues,
				.irq_fd = fd_event_new()};
	if (!test_ram_init(&bench->ram) ||
	    !test_block_init(&bench->disk, DISK_SIZE))
		return false;
	bench->disk.read_only = read_only;
	for (unsigned int i = 0; i < queues; i++)
		test_queue_init(&bench->queues[i], &bench->ram, QUEUE_SIZE);
	return CHECK(!virtio_blk_new(&options, &bench->blk, NULL)) &&
	       CHECK(!virtio_mmio_new(virtio_blk_device(bench->blk),
				      &bench->ram.memory, &irq, &bench->mmio,
				      NULL));
}

static inline bool bench_init(struct bench *bench)
{
	return bench_init_with(bench, 1, false);
}

static inline void bench_fini(struct bench *bench)
{
	virtio_mmio_free(bench->mmio);
	virtio_blk_free(bench->blk);
	fd_close(&bench->irq_fd);
	test_block_fini(&bench->disk);
	test_ram_fini(&bench->ram);
}

/* (Re)starts the device with fresh rings. */
static inline bool start(struct bench *bench, uint64_t features)
{
	/* The rings are the driver's again only after a reset. */
	test_mmio_write(bench->mmio, VIRTIO_MMIO_STATUS, 0);
	for (unsigned int i = 0; i < bench->queue_count; i++)
		test_queue_clear(&bench->queues[i]);
	return test_mmio_start(bench->mmio, features, bench->queues,
			       bench->queue_count);
}

static inline uint8_t *at(struct bench *bench, gpa_t gpa)
{
	return test_ram_at(&bench->ram, gpa);
}

static inline uint32_t device_status(struct bench *bench)
{
	return test_mmio_read(bench->mmio, VIRTIO_MMIO_STATUS);
}

/* Waits for the interrupt and acknowledges it; false: it did not come. */
static inline bool wait_interrupt(struct bench *bench)
{
	struct pollfd irq = {bench->irq_fd, POLLIN, 0};

	if (!CHECK(poll(&irq, 1, WAIT_MS) == 1))
		return false;
	fd_event_clear(bench->irq_fd);
	test_mmio_write(bench->mmio, VIRTIO_MMIO_INTERRUPT_ACK,
			test_mmio_read(bench->mmio,
				       VIRTIO_MMIO_INTERRUPT_STATUS));
	return true;
}

/* --- Requests ------------------------------------------------------------- */

struct request {
	uint32_t type;
	uint64_t sector;
	uint32_t data_length; /* at DATA, in one piece; 0: no data piece */
	uint16_t data_flags;  /* 0 or WRITE */
};

static inline void put_header(struct bench *bench, uint32_t type,
			      uint64_t sector)
{
	const struct virtio_blk_outhdr header = {
		.type = htole32(type),
		.sector = htole64(sector),
	};

	memcpy(at(bench, HEADER), &header, sizeof(header));
	*at(bench, STATUS) = NO_STATUS;
}

static inline void submit(struct bench *bench, unsigned int queue,
			  uint16_t head)
{
	test_set_used_event(&bench->queues[queue],
			    bench->queues[queue].used_seen);
	test_offer(&bench->queues[queue], head);
	test_kick(bench->mmio, queue);
}

/* Waits for the completion of @head; the used length, or UINT32_MAX. */
static inline uint32_t finish(struct bench *bench, unsigned int queue,
			      uint16_t head)
{
	uint32_t used_head, written;

	do
		if (!wait_interrupt(bench))
			return UINT32_MAX;
	while (!test_used(&bench->queues[queue], &used_head, &written));
	CHECK_EQUAL(used_head, head);
	return written;
}

/* The whole way of one request; its status byte. */
static inline uint8_t run_on(struct bench *bench, unsigned int queue,
			     const struct request *request,
			     uint32_t *ret_written)
{
	const struct test_piece header = {HEADER, 16, 0};
	const struct test_piece data = {DATA, request->data_length,
					request->data_flags};
	const struct test_piece status = {STATUS, 1, WRITE};
	struct test_piece pieces[3] = {header, data, status};
	uint16_t head;

	put_header(bench, request->type, request->sector);
	if (!request->data_length)
		pieces[1] = status;
	head = test_chain(&bench->queues[queue], pieces,
			  request->data_length ? 3 : 2);
	submit(bench, queue, head);
	*ret_written = finish(bench, queue, head);
	return *at(bench, STATUS);
}

static inline uint8_t run(struct bench *bench, uint32_t type, uint64_t sector,
			  uint32_t data_length, uint16_t data_flags)
{
	const struct request request = {type, sector, data_length, data_flags};
	uint32_t written;

	return run_on(bench, 0, &request, &written);
}

static inline uint8_t run_read(struct bench *bench, uint64_t sector,
			       uint32_t length)
{
	return run(bench, VIRTIO_BLK_T_IN, sector, length, WRITE);
}

static inline uint8_t run_write(struct bench *bench, uint64_t sector,
				uint32_t length)
{
	return run(bench, VIRTIO_BLK_T_OUT, sector, length, 0);
}

/* 250 pieces of the same 64 KiB: more data than the guest has memory. */
static inline uint16_t chain_15_mib(struct bench *bench)
{
	struct test_piece pieces[252];

	pieces[0] = (struct test_piece){HEADER, 16, 0};
	for (unsigned int i = 1; i <= 250; i++)
		pieces[i] = (struct test_piece){DATA, DATA_SIZE, WRITE};
	pieces[251] = (struct test_piece){STATUS, 1, WRITE};
	put_header(bench, VIRTIO_BLK_T_IN, 0);
	return test_chain(&bench->queues[0], pieces, 252);
}

#endif

/*
 * runtime/blk.h - a virtio-blk disk (Virtual I/O Device specification 1.2,
 * 5.2), one request at a time, and text that says which sector it is.
 */
#ifndef RUNTIME_BLK_H
#define RUNTIME_BLK_H

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include "runtime/virtio.h"

#define SECTOR	      512
#define BLK_DISKS_MAX 16

/* What blk_do() says besides the three statuses of the specification. */
#define BLK_NEEDS_RESET 0x100 /* the device broke off */
#define BLK_NO_ANSWER	0x101 /* nothing in time */
#define BLK_WRONG_USED	0x102 /* a used entry of another chain */

/* The features that this driver can live with, EVENT_IDX aside. */
#define BLK_FEATURES                                      \
	(0xffff | VIRTIO_BIT(VIRTIO_BLK_F_WRITE_ZEROES) | \
	 VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC))

struct blk {
	struct virtio virtio;
	struct queue queue;
	struct queue_rings *rings;
	uint64_t features; /* as negotiated */
	uint64_t sectors;
	uint32_t written; /* the used entry's length, after blk_do() */
};

/*
 * Finds disk @nth and starts it with those of @features that it offers, and
 * VERSION_1; queue 0 alone, as large as it can be. False: no disk, or it
 * refuses.
 */
bool blk_open(struct blk *blk, unsigned int nth, uint64_t features);

/* The same again for a disk that was found: reset, negotiate, start. */
bool blk_restart(struct blk *blk, uint64_t features);

/*
 * One request: the header, @pieces, the status byte, in descriptors 0 and up.
 * The status that the device wrote, or one of BLK_*.
 */
unsigned int blk_do(struct blk *blk, uint32_t type, uint64_t sector,
		    const struct piece *pieces, unsigned int count);

unsigned int blk_read(struct blk *blk, uint64_t sector, void *buffer,
		      uint32_t sectors);
unsigned int blk_write(struct blk *blk, uint64_t sector, const void *buffer,
		       uint32_t sectors);
unsigned int blk_flush(struct blk *blk);

/* DISCARD or WRITE_ZEROES of one range. */
unsigned int blk_range(struct blk *blk, uint32_t type, uint64_t sector,
		       uint32_t sectors, uint32_t flags);

/* Waits for chain @head's end and tells what became of its @status byte. */
unsigned int blk_answer(struct blk *blk, uint16_t head,
			const volatile uint8_t *status);

/*
 * 16 bytes over and over, "sectorL00000042\n" with @letter and the sector's
 * number, so that data tells from where it is and who wrote it. The host's
 * scripts know the same text.
 */
void pattern_fill(void *buffer, uint64_t sector, uint32_t sectors, char letter);
bool pattern_holds(const void *buffer, uint64_t sector, uint32_t sectors,
		   char letter);
/* Is all of @length bytes (a multiple of 8) @byte? */
bool bytes_are(const void *buffer, uint8_t byte, uint32_t length);

#endif

/*
 * devices/virtio_mmio_page.h - what the driver of a virtio_mmio device reads:
 * its registers and its configuration space, as a page of memory.
 *
 * Offsets are those of <linux/virtio_mmio.h>. The guest may read the page at
 * any time, so each word changes at once, and is on its way out of the CPU's
 * cache when a function returns (base/clean.h); after virtio_mmio_page_set()
 * it is so when virtio_mmio_page_clean() returns. Any thread.
 */
#ifndef DEVICES_VIRTIO_MMIO_PAGE_H
#define DEVICES_VIRTIO_MMIO_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

#define VIRTIO_MMIO_PAGE 0x1000 /* bytes */

struct virtio_mmio_page {
	_Atomic uint32_t words[VIRTIO_MMIO_PAGE / 4]; /* little-endian */
};

/* All zero, aligned to its size; NULL: no memory. free() ends it. */
struct virtio_mmio_page *virtio_mmio_page_new(void);

/* An access of 1 to 8 bytes, wholly on the page. */
uint64_t virtio_mmio_page_read(const struct virtio_mmio_page *page,
			       uint64_t offset, unsigned int size);

/* A whole word. */
static inline void virtio_mmio_page_set(struct virtio_mmio_page *page,
					uint64_t offset, uint32_t value)
{
	atomic_store(&page->words[offset / 4], value);
}

void virtio_mmio_page_clean(const struct virtio_mmio_page *page);

/* Bits of a word that others change at the same time. */
void virtio_mmio_page_set_bits(struct virtio_mmio_page *page, uint64_t offset,
			       uint32_t bits);
void virtio_mmio_page_clear_bits(struct virtio_mmio_page *page, uint64_t offset,
				 uint32_t bits);

#endif

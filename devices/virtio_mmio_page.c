/* devices/virtio_mmio_page.c - see virtio_mmio_page.h. */
#include "devices/virtio_mmio_page.h"

#include <stdlib.h>
#include <string.h>

#include "base/clean.h"

struct virtio_mmio_page *virtio_mmio_page_new(void)
{
	struct virtio_mmio_page *page = aligned_alloc(VIRTIO_MMIO_PAGE,
						      sizeof(*page));

	if (page)
		memset(page, 0, sizeof(*page));
	return page;
}

uint64_t virtio_mmio_page_read(const struct virtio_mmio_page *page,
			       uint64_t offset, unsigned int size)
{
	uint64_t value = 0, byte;

	if (size == 4 && offset % 4 == 0)
		return page->words[offset / 4]; /* all of it at once */
	for (unsigned int i = 0; i < size; i++, offset++) {
		byte = page->words[offset / 4] >> 8 * (offset % 4) & 0xff;
		value |= byte << 8 * i;
	}
	return value;
}

void virtio_mmio_page_clean(const struct virtio_mmio_page *page)
{
	clean_from_cache(page, sizeof(*page));
}

void virtio_mmio_page_set_bits(struct virtio_mmio_page *page, uint64_t offset,
			       uint32_t bits)
{
	uint32_t before = atomic_fetch_or(&page->words[offset / 4], bits);

	if (bits & ~before)
		clean_from_cache(&page->words[offset / 4], sizeof(before));
}

void virtio_mmio_page_clear_bits(struct virtio_mmio_page *page, uint64_t offset,
				 uint32_t bits)
{
	atomic_fetch_and(&page->words[offset / 4], ~bits);
	clean_from_cache(&page->words[offset / 4], sizeof(bits));
}

/*
 * block/qcow2_counts.c - how often each cluster is referred to; see
 * qcow2_tables.h.
 *
 * As wide as the image's refcounts, so that what has room here has room there.
 * In pages, of which only those have memory that are not all zeroes: a file may
 * be huge and have next to nothing in it.
 */
#include "block/qcow2_tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096

static uint64_t per_page(const struct qcow2_counts *counts)
{
	return PAGE_BYTES * 8ULL >> counts->order;
}

int qcow2_counts_init(struct qcow2_counts *counts, unsigned int order,
		      uint64_t clusters, uint64_t bytes_max)
{
	*counts = (struct qcow2_counts){
		.order = order,
		.pages_left = bytes_max / PAGE_BYTES,
	};
	return qcow2_counts_grow(counts, max_u64(clusters, 1));
}

void qcow2_counts_clear(struct qcow2_counts *counts)
{
	for (uint64_t i = 0; i < counts->page_count; i++) {
		counts->pages_left += counts->pages[i] != NULL;
		free(counts->pages[i]);
		counts->pages[i] = NULL;
	}
}

void qcow2_counts_fini(struct qcow2_counts *counts)
{
	qcow2_counts_clear(counts);
	free(counts->pages);
	*counts = (struct qcow2_counts){0};
}

int qcow2_counts_grow(struct qcow2_counts *counts, uint64_t clusters)
{
	uint64_t old = counts->page_count, count;
	uint8_t **pages;

	if (clusters <= counts->clusters)
		return 0;
	if (clusters > QCOW2_COUNTS_MAX)
		return -EFBIG;
	count = div_round_up(clusters, per_page(counts));
	if (count > old) {
		/* Most of a large one is never touched. */
		pages = calloc(count, sizeof(*pages));
		if (!pages)
			return -ENOMEM;
		if (old)
			memcpy(pages, counts->pages, old * sizeof(*pages));
		free(counts->pages);
		counts->pages = pages;
		counts->page_count = count;
	}
	counts->clusters = clusters;
	return 0;
}

static uint8_t *find_page(const struct qcow2_counts *counts, uint64_t cluster)
{
	uint64_t index = cluster / per_page(counts);

	return index < counts->page_count ? counts->pages[index] : NULL;
}

uint64_t qcow2_counts_get(const struct qcow2_counts *counts, uint64_t cluster)
{
	const uint8_t *page = find_page(counts, cluster);

	return page ? qcow2_refcount_read(page, cluster % per_page(counts),
					  counts->order)
		    : 0;
}

int qcow2_counts_set(struct qcow2_counts *counts, uint64_t cluster,
		     uint64_t count)
{
	uint8_t *page = find_page(counts, cluster);

	if (!page && !count)
		return 0;
	if (!page) {
		if (!counts->pages_left)
			return -EFBIG;
		page = calloc(1, PAGE_BYTES);
		if (!page)
			return -ENOMEM;
		counts->pages_left--;
		counts->pages[cluster / per_page(counts)] = page;
	}
	qcow2_refcount_write(page, cluster % per_page(counts), counts->order,
			     count);
	return 0;
}

uint64_t qcow2_counts_max(const struct qcow2_counts *counts)
{
	return UINT64_MAX >> (64 - (1U << counts->order));
}

uint64_t qcow2_counts_next(const struct qcow2_counts *counts, uint64_t cluster,
			   uint64_t end)
{
	uint64_t step = per_page(counts);

	end = min_u64(end, counts->clusters);
	while (cluster < end) {
		if (!find_page(counts, cluster))
			cluster = (cluster / step + 1) * step;
		else if (!qcow2_counts_get(counts, cluster))
			cluster++;
		else
			return cluster;
	}
	return end;
}

uint64_t qcow2_counts_end(const struct qcow2_counts *counts)
{
	uint64_t step = per_page(counts), end = counts->clusters;

	while (end && !qcow2_counts_get(counts, end - 1))
		end = find_page(counts, end - 1) ? end - 1
						 : (end - 1) / step * step;
	return end;
}

void qcow2_counts_copy(const struct qcow2_counts *counts, uint64_t first,
		       uint64_t length, uint8_t *ret_bytes)
{
	uint64_t in_page = (first << counts->order) / 8 % PAGE_BYTES;
	const uint8_t *page;
	uint64_t part;

	for (; length; ret_bytes += part, length -= part, in_page = 0) {
		part = min_u64(length, PAGE_BYTES - in_page);
		page = find_page(counts, first);
		if (page)
			memcpy(ret_bytes, page + in_page, part);
		else
			memset(ret_bytes, 0, part);
		first += part * 8 >> counts->order;
	}
}

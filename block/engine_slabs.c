/* block/engine_slabs.c - see engine_slabs.h. */
#include "block/engine_slabs.h"

#include <stdlib.h>

#include "base/math.h"

/* What all kernels take as one buffer. */
#define SLAB GIB

void slabs_init(struct slabs *slabs, const struct iovec *memory, size_t count)
{
	*slabs = (struct slabs){0};
	for (size_t i = 0; i < count && i < BLOCK_PINNED_MAX; i++) {
		slabs->rows[slabs->row_count++] = (struct slab_row){
			.start = memory[i].iov_base,
			.length = memory[i].iov_len,
			.first = slabs->count,
		};
		slabs->count += (unsigned int)div_round_up(memory[i].iov_len,
							   SLAB);
	}
}

static void describe_row(const struct slab_row *row, struct iovec *ret_buffers)
{
	for (uint64_t at = 0; at < row->length; at += SLAB)
		*ret_buffers++ = (struct iovec){
			.iov_base = row->start + at,
			.iov_len = min_u64(SLAB, row->length - at),
		};
}

void slabs_register(struct slabs *slabs, struct io_uring *ring)
{
	struct iovec *buffers;

	if (!slabs->count)
		return;
	buffers = calloc(slabs->count, sizeof(*buffers));
	for (unsigned int i = 0; buffers && i < slabs->row_count; i++)
		describe_row(&slabs->rows[i], buffers + slabs->rows[i].first);
	if (!buffers || io_uring_register_buffers(ring, buffers, slabs->count))
		*slabs = (struct slabs){0};
	free(buffers);
}

int slabs_find(const struct slabs *slabs, const struct iovec *piece)
{
	const struct slab_row *row = slabs->rows;
	uint64_t offset, last;

	for (unsigned int i = 0; i < slabs->row_count; i++, row++) {
		offset = (uintptr_t)piece->iov_base - (uintptr_t)row->start;
		if (!range_fits(offset, piece->iov_len, row->length))
			continue;
		last = offset + piece->iov_len - 1;
		if (offset / SLAB != last / SLAB)
			return -1;
		return (int)(row->first + offset / SLAB);
	}
	return -1;
}

/* block/cursor.c - see cursor.h. */
#include "block/cursor.h"

#include <assert.h>
#include <string.h>

#include "base/math.h"

size_t cursor_take(struct cursor *cursor, uint64_t length,
		   struct iovec *ret_pieces, size_t room, uint64_t *ret_bytes)
{
	uint64_t bytes = 0;
	size_t used = 0, part;

	while (cursor->count && bytes < length && used < room) {
		part = min_u64(cursor->iov->iov_len - cursor->skip,
			       length - bytes);
		if (part) {
			ret_pieces[used].iov_base =
				(uint8_t *)cursor->iov->iov_base + cursor->skip;
			ret_pieces[used].iov_len = part;
			used++;
		}
		bytes += part;
		cursor->skip += part;
		if (cursor->skip == cursor->iov->iov_len) {
			cursor->iov++;
			cursor->count--;
			cursor->skip = 0;
		}
	}
	*ret_bytes = bytes;
	return used;
}

void cursor_skip(struct cursor *cursor, uint64_t length)
{
	struct iovec piece;
	uint64_t bytes;

	for (; length; length -= bytes) {
		cursor_take(cursor, length, &piece, 1, &bytes);
		assert(bytes);
	}
}

void cursor_fill(struct cursor *cursor, const void *data, size_t length)
{
	const uint8_t *from = data;
	struct iovec piece;
	uint64_t bytes;

	while (length) {
		cursor_take(cursor, length, &piece, 1, &bytes);
		assert(bytes);
		memcpy(piece.iov_base, from, bytes);
		from += bytes;
		length -= bytes;
	}
}

void cursor_zero(struct cursor *cursor, uint64_t length)
{
	struct iovec piece;
	uint64_t bytes;

	while (length) {
		cursor_take(cursor, length, &piece, 1, &bytes);
		assert(bytes);
		memset(piece.iov_base, 0, bytes);
		length -= bytes;
	}
}

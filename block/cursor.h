/*
 * block/cursor.h - a place in an iovec, which moves on as bytes are used.
 *
 * A request's iovec is used piece by piece, as its extents lie on the host;
 * a cursor makes that linear in the number of pieces. The iovec itself is
 * never changed.
 */
#ifndef BLOCK_CURSOR_H
#define BLOCK_CURSOR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct cursor {
	const struct iovec *iov; /* the piece that comes next */
	size_t count;		 /* pieces left */
	size_t skip;		 /* bytes of the first that were used */
};

static inline struct cursor cursor_make(const struct iovec *iov, size_t count)
{
	return (struct cursor){iov, count, 0};
}

/*
 * Moves over at most @length bytes in at most @room pieces, which are put into
 * @ret_pieces. Returns the number of pieces, and their bytes in @ret_bytes.
 */
size_t cursor_take(struct cursor *cursor, uint64_t length,
		   struct iovec *ret_pieces, size_t room, uint64_t *ret_bytes);

/* Moves over @length bytes, which must be there. */
void cursor_skip(struct cursor *cursor, uint64_t length);

/* Use the next @length bytes, which must be there. */
void cursor_fill(struct cursor *cursor, const void *data, size_t length);
void cursor_zero(struct cursor *cursor, uint64_t length);

#endif

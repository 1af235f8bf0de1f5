/* base/iov.c - see iov.h. */
#include "base/iov.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/math.h"

size_t iov_length(const struct iovec *iov, size_t count)
{
	size_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += iov[i].iov_len;
	return sum;
}

/* A walk over the pieces of bytes [skip, skip + length) of an iovec. */
struct iov_walk {
	const struct iovec *iov;
	size_t count;
	size_t skip;
	size_t left;
};

/* The next piece; false at the end of the range or of the iovec. */
static bool iov_walk_next(struct iov_walk *walk, struct iovec *ret_piece)
{
	while (walk->count && walk->skip >= walk->iov->iov_len) {
		walk->skip -= walk->iov->iov_len;
		walk->iov++;
		walk->count--;
	}
	if (!walk->count || !walk->left)
		return false;
	ret_piece->iov_base = (uint8_t *)walk->iov->iov_base + walk->skip;
	ret_piece->iov_len = min_u64(walk->iov->iov_len - walk->skip,
				     walk->left);
	walk->skip += ret_piece->iov_len;
	walk->left -= ret_piece->iov_len;
	return true;
}

size_t iov_slice(const struct iovec *iov, size_t count, size_t skip,
		 size_t length, struct iovec *ret_slice)
{
	struct iov_walk walk = {iov, count, skip, length};
	size_t used = 0;

	while (iov_walk_next(&walk, &ret_slice[used]))
		used++;
	assert(!walk.left);
	return used;
}

size_t iov_to_buffer(const struct iovec *iov, size_t count, size_t skip,
		     void *buffer, size_t length)
{
	struct iov_walk walk = {iov, count, skip, length};
	struct iovec piece;
	uint8_t *to = buffer;

	while (iov_walk_next(&walk, &piece)) {
		memcpy(to, piece.iov_base, piece.iov_len);
		to += piece.iov_len;
	}
	return length - walk.left;
}

size_t iov_from_buffer(const struct iovec *iov, size_t count, size_t skip,
		       const void *buffer, size_t length)
{
	struct iov_walk walk = {iov, count, skip, length};
	struct iovec piece;
	const uint8_t *from = buffer;

	while (iov_walk_next(&walk, &piece)) {
		memcpy(piece.iov_base, from, piece.iov_len);
		from += piece.iov_len;
	}
	return length - walk.left;
}

size_t iov_zero(const struct iovec *iov, size_t count, size_t skip,
		size_t length)
{
	struct iov_walk walk = {iov, count, skip, length};
	struct iovec piece;

	while (iov_walk_next(&walk, &piece))
		memset(piece.iov_base, 0, piece.iov_len);
	return length - walk.left;
}

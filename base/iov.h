/*
 * base/iov.h - pieces of memory that together make one buffer (struct iovec).
 *
 * Pure functions on arrays that the caller owns; none allocates.
 */
#ifndef BASE_IOV_H
#define BASE_IOV_H

#include <stddef.h>
#include <sys/uio.h>

/* The sum of the lengths. The caller knows that it does not overflow. */
size_t iov_length(const struct iovec *iov, size_t count);

/*
 * Describes bytes [skip, skip + length) of @iov in @ret_slice, which has room
 * for @count pieces. Returns the number of pieces used; empty ones are left
 * out. The slice must lie within @iov.
 */
size_t iov_slice(const struct iovec *iov, size_t count, size_t skip,
		 size_t length, struct iovec *ret_slice);

/*
 * Copy between a flat buffer and bytes [skip, ...) of @iov. Each returns how
 * much was copied: less than @length only where @iov ended first.
 */
size_t iov_to_buffer(const struct iovec *iov, size_t count, size_t skip,
		     void *buffer, size_t length);
size_t iov_from_buffer(const struct iovec *iov, size_t count, size_t skip,
		       const void *buffer, size_t length);

/* Zeroes bytes [skip, skip + length); returns how much was zeroed. */
size_t iov_zero(const struct iovec *iov, size_t count, size_t skip,
		size_t length);

#endif

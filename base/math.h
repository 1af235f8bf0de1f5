/*
 * base/math.h - arithmetic on sizes and offsets that says when it overflows.
 *
 * Everything here is a pure function. Offsets that come from a guest or from
 * an image are added with add_fits() or judged with range_fits(), never bare.
 */
#ifndef BASE_MATH_H
#define BASE_MATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIB 1024ULL
#define MIB (1024ULL * KIB)
#define GIB (1024ULL * MIB)

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* a + b into *ret_sum; false, and *ret_sum unspecified, if it overflows. */
static inline bool add_fits(uint64_t a, uint64_t b, uint64_t *ret_sum)
{
	return !__builtin_add_overflow(a, b, ret_sum);
}

static inline bool mul_fits(uint64_t a, uint64_t b, uint64_t *ret_product)
{
	return !__builtin_mul_overflow(a, b, ret_product);
}

/* Does [offset, offset + length) lie within [0, limit)? */
static inline bool range_fits(uint64_t offset, uint64_t length, uint64_t limit)
{
	return offset <= limit && length <= limit - offset;
}

static inline bool is_power_of_two(uint64_t value)
{
	return value && !(value & (value - 1));
}

/* @alignment is a power of two in the four below. */
static inline bool is_aligned(uint64_t value, uint64_t alignment)
{
	return !(value & (alignment - 1));
}

static inline uint64_t align_down(uint64_t value, uint64_t alignment)
{
	return value & ~(alignment - 1);
}

/* The caller knows that @value + @alignment does not overflow. */
static inline uint64_t align_up(uint64_t value, uint64_t alignment)
{
	return align_down(value + alignment - 1, alignment);
}

static inline uint64_t div_round_up(uint64_t value, uint64_t divisor)
{
	return value / divisor + !!(value % divisor);
}

#endif

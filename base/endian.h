/*
 * base/endian.h - integers in a fixed byte order, as types of their own.
 *
 * Each type is a struct around a byte array: it has no alignment, it can stand
 * in the struct of an on-disk or in-guest format, and reading it without the
 * swap does not compile: `le32_get(field)`, `le32_make(value)`.
 */
#ifndef BASE_ENDIAN_H
#define BASE_ENDIAN_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define ENDIAN_TYPE(order, order_of, host_of, bits)                        \
	typedef struct {                                                   \
		uint8_t bytes[bits / 8];                                   \
	} order##bits;                                                     \
	static inline uint##bits##_t order##bits##_get(order##bits value)  \
	{                                                                  \
		uint##bits##_t raw;                                        \
		memcpy(&raw, value.bytes, sizeof(raw));                    \
		return host_of(raw);                                       \
	}                                                                  \
	static inline order##bits order##bits##_make(uint##bits##_t value) \
	{                                                                  \
		uint##bits##_t raw = order_of(value);                      \
		order##bits made;                                          \
		memcpy(made.bytes, &raw, sizeof(raw));                     \
		return made;                                               \
	}

/* be16/be32/be64, le16/le32/le64, each with _get() and _make(). */
ENDIAN_TYPE(be, htobe16, be16toh, 16)
ENDIAN_TYPE(be, htobe32, be32toh, 32)
ENDIAN_TYPE(be, htobe64, be64toh, 64)
ENDIAN_TYPE(le, htole16, le16toh, 16)
ENDIAN_TYPE(le, htole32, le32toh, 32)
ENDIAN_TYPE(le, htole64, le64toh, 64)

#endif

/*
 * block/img_size.h - sizes as qemu-img and qemu-io read and print them.
 *
 * Pure functions.
 */
#ifndef BLOCK_IMG_SIZE_H
#define BLOCK_IMG_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A number of bytes: decimal, with a fraction if a suffix follows, or
 * hexadecimal with 0x; B, K, M, G, T, P or E behind it, in either case, are
 * powers of 1024. False if it is not that, or 2^63 or more.
 */
bool img_size_parse(const char *text, uint64_t *ret_bytes);

#define IMG_SIZE_TEXT_MAX 40

/* "1.5 GiB": three digits, as qemu-img prints. */
const char *img_size_text(uint64_t bytes, char text[IMG_SIZE_TEXT_MAX]);

/* "1.500 GiB", "512 bytes": three places or none, as qemu-io prints. */
const char *img_size_io_text(double bytes, char text[IMG_SIZE_TEXT_MAX]);

#endif

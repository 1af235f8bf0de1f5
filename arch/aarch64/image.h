/*
 * arch/aarch64/image.h - the header of an arm64 kernel Image (Linux:
 * Documentation/arch/arm64/booting.rst, "Call the kernel image").
 *
 * Pure; the header may be hostile.
 */
#ifndef ARCH_AARCH64_IMAGE_H
#define ARCH_AARCH64_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define IMAGE_ALIGNMENT 0x200000ULL /* of what text_offset counts from */

struct image {
	/* From a multiple of IMAGE_ALIGNMENT; less than that itself. */
	uint64_t text_offset;
	/* That the kernel occupies, at least the file; at most 4 GiB. */
	uint64_t memory_size;
	/*
	 * Linux before 4.6: wants to be at the start of RAM, and the FDT and
	 * the initrd within the first 512 MiB from there.
	 */
	bool old;
};

/* Names the kernel @path in the sentence. -EINVAL if it cannot be run here. */
int image_parse(const char *path, const uint8_t *data, size_t size,
		struct image *ret_image, struct err *err);

#endif

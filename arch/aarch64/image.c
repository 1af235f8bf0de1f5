/*
 * arch/aarch64/image.c - reads the Image header and refuses, by name, what is
 * not a kernel for a little-endian arm64 machine.
 */
#include "arch/aarch64/image.h"

#include <errno.h>
#include <string.h>

#include "arch/kernel_form.h"
#include "base/endian.h"
#include "base/math.h"

struct image_header {
	uint8_t code[8];
	le64 text_offset;
	le64 image_size;
	le64 flags;
	uint8_t reserved[24];
	uint8_t magic[4];
	uint8_t pe_offset[4];
};

#define FLAG_BIG_ENDIAN (1ULL << 0)
#define FLAG_ANYWHERE	(1ULL << 3) /* set since Linux 4.6 */

/* Before Linux 3.17 image_size is 0 and text_offset in no known byte order. */
#define TEXT_OFFSET_BEFORE_3_17 0x80000

/* A kernel addresses itself by ADRP, which reaches 4 GiB. */
#define MEMORY_SIZE_MAX (4 * GIB)

static int check_header(const char *path, const uint8_t *data, size_t size,
			const struct image_header *header, struct err *err)
{
	if (size < sizeof(*header) || memcmp(header->magic, "ARM\x64", 4))
		return err_set(err, EINVAL,
			       "kernel %s is %s; an aarch64 machine boots an "
			       "arm64 Image, plain, gzip'd, zstd-compressed or "
			       "as EFI zboot",
			       path, kernel_form_name(data, size));
	if (le64_get(header->flags) & FLAG_BIG_ENDIAN)
		return err_set(err, EINVAL,
			       "kernel %s is a big-endian arm64 Image; only "
			       "little-endian ones can be booted",
			       path);
	return 0;
}

int image_parse(const char *path, const uint8_t *data, size_t size,
		struct image *ret_image, struct err *err)
{
	struct image_header header = {0};
	uint64_t image_size;
	int ret;

	memcpy(&header, data, min_u64(size, sizeof(header)));
	ret = check_header(path, data, size, &header, err);
	if (ret)
		return ret;

	image_size = le64_get(header.image_size);
	*ret_image = (struct image){
		.text_offset = image_size ? le64_get(header.text_offset)
					  : TEXT_OFFSET_BEFORE_3_17,
		.memory_size = max_u64(image_size, size),
		.old = !image_size || !(le64_get(header.flags) & FLAG_ANYWHERE),
	};
	if (ret_image->text_offset >= IMAGE_ALIGNMENT ||
	    ret_image->memory_size > MEMORY_SIZE_MAX)
		return err_set(
			err, EINVAL,
			"kernel %s has a broken header: text_offset %#llx "
			"and image_size %#llx are not those of a kernel",
			path, (unsigned long long)ret_image->text_offset,
			(unsigned long long)image_size);
	return 0;
}

/* arch/aarch64/image_test.c - Image headers: real ones, old ones, lying ones.*/
#include <errno.h>

#include "arch/aarch64/image.h"
#include "base/endian.h"
#include "base/math.h"
#include "base/test.h"

#define FILE_SIZE 4096

static uint8_t file[FILE_SIZE];

static void put_le64(size_t offset, uint64_t value)
{
	le64 raw = le64_make(value);

	memcpy(file + offset, &raw, sizeof(raw));
}

static int parse(uint64_t text_offset, uint64_t image_size, uint64_t flags,
		 struct image *ret_image)
{
	memset(file, 0, sizeof(file));
	memcpy(file + 56, "ARM\x64", 4);
	put_le64(8, text_offset);
	put_le64(16, image_size);
	put_le64(24, flags);
	return image_parse("test", file, sizeof(file), ret_image, NULL);
}

static void a_modern_header_is_understood(void)
{
	struct image image;

	CHECK_EQUAL(parse(0, 0x1ab0000, 0xa, &image), 0);
	CHECK_EQUAL(image.text_offset, 0);
	CHECK_EQUAL(image.memory_size, 0x1ab0000);
	CHECK(!image.old);
	CHECK_EQUAL(parse(0x80000, 0x1000, 0xa, &image), 0);
	CHECK_EQUAL(image.text_offset, 0x80000);
}

static void kernels_before_4_6_are_known_by_their_flags(void)
{
	struct image image;

	CHECK_EQUAL(parse(0x80000, 0x10000, 0x2, &image), 0);
	CHECK(image.old);
}

/* image_size 0: text_offset has no known byte order and is not looked at. */
static void kernels_before_3_17_have_no_size(void)
{
	struct image image;

	CHECK_EQUAL(parse(0x0000080000000000, 0, 0, &image), 0);
	CHECK_EQUAL(image.text_offset, 0x80000);
	CHECK_EQUAL(image.memory_size, FILE_SIZE);
	CHECK(image.old);
}

static void an_image_is_never_smaller_than_its_file(void)
{
	struct image image;

	CHECK_EQUAL(parse(0, 1, 0xa, &image), 0);
	CHECK_EQUAL(image.memory_size, FILE_SIZE);
}

static void lying_headers_are_refused(void)
{
	struct image image;

	CHECK_EQUAL(parse(IMAGE_ALIGNMENT, 0x10000, 0xa, &image), -EINVAL);
	CHECK_EQUAL(parse(UINT64_MAX, 0x10000, 0xa, &image), -EINVAL);
	CHECK_EQUAL(parse(0, UINT64_MAX, 0xa, &image), -EINVAL);
	CHECK_EQUAL(parse(UINT64_MAX, UINT64_MAX, 0xa, &image), -EINVAL);
	CHECK_EQUAL(parse(0, 4 * GIB + 1, 0xa, &image), -EINVAL);
	CHECK_EQUAL(parse(0, 4 * GIB, 0xa, &image), 0);
}

static void check_refusal(size_t size, const char *sentence)
{
	struct image image;
	struct err err;

	CHECK_EQUAL(image_parse("k", file, size, &image, &err), -EINVAL);
	CHECK_TEXT(err.text, sentence);
}

#define WANTED                                                       \
	"; an aarch64 machine boots an arm64 Image, plain, gzip'd, " \
	"zstd-compressed or as EFI zboot"

static void other_kernels_are_refused_by_name(void)
{
	struct image image;

	memset(file, 0, sizeof(file));
	check_refusal(FILE_SIZE,
		      "kernel k is not a kernel of a known form" WANTED);
	memcpy(file + 0x202, "HdrS", 4);
	check_refusal(FILE_SIZE, "kernel k is an x86 bzImage" WANTED);
	memset(file, 0, sizeof(file));
	memcpy(file + 0x24, "\x18\x28\x6f\x01", 4);
	check_refusal(FILE_SIZE, "kernel k is a 32-bit Arm zImage" WANTED);
	memcpy(file,
	       "\x7f"
	       "ELF\2\1",
	       6);
	file[18] = 62;
	check_refusal(FILE_SIZE, "kernel k is an ELF file for x86_64" WANTED);

	parse(0, 0x10000, 0xb, &image);
	check_refusal(FILE_SIZE, "kernel k is a big-endian arm64 Image; only "
				 "little-endian ones can be booted");
}

static void short_files_are_refused(void)
{
	struct image image;

	parse(0, 0x10000, 0xa, &image);
	CHECK_EQUAL(image_parse("k", file, 64, &image, NULL), 0);
	for (size_t size = 1; size < 64; size++)
		CHECK_EQUAL(image_parse("k", file, size, &image, NULL),
			    -EINVAL);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(a_modern_header_is_understood),
		TEST(kernels_before_4_6_are_known_by_their_flags),
		TEST(kernels_before_3_17_have_no_size),
		TEST(an_image_is_never_smaller_than_its_file),
		TEST(lying_headers_are_refused),
		TEST(other_kernels_are_refused_by_name),
		TEST(short_files_are_refused),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

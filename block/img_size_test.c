/* block/img_size_test.c */
#include "block/img_size.h"

#include "base/math.h"
#include "base/test.h"

static void sizes_are_read(void)
{
	static const struct {
		const char *text;
		uint64_t want;
	} cases[] = {
		{"0", 0},	    {"512", 512},
		{"512b", 512},	    {"512B", 512},
		{"1k", KIB},	    {"1K", KIB},
		{"1.5k", 1536},	    {"0.5M", 512 * KIB},
		{"64M", 64 * MIB},  {"3G", 3 * GIB},
		{"2T", 2048 * GIB}, {"1P", 1ULL << 50},
		{"7E", 7ULL << 60}, {"0x10", 16},
		{"0XFF", 255},	    {"9223372036854775807", INT64_MAX},
	};
	uint64_t bytes;

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		if (CHECK(img_size_parse(cases[i].text, &bytes)))
			CHECK_EQUAL(bytes, cases[i].want);
		else
			printf("# \"%s\"\n", cases[i].text);
}

static void other_texts_are_no_sizes(void)
{
	static const char *const cases[] = {
		"",
		"k",
		"-1",
		"+1",
		" 1",
		"1 ",
		"1kk",
		"1x",
		"1.5",
		"1.k",
		"1e3",
		"1.5e3k",
		"8E",
		"0x",
		"0x1k",
		"0x1.8",
		".5k",
		"9223372036854775808",
		"99999999999999999999999",
	};
	uint64_t bytes;

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		if (!CHECK(!img_size_parse(cases[i], &bytes)))
			printf("# \"%s\"\n", cases[i]);
}

static void sizes_are_printed_as_qemu_img_does(void)
{
	char text[IMG_SIZE_TEXT_MAX];

	CHECK_TEXT(img_size_text(0, text), "0 B");
	CHECK_TEXT(img_size_text(999, text), "999 B");
	CHECK_TEXT(img_size_text(1000, text), "0.977 KiB");
	CHECK_TEXT(img_size_text(196 * KIB, text), "196 KiB");
	CHECK_TEXT(img_size_text(1536 * MIB, text), "1.5 GiB");
	CHECK_TEXT(img_size_text(10 * MIB + 300 * KIB, text), "10.3 MiB");
	CHECK_TEXT(img_size_text(UINT64_MAX, text), "16 EiB");
}

static void sizes_are_printed_as_qemu_io_does(void)
{
	char text[IMG_SIZE_TEXT_MAX];

	CHECK_TEXT(img_size_io_text(0, text), "0 bytes");
	CHECK_TEXT(img_size_io_text(512, text), "512 bytes");
	CHECK_TEXT(img_size_io_text(318.209271, text), "318.209271 bytes");
	CHECK_TEXT(img_size_io_text(1024, text), "1 KiB");
	CHECK_TEXT(img_size_io_text(1536, text), "1.500 KiB");
	CHECK_TEXT(img_size_io_text(65536, text), "64 KiB");
	CHECK_TEXT(img_size_io_text(1.875 * 1024 * 1024, text), "1.875 MiB");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(sizes_are_read),
		TEST(other_texts_are_no_sizes),
		TEST(sizes_are_printed_as_qemu_img_does),
		TEST(sizes_are_printed_as_qemu_io_does),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

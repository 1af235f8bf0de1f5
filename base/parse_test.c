/* base/parse_test.c - what people type, rightly, wrongly and too large. */
#include "base/math.h"
#include "base/parse.h"
#include "base/test.h"

static void numbers(void)
{
	uint64_t number = 0;

	CHECK(parse_number("0", 10, &number) && number == 0);
	CHECK(parse_number("10", 10, &number) && number == 10);
	CHECK(parse_number("007", 10, &number) && number == 7);
	CHECK(parse_number("18446744073709551615", UINT64_MAX, &number) &&
	      number == UINT64_MAX);
}

static void what_is_no_number(void)
{
	static const char *const wrong[] = {
		"",
		"11",
		"-1",
		"+1",
		" 1",
		"1 ",
		"0x1",
		"1k",
		"1.5",
		"zwei",
		"1,",
		"K",
		"18446744073709551616", /* 2^64 */
		"18446744073709551625", /* overflows in its last addition */
		"99999999999999999999999999",
	};
	uint64_t number;

	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
		if (!CHECK(!parse_number(wrong[i], 10, &number)))
			printf("# \"%s\" passed\n", wrong[i]);
	CHECK(!parse_number("18446744073709551616", UINT64_MAX, &number));
	CHECK(!parse_number("18446744073709551625", UINT64_MAX, &number));
}

static void check_size(const char *text, uint64_t want)
{
	uint64_t bytes = 0;

	if (!CHECK(parse_size(text, &bytes)))
		printf("# \"%s\" was refused\n", text);
	CHECK_EQUAL(bytes, want);
}

static void sizes(void)
{
	check_size("512", 512);
	check_size("3k", 3 * KIB);
	check_size("3K", 3 * KIB);
	check_size("64m", 64 * MIB);
	check_size("5G", 5 * GIB);
	check_size("2T", 2048 * GIB);
	check_size("16777215T", 16777215 * (1024 * GIB));
}

static void what_is_no_size(void)
{
	static const char *const wrong[] = {
		"",
		"G",
		"1KB",
		"1KiB",
		"1P",
		"1 G",
		"-1",
		"1.5G",
		"G1",
		"16777216T",
		"18446744073709551615K",
	};
	uint64_t bytes;

	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
		if (!CHECK(!parse_size(wrong[i], &bytes)))
			printf("# \"%s\" passed\n", wrong[i]);
}

static void durations(void)
{
	uint64_t milliseconds;

	CHECK(parse_duration("90", &milliseconds) && milliseconds == 90000);
	CHECK(parse_duration("90s", &milliseconds) && milliseconds == 90000);
	CHECK(parse_duration("5m", &milliseconds) && milliseconds == 300000);
	CHECK(parse_duration("2H", &milliseconds) && milliseconds == 7200000);
	CHECK(parse_duration("0", &milliseconds) && milliseconds == 0);
	CHECK(!parse_duration("1d", &milliseconds));
	CHECK(!parse_duration("1ms", &milliseconds));
	CHECK(!parse_duration("", &milliseconds));
	CHECK(!parse_duration("18446744073709552", &milliseconds));
}

static const char *near(const char *typed)
{
	static const char *const words[] = {"--kernel",	   "--initrd", "--net",
					    "--no-reboot", "ro",       NULL};
	const char *word = parse_nearest(typed, words);

	return word ? word : "none";
}

static void misspelt_words_have_a_nearest(void)
{
	CHECK_TEXT(near("--kernle"), "--kernel");
	CHECK_TEXT(near("--kernal"), "--kernel");
	CHECK_TEXT(near("-kernel"), "--kernel");
	CHECK_TEXT(near("--noreboot"), "--no-reboot");
	CHECK_TEXT(near("--nett"), "--net");
	CHECK_TEXT(near("--initrd"), "--initrd");
	CHECK_TEXT(near("r0"), "ro");
}

static void far_words_have_none(void)
{
	CHECK_TEXT(near(""), "none");
	CHECK_TEXT(near("x"), "none");
	CHECK_TEXT(near("--memory"), "none");
	CHECK_TEXT(near("--kernel--kernel--kernel--kernel--kernel"), "none");
}

static void ties_go_to_the_first(void)
{
	static const char *const words[] = {"cat", "bat", NULL};
	static const char *const nothing[] = {NULL};

	CHECK_TEXT(parse_nearest("hat", words), "cat");
	CHECK(!parse_nearest("hat", nothing));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(numbers),
		TEST(what_is_no_number),
		TEST(sizes),
		TEST(what_is_no_size),
		TEST(durations),
		TEST(misspelt_words_have_a_nearest),
		TEST(far_words_have_none),
		TEST(ties_go_to_the_first),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

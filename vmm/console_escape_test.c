/*
 * vmm/console_escape_test.c - what is left for the guest, however the typed
 * bytes are split over reads.
 */
#include "vmm/console_escape.h"

#include "base/math.h"
#include "base/test.h"

#define TYPED_MAX 64

struct typed {
	enum escape_action action; /* the last one asked for */
	char left[TYPED_MAX];
};

/* Filters @text as reads of @piece bytes each bring it, up to a quit. */
static struct typed filter(const char *text, size_t piece)
{
	struct typed typed = {ESCAPE_NONE, ""};
	struct console_escape escape = {false};
	enum escape_action action;
	uint8_t buffer[TYPED_MAX];
	size_t part, kept;

	while (*text && typed.action != ESCAPE_QUIT) {
		part = min_u64(piece, strlen(text));
		memcpy(buffer, text, part);
		text += part;
		kept = console_escape_filter(&escape, buffer, part, &action);
		CHECK(kept <= part);
		strncat(typed.left, (char *)buffer, kept);
		if (action != ESCAPE_NONE)
			typed.action = action;
	}
	return typed;
}

/* In one read, byte by byte, and split at any other distance. */
static void check_filter(const char *text, const char *left,
			 enum escape_action action)
{
	struct typed typed;

	for (size_t piece = 1; piece <= strlen(text); piece++) {
		typed = filter(text, piece);
		CHECK_TEXT(typed.left, left);
		CHECK_EQUAL(typed.action, action);
	}
}

static void other_keys_pass(void)
{
	check_filter("ls -l\r\x03\x1b[A\x7f", "ls -l\r\x03\x1b[A\x7f",
		     ESCAPE_NONE);
	check_filter("x", "x", ESCAPE_NONE);
}

static void control_a_x_quits(void)
{
	check_filter("\x01x", "", ESCAPE_QUIT);
	check_filter("ab\x01X", "ab", ESCAPE_QUIT);
	check_filter("ab\x01xcd", "ab", ESCAPE_QUIT);
	check_filter("ab\x01xcd\x01h", "ab", ESCAPE_QUIT);
}

static void control_a_h_helps(void)
{
	check_filter("ab\x01hcd", "abcd", ESCAPE_HELP);
	check_filter("ab\x01Hcd", "abcd", ESCAPE_HELP);
	check_filter("\x01?", "", ESCAPE_HELP);
}

static void control_a_itself_can_be_typed(void)
{
	check_filter("a\x01\x01z", "a\x01z", ESCAPE_NONE);
	check_filter("a\x01\x61z", "a\x01z", ESCAPE_NONE);
	check_filter("a\x01\x41z", "a\x01z", ESCAPE_NONE);
	/* The second of a pair does not begin another escape. */
	check_filter("\x01\x01x", "\x01x", ESCAPE_NONE);
	check_filter("\x01\x01\x01x", "\x01", ESCAPE_QUIT);
}

static void unknown_escapes_help(void)
{
	check_filter("a\x01qz", "az", ESCAPE_HELP);
	check_filter("a\x01\rz", "az", ESCAPE_HELP);
}

static void half_an_escape_waits(void)
{
	struct console_escape escape = {false};
	enum escape_action action;
	uint8_t byte = 1;

	CHECK_EQUAL(console_escape_filter(&escape, &byte, 1, &action), 0);
	CHECK_EQUAL(action, ESCAPE_NONE);
	CHECK_EQUAL(console_escape_filter(&escape, NULL, 0, &action), 0);
	byte = 'x';
	CHECK_EQUAL(console_escape_filter(&escape, &byte, 1, &action), 0);
	CHECK_EQUAL(action, ESCAPE_QUIT);
}

/* Every byte but Ctrl-A, the NUL as well, is the guest's. */
static void all_bytes_pass(void)
{
	struct console_escape escape = {false};
	enum escape_action action;
	uint8_t byte;

	for (unsigned int value = 0; value < 256; value++) {
		byte = (uint8_t)value;
		if (value == 1)
			continue;
		CHECK_EQUAL(console_escape_filter(&escape, &byte, 1, &action),
			    1);
		CHECK_EQUAL(byte, value);
		CHECK_EQUAL(action, ESCAPE_NONE);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(other_keys_pass),	    TEST(control_a_x_quits),
		TEST(control_a_h_helps),    TEST(control_a_itself_can_be_typed),
		TEST(unknown_escapes_help), TEST(half_an_escape_waits),
		TEST(all_bytes_pass),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

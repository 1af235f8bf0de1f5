/* base/err_test.c - the sentence, its cause, its prefix, and what is cut. */
#include <errno.h>

#include "base/err.h"
#include "base/math.h"
#include "base/test.h"

static char long_text[2 * ERR_TEXT_MAX];

static void set_returns_the_negative_code(void)
{
	struct err err;

	CHECK_EQUAL(err_set(&err, EINVAL, "disk %s is %d", "a", 7), -EINVAL);
	CHECK_TEXT(err.text, "disk a is 7");
}

static void errno_adds_the_cause(void)
{
	struct err err;

	CHECK_EQUAL(err_errno(&err, ENOENT, "cannot open %s", "x"), -ENOENT);
	CHECK_TEXT(err.text, "cannot open x: No such file or directory");
}

static void prefixes_pile_up(void)
{
	struct err err;

	err_set(&err, EINVAL, "100%% wrong");
	err_prefix(&err, "file %s", "x");
	err_prefix(&err, "--disk");
	CHECK_TEXT(err.text, "--disk: file x: 100% wrong");
}

static void names_stay_text(void)
{
	struct err err;

	err_set(&err, EINVAL, "disk %s", "\x1b]0;x\a\t\x7f\xc3\xa4");
	CHECK_TEXT(err.text, "disk ?]0;x???\xc3\xa4");
	err_prefix(&err, "%s", "a\tb");
	CHECK_TEXT(err.text, "a?b: disk ?]0;x???\xc3\xa4");
}

static void nobody_may_want_the_words(void)
{
	CHECK_EQUAL(err_set(NULL, EINVAL, "x"), -EINVAL);
	CHECK_EQUAL(err_errno(NULL, EIO, "x"), -EIO);
	err_prefix(NULL, "x");
}

static void long_texts_are_cut(void)
{
	struct err err;

	err_set(&err, EINVAL, "%s", long_text);
	CHECK_EQUAL(strlen(err.text), ERR_TEXT_MAX - 1);
	err_errno(&err, EINVAL, "%s", long_text);
	CHECK_EQUAL(strlen(err.text), ERR_TEXT_MAX - 1);
	err_prefix(&err, "here");
	CHECK_EQUAL(strlen(err.text), ERR_TEXT_MAX - 1);
	CHECK(!strncmp(err.text, "here: xxx", 9));
	err_prefix(&err, "%s", long_text);
	CHECK_EQUAL(strlen(err.text), ERR_TEXT_MAX - 1);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(set_returns_the_negative_code),
		TEST(errno_adds_the_cause),
		TEST(prefixes_pile_up),
		TEST(names_stay_text),
		TEST(nobody_may_want_the_words),
		TEST(long_texts_are_cut),
	};

	memset(long_text, 'x', sizeof(long_text) - 1);
	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

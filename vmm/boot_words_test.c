/* vmm/boot_words_test.c - words, quotes, comments and variables. */
#include "vmm/boot_words.h"

#include "base/math.h"
#include "base/test.h"

static struct boot_words words;

/* All commands of @text: words between brackets, commands between bars. */
static const char *words_of(const char *text, const char *environment)
{
	static char all[1024];
	size_t used = 0;

	*all = '\0';
	boot_words_init(&words, text, environment);
	do {
		while (boot_words_next(&words))
			used += (size_t)snprintf(all + used, sizeof(all) - used,
						 "[%s]", words.word);
		used += (size_t)snprintf(all + used, sizeof(all) - used, "|");
	} while (boot_words_next_command(&words));
	return all;
}

static void splits_words_and_commands(void)
{
	CHECK_TEXT(words_of("", ""), "|");
	CHECK_TEXT(words_of("a  b\tc\r\n d", ""), "[a][b][c]|[d]|");
	CHECK_TEXT(words_of("a; b;c", ""), "[a]|[b]|[c]|");
	CHECK_TEXT(words_of("a b # c ; d\ne#f", ""), "[a][b]|[e#f]|");
	CHECK_TEXT(words_of("a \\\n b", ""), "[a][b]|");
	CHECK_TEXT(words_of("if [ x ]; then", ""), "[if][[][x][]]|[then]|");
}

static void reads_quotes(void)
{
	CHECK_TEXT(words_of("'a b' \"c d\"", ""), "[a b][c d]|");
	CHECK_TEXT(words_of("'it'\\''s' x", ""), "[it's][x]|");
	CHECK_TEXT(words_of("\"a\\\"b\\$c\\n\"", ""), "[a\"b$c\\n]|");
	CHECK_TEXT(words_of("a\\ b", ""), "[a b]|");
	CHECK_TEXT(words_of("'' x", ""), "[][x]|");
	CHECK_TEXT(words_of("'open\nto the end", ""), "[open\nto the end]|");
	CHECK_TEXT(words_of("ends in \\", ""), "[ends][in][\\]|");
}

static void replaces_variables(void)
{
	static const char environment[] =
		"# GRUB Environment Block\n"
		"ab=wrong\na=one two\nempty=\nback=x\\\\y\n#####";

	CHECK_TEXT(words_of("$a x$a.", environment), "[one two][xone two.]|");
	CHECK_TEXT(words_of("${a}b \"$a\" '$a'", environment),
		   "[one twob][one two][$a]|");
	CHECK_TEXT(words_of("$empty $none \"$none\" z", environment), "[][z]|");
	CHECK_TEXT(words_of("$back", environment), "[x\\y]|");
	CHECK_TEXT(words_of("$ ${ ${a $", environment), "[$][${][${a][$]|");
	CHECK_TEXT(words_of("$menuentry_id_option", ""), "[--id]|");
}

static void cuts_what_is_too_long(void)
{
	static char text[3 * BOOT_WORD_MAX];
	char little[4];

	memset(text, 'x', sizeof(text) - 1);
	boot_words_init(&words, text, "");
	CHECK(boot_words_next(&words));
	CHECK_EQUAL(words.length, BOOT_WORD_MAX - 1);
	CHECK(!boot_words_next(&words));

	boot_words_expand("$a$a", "a=bcdef", little, sizeof(little));
	CHECK_TEXT(little, "bcd");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(splits_words_and_commands),
		TEST(reads_quotes),
		TEST(replaces_variables),
		TEST(cuts_what_is_too_long),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

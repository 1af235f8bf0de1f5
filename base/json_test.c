/* base/json_test.c */
#include "base/json.h"

#include <stdlib.h>

#include "base/math.h"
#include "base/test.h"

static void levels_are_indented(void)
{
	char *text = NULL;
	size_t length;
	struct json json = {.out = open_memstream(&text, &length)};

	json_object(&json, NULL);
	json_number(&json, "size", UINT64_MAX);
	json_array(&json, "list");
	json_text(&json, NULL, "a");
	json_object(&json, NULL);
	json_bool(&json, "no", false);
	json_object_end(&json);
	json_array_end(&json);
	json_array(&json, "empty");
	json_array_end(&json);
	json_bool(&json, "yes", true);
	json_object_end(&json);
	fclose(json.out);
	CHECK_TEXT(text, "{\n"
			 "    \"size\": 18446744073709551615,\n"
			 "    \"list\": [\n"
			 "        \"a\",\n"
			 "        {\n"
			 "            \"no\": false\n"
			 "        }\n"
			 "    ],\n"
			 "    \"empty\": [\n"
			 "    ],\n"
			 "    \"yes\": true\n"
			 "}\n");
	free(text);
}

static void texts_are_quoted(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"", "\"\""},
		{"a/b c", "\"a/b c\""},
		{"\"\\", "\"\\\"\\\\\""},
		{"\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\""},
		{"\x01\x1f\x7f", "\"\\u0001\\u001F\\u007F\""},
		{"\xc3\xa9", "\"\\u00E9\""},
		{"\xe2\x82\xac", "\"\\u20AC\""},
		{"\xf0\x9f\x98\x80", "\"\\uD83D\\uDE00\""},
		/* Not UTF-8: cut short, too long, a surrogate, too large. */
		{"\xc3", "\"\\uFFFD\""},
		{"\xe2\x82", "\"\\uFFFD\\uFFFD\""},
		{"\xc0\x80", "\"\\uFFFD\\uFFFD\""},
		{"\xed\xa0\x80", "\"\\uFFFD\\uFFFD\\uFFFD\""},
		{"\xf4\x90\x80\x80", "\"\\uFFFD\\uFFFD\\uFFFD\\uFFFD\""},
		{"\xff"
		 "a",
		 "\"\\uFFFDa\""},
	};
	char *text;
	size_t length;
	FILE *out;

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		text = NULL;
		out = open_memstream(&text, &length);
		json_quote(out, cases[i].text);
		fclose(out);
		CHECK_TEXT(text, cases[i].want);
		free(text);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(levels_are_indented),
		TEST(texts_are_quoted),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

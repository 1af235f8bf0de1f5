/* block/img_spec_test.c - descriptions of images: their keys and values. */
#include "block/img_spec.h"

#include <string.h>

#include "base/math.h"
#include "base/test.h"

struct spec_case {
	const char *text;
	const char *options; /* "key=value;..."; NULL: refused */
};

static const struct spec_case cases[] = {
	{"", ""},
	{"driver=qcow2", "driver=qcow2;"},
	{"driver=qcow2,file.filename=a", "driver=qcow2;file.filename=a;"},
	{"filename=a,,b,,,locking=off", "filename=a,b,;locking=off;"},
	{"read-only,x=", "read-only=on;x=;"},
	{"x=a=b", "x=a=b;"},
	{"=b", NULL},
	{"json:{}", ""},
	{"json:{\"driver\": \"raw\"}", "driver=raw;"},
	{"json: { 'driver' : 'raw' , 'file' : { 'filename' : '/a,b' } } ",
	 "driver=raw;file.filename=/a,b;"},
	{"json:{\"a\":[1,{\"b\":true}],\"c\":null,\"d\":false}",
	 "a.0=1;a.1.b=on;d=off;"},
	{"json:{\"a\":\"\\u0041\\n\\\"'\"}", "a=A\n\"';"},
	{"json:{\"a\":-1.5e+3}", "a=-1.5e+3;"},
	{"json:[]", NULL},
	{"json:", NULL},
	{"json:{", NULL},
	{"json:{\"a\"}", NULL},
	{"json:{\"a\":}", NULL},
	{"json:{\"a\":1,}", NULL},
	{"json:{\"a\":1}x", NULL},
	{"json:{\"a\":\"b", NULL},
	{"json:{\"a\":\"\\", NULL},
	{"json:{\"a\":\"\\u00e4\"}", NULL},
	{"json:{\"a\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}", NULL},
	{"json:{\"a\":nul}", NULL},
};

static void run_case(const struct spec_case *c)
{
	struct img_spec spec = {0};
	char got[512] = "";
	struct err err = {""};
	int ret;

	ret = img_spec_is_json(c->text)
		      ? img_spec_add_json(&spec, c->text, &err)
		      : img_spec_add(&spec, c->text, &err);
	for (size_t i = 0; i < spec.count; i++) {
		strcat(strcat(got, spec.options[i].key), "=");
		strcat(strcat(got, spec.options[i].value), ";");
	}
	CHECK_EQUAL(!ret, c->options != NULL);
	CHECK(!ret || err.text[0]);
	if (c->options)
		CHECK(!strcmp(got, c->options));
	if (test_failed)
		printf("# case \"%s\": \"%s\"\n", c->text, got);
	img_spec_fini(&spec);
}

static void texts_become_options(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(cases) && !test_failed; i++)
		run_case(&cases[i]);
}

static void last_value_counts(void)
{
	struct img_spec spec = {0};
	struct err err;

	CHECK_EQUAL(img_spec_add(&spec, "a=1,file.a=2,a=3,b=4", &err), 0);
	CHECK(!strcmp(img_spec_take(&spec, "", "a"), "3"));
	CHECK(!strcmp(img_spec_rest(&spec), "file.a"));
	CHECK(!strcmp(img_spec_take(&spec, "file.", "a"), "2"));
	CHECK(!img_spec_take(&spec, "file.", "b"));
	CHECK(!strcmp(img_spec_rest(&spec), "b"));
	CHECK(!strcmp(img_spec_take(&spec, "", "b"), "4"));
	CHECK(!img_spec_rest(&spec));
	img_spec_fini(&spec);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(texts_become_options),
		TEST(last_value_counts),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

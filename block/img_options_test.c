/* block/img_options_test.c - a command's options, and those of create's -o. */
#include "block/img_options.h"

#include <errno.h>
#include <stdlib.h>

#include "base/math.h"
#include "base/test.h"
#include "block/img_create.h"

static const struct img_option options[] = {
	IMG_OPTIONS_COMMON,
	{'f', "format", true},
	{'o', NULL, true},
	{'q', "quiet", false},
	{IMG_OPTION_OUTPUT, "output", true},
	{0},
};

#define WORDS_MAX 12

/* Splits at spaces. */
static int parse(struct img_args *args, const char *line, struct err *err)
{
	static char storage[256];
	static char *argv[WORDS_MAX + 1];
	int argc = 0;

	snprintf(storage, sizeof(storage), "%s", line);
	memset(argv, 0, sizeof(argv));
	for (char *word = strtok(storage, " "); word && argc < WORDS_MAX;
	     word = strtok(NULL, " "))
		argv[argc++] = word;
	return img_args_parse(args, options, argc, argv, err);
}

static void options_and_operands_are_told_apart(void)
{
	struct img_args args;
	struct err err;
	char *joined;

	CHECK_EQUAL(parse(&args, "info a -f raw --output=json b -q -o x -o y=z",
			  &err),
		    0);
	CHECK_TEXT(img_args_value(&args, 'f'), "raw");
	CHECK_TEXT(img_args_value(&args, IMG_OPTION_OUTPUT), "json");
	CHECK(img_args_has(&args, 'q'));
	CHECK(!img_args_has(&args, 'h'));
	CHECK(!img_args_value(&args, IMG_OPTION_BACKING));
	CHECK_EQUAL(args.operand_count, 2);
	CHECK_TEXT(args.operands[0], "a");
	CHECK_TEXT(args.operands[1], "b");
	joined = img_args_join(&args, 'o');
	CHECK_TEXT(joined, "x,y=z");
	free(joined);
	img_args_fini(&args);
}

static void the_last_value_counts(void)
{
	struct img_args args;
	struct err err;

	CHECK_EQUAL(parse(&args, "info -f raw --format qcow2 -- -q", &err), 0);
	CHECK_TEXT(img_args_value(&args, 'f'), "qcow2");
	CHECK(!img_args_has(&args, 'q'));
	CHECK_EQUAL(args.operand_count, 1);
	img_args_fini(&args);
}

static void wrong_options_are_named(void)
{
	static const struct {
		const char *line, *want;
		int ret;
	} cases[] = {
		{"info -z", "unrecognized option '-z'", -EINVAL},
		{"info --foo", "unrecognized option '--foo'", -EINVAL},
		{"info --ouput=json", "did you mean --output?", -EINVAL},
		{"info -f", "option '-f' needs a value", -EINVAL},
		{"info --output", "option '--output' needs a value", -EINVAL},
		{"info --image-opts x", "--image-opts is not supported",
		 -ENOTSUP},
		{"info --object x", "--object is not supported", -ENOTSUP},
	};
	struct img_args args;
	struct err err;

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		CHECK_EQUAL(parse(&args, cases[i].line, &err), cases[i].ret);
		if (!CHECK(strstr(err.text, cases[i].want)))
			printf("# \"%s\"\n", err.text);
		img_args_fini(&args);
	}
}

static void create_options_are_read(void)
{
	struct img_create create;
	struct err err;

	CHECK_EQUAL(img_create_init(&create, "x", BLOCK_QCOW2,
				    "backing_file=a,,b=c,cluster_size=4k,"
				    "lazy_refcounts,refcount_bits=1,size=1G",
				    &err),
		    0);
	CHECK_TEXT(create.backing, "a,b=c");
	CHECK_EQUAL(create.cluster_size, 4096);
	CHECK(create.lazy_refcounts);
	CHECK_EQUAL(create.refcount_bits, 1);
	CHECK(create.has_size);
	CHECK_EQUAL(create.size, GIB);
	img_create_fini(&create);
}

static void wrong_create_options_are_named(void)
{
	static const struct {
		enum block_format format;
		const char *options, *want;
	} cases[] = {
		{BLOCK_QCOW2, "clustersize=1", "did you mean cluster_size?"},
		{BLOCK_QCOW2, "cluster_size=foo", "'cluster_size' expects"},
		{BLOCK_QCOW2, "refcount_bits=1k", "'refcount_bits' expects"},
		{BLOCK_QCOW2, "extended_l2=yes", "expects 'on' or 'off'"},
		{BLOCK_RAW, "cluster_size=64k", "Invalid parameter"},
	};
	struct img_create create;
	struct err err;

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		CHECK_EQUAL(img_create_init(&create, "x", cases[i].format,
					    cases[i].options, &err),
			    -EINVAL);
		if (!CHECK(strstr(err.text, cases[i].want)))
			printf("# \"%s\"\n", err.text);
		img_create_fini(&create);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(options_and_operands_are_told_apart),
		TEST(the_last_value_counts),
		TEST(wrong_options_are_named),
		TEST(create_options_are_read),
		TEST(wrong_create_options_are_named),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

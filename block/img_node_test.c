/*
 * block/img_node_test.c - what descriptions of images come to, and which
 * options of an open one are refused.
 */
#include "block/img_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "base/test.h"

struct node_case {
	const char *path, *options;
	const char *sentence; /* part of it; NULL: it is fine, and then: */
	const char *file, *format;
	bool compress;
};

static const struct node_case cases[] = {
	{"a", NULL, NULL, "a", "", false},
	{"a", "driver=raw", NULL, "a", "raw", false},
	{NULL, "driver=qcow2,file.filename=a", NULL, "a", "qcow2", false},
	{NULL, "file.filename=a", NULL, "a", "", false},
	{NULL, "driver=qcow2,file.driver=file,file.filename=a", NULL, "a",
	 "qcow2", false},
	{NULL, "driver=qcow2,file.driver=raw,file.file.filename=a", NULL, "a",
	 "qcow2", false},
	{NULL, "driver=file,filename=a", NULL, "a", "raw", false},
	{NULL, "driver=compress,file.driver=qcow2,file.file.filename=a", NULL,
	 "a", "qcow2", true},
	{"json:{'driver':'qcow2','file':{'filename':'a'}}", NULL, NULL, "a",
	 "qcow2", false},
	{"json:{'file':{'filename':'a'}}", "driver=qcow2", NULL, "a", "qcow2",
	 false},
	{"json:{", NULL, "JSON", NULL, NULL, false},
	{"a", "driver=qcow2,colour=red",
	 "'qcow2' does not support the option 'colour'", NULL, NULL, false},
	{NULL, "driver=qcow2,file.driver=nbd", "driver 'nbd'", NULL, NULL,
	 false},
	{NULL, "driver=qcow2", "requires a file name", NULL, NULL, false},
	{NULL, "driver=file,filename=/", "'/' to be a regular file", NULL, NULL,
	 false},
	{NULL, "driver=host_device,filename=/",
	 "'/' to be either a character or block device", NULL, NULL, false},
};

static void run_case(const struct node_case *c)
{
	struct img_open open = {
		.path = c->path,
		.options = c->options,
		.typed = true,
	};
	struct err err = {""};
	struct img_node node;
	int ret = img_node_init(&node, &open, &err);

	CHECK_EQUAL(!ret, !c->sentence);
	if (ret && c->sentence) {
		CHECK(strstr(err.text, c->sentence));
	} else if (!ret && c->file) {
		CHECK(!strcmp(node.open.path, c->file));
		CHECK(!strcmp(node.open.format ?: "", c->format));
		CHECK_EQUAL(node.open.compress, c->compress);
	}
	if (test_failed)
		printf("# case \"%s\", \"%s\": %s\n", c->path ?: "",
		       c->options ?: "", err.text);
	img_node_fini(&node);
}

static void descriptions_are_resolved(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(cases) && !test_failed; i++)
		run_case(&cases[i]);
}

/* An image may be a stranger's, and so is what it says. */
static void names_of_images_are_only_names(void)
{
	struct img_open open = {.path = "json:{'driver':'raw'}"};
	struct img_node node;
	struct err err;

	REQUIRE(!img_node_init(&node, &open, &err));
	CHECK(!strcmp(node.open.path, open.path));
	img_node_fini(&node);
}

static void options_reach_the_file(void)
{
	struct img_open open = {
		.path = "a",
		.writable = true,
		.options = "read-only=on,file.locking=off,cache.direct=on,"
			   "backing.driver=raw,data-file.filename=d,"
			   "l2-cache-size=1M",
	};
	struct img_node node;
	struct err err;

	REQUIRE(!img_node_init(&node, &open, &err));
	CHECK(!node.open.writable);
	CHECK(node.open.no_lock);
	CHECK(node.open.direct);
	CHECK(!strcmp(node.open.backing_format, "raw"));
	CHECK(!strcmp(node.open.data_file, "d"));
	CHECK_EQUAL(node.open.l2_cache_size, MIB);
	img_node_fini(&node);
}

struct runtime_case {
	const char *options;
	const char *sentence;	/* part of it; NULL: fine */
	uint64_t l2_cache_size; /* then */
};

static const struct runtime_case runtime_cases[] = {
	{"lazy-refcounts=on,pass-discard-other=off", NULL, 0},
	{"lazy-refcounts=42", "'lazy-refcounts' expects 'on' or 'off'", 0},
	{"overlap-check=all", NULL, 0},
	{"overlap-check.template=none", NULL, 0},
	{"overlap-check=all,overlap-check.template=none", "Conflicting", 0},
	{"overlap-check=most", "Unsupported value 'most'", 0},
	{"l2-cache-size=0", NULL, 1},
	{"cache-size=2M,refcount-cache-size=1M", NULL, MIB},
	{"cache-size=2M,l2-cache-size=1M", NULL, MIB},
	{"cache-size=1M,l2-cache-size=2M", "l2-cache-size may not exceed", 0},
	{"cache-size=1M,refcount-cache-size=2M",
	 "refcount-cache-size may not exceed", 0},
	{"cache-size=0,l2-cache-size=0,refcount-cache-size=0", "same time", 0},
	{"l2-cache-size=1E", "L2 cache size too big", 0},
	{"refcount-cache-size=1E", "Refcount cache size too big", 0},
	{"l2-cache-size=many", "expects a size", 0},
	{"l2-cache-entry-size=512", NULL, 0},
	{"l2-cache-entry-size=64k", NULL, 0},
	{"l2-cache-entry-size=256", "512 and the cluster size (65536)", 0},
	{"l2-cache-entry-size=128k", "512 and the cluster size (65536)", 0},
	{"l2-cache-entry-size=33k", "a power of two", 0},
	{"cache-clean-interval=0", NULL, 0},
	{"cache-clean-interval=-1", "interval too big", 0},
};

static void runtime_options_are_judged(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(runtime_cases); i++) {
		const struct runtime_case *c = &runtime_cases[i];
		struct img_runtime runtime;
		struct img_spec spec = {0};
		struct err err = {""};
		int ret;

		img_spec_add(&spec, c->options, &err);
		ret = img_runtime_take(&runtime, &spec, "", &err);
		if (!ret)
			ret = img_runtime_check(&runtime, 65536, &err);
		CHECK_EQUAL(!ret, !c->sentence);
		if (c->sentence && !CHECK(strstr(err.text, c->sentence)))
			printf("# %s: %s\n", c->options, err.text);
		if (!c->sentence)
			CHECK_EQUAL(runtime.l2_cache_size, c->l2_cache_size);
		CHECK(!img_spec_rest(&spec));
		img_spec_fini(&spec);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(descriptions_are_resolved),
		TEST(names_of_images_are_only_names),
		TEST(options_reach_the_file),
		TEST(runtime_options_are_judged),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

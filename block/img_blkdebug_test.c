/*
 * block/img_blkdebug_test.c - which requests blkdebug lets fail, and those
 * that it lets wait.
 */
#include "block/img_blkdebug.h"

#include <errno.h>
#include <pthread.h>

#include "block/img_blkdebug_rules.h"
#include "block/test_disk.h"
#include "block/test_host.h"

struct rules_case {
	const char *rules;
	/* r, w: data; R, W: tables; F: flush. */
	const char *events;
	const char *results; /* '.': fine, 'E': EIO, 'S': ENOSPC */
};

#define INJECT "inject-error.0."

static const struct rules_case cases[] = {
	{"", "rwRWF", "....."},
	{INJECT "event=write_aio", "rwRWFw", ".E...E"},
	{INJECT "event=l2_update," INJECT "errno=28", "rwRWF", "...S."},
	{INJECT "event=l2_load," INJECT "once=on", "RRR", "E.."},
	{INJECT "event=flush_to_disk," INJECT "once=off", "FFr", "EE."},
	{INJECT "event=read_aio," INJECT "sector=2", "rr", "EE"},
	{INJECT "event=read_aio," INJECT "sector=3", "rr", ".."},
	{INJECT "event=write_aio," INJECT "state=2,"
		"set-state.0.event=write_aio,set-state.0.new_state=2",
	 "www", ".EE"},
	{INJECT "event=cow_write,inject-error.1.event=cow_read", "rwRW",
	 "EE.."},
};

static int apply(struct blkdebug_rules *rules, char letter)
{
	static const char letters[] = "?RrWwF";
	enum blkdebug_event event =
		(enum blkdebug_event)(strchr(letters, letter) - letters);

	/* Sectors 1 and 2. */
	return blkdebug_rules_apply(rules, event, 512, 1024);
}

static void run_case(const struct rules_case *c)
{
	struct blkdebug_rules *rules;
	struct img_spec spec = {0};
	struct err err = {""};
	int ret, want;

	CHECK_EQUAL(img_spec_add(&spec, c->rules, &err), 0);
	REQUIRE(!blkdebug_rules_new(&spec, "", &rules, &err));
	CHECK(!img_spec_rest(&spec));
	for (size_t i = 0; c->events[i]; i++) {
		ret = apply(rules, c->events[i]);
		want = c->results[i] == 'E'   ? -EIO
		       : c->results[i] == 'S' ? -ENOSPC
					      : 0;
		CHECK_EQUAL(ret, want);
	}
	if (test_failed)
		printf("# case \"%s\"\n", c->rules);
	blkdebug_rules_free(rules);
	img_spec_fini(&spec);
}

static void rules_apply(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(cases) && !test_failed; i++)
		run_case(&cases[i]);
}

static void rules_are_read_from_a_file(void)
{
	struct blkdebug_rules *rules;
	struct img_spec spec = {0};
	struct err err = {""};

	CHECK(!test_shell("printf '%%s\\n' '# a rule' '[inject-error]' "
			  "'event = \"write_aio\"' 'errno = \"28\"' '' "
			  "'[inject-error]' 'event=\"read_aio\"' >rules"));
	CHECK_EQUAL(img_spec_add(&spec, "file.config=rules", &err), 0);
	REQUIRE(!blkdebug_rules_new(&spec, "file.", &rules, &err));
	CHECK_EQUAL(apply(rules, 'w'), -ENOSPC);
	CHECK_EQUAL(apply(rules, 'r'), -EIO);
	blkdebug_rules_free(rules);
	img_spec_fini(&spec);
}

static void wrong_rules_are_refused(void)
{
	static const char *const wrong[] = {
		INJECT "event=lunch",
		INJECT "event=write_aio," INJECT "errno=many",
		"config=missing",
		"config=rules",
	};
	struct blkdebug_rules *rules;

	CHECK(!test_shell("echo '[suspend]' >rules"));
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		struct img_spec spec = {0};
		struct err err = {""};

		CHECK_EQUAL(img_spec_add(&spec, wrong[i], &err), 0);
		CHECK(blkdebug_rules_new(&spec, "", &rules, &err));
		CHECK(err.text[0]);
		img_spec_fini(&spec);
	}
}

static void *write_in_thread(void *argument)
{
	test_disk_write(argument, 0, 8, 7);
	return NULL;
}

static void requests_wait(void)
{
	struct qcow2_create_options create = TEST_CREATE(MIB, 16, 3, 4, 0);
	struct image *image = test_image_open(test_image_new(&create), 0, NULL);
	struct img_blkdebug *blkdebug;
	struct img_spec spec = {0};
	struct test_disk *disk;
	pthread_t thread;
	struct err err;

	REQUIRE(!img_blkdebug_new(&spec, "", &blkdebug, &err));
	CHECK_EQUAL(img_blkdebug_insert(blkdebug, image), 0);
	disk = test_disk_new(image, 1);
	CHECK_EQUAL(img_blkdebug_break(blkdebug, "lunch", "A"), -EINVAL);
	CHECK_EQUAL(img_blkdebug_wait(blkdebug, "A"), -ENOENT);
	CHECK_EQUAL(img_blkdebug_break(blkdebug, "write_aio", "A"), 0);
	CHECK_EQUAL(img_blkdebug_resume(blkdebug, "A"), -ENOENT);
	pthread_create(&thread, NULL, write_in_thread, disk);
	CHECK_EQUAL(img_blkdebug_wait(blkdebug, "A"), 0);
	CHECK(img_blkdebug_is_waiting(blkdebug));
	CHECK_EQUAL(img_blkdebug_resume(blkdebug, "B"), -ENOENT);
	CHECK_EQUAL(img_blkdebug_resume(blkdebug, "A"), 0);
	pthread_join(thread, NULL);
	CHECK(!img_blkdebug_is_waiting(blkdebug));
	CHECK_EQUAL(test_disk_read(disk, 0, 8), 0);
	CHECK_EQUAL(test_sector_value(disk->buffer), 7);
	CHECK_EQUAL(img_blkdebug_break(blkdebug, "write_aio", "C"), 0);
	CHECK_EQUAL(img_blkdebug_remove(blkdebug, "C"), 0);
	write_in_thread(disk);
	CHECK_EQUAL(block_close(disk->block), 0);
	img_blkdebug_free(blkdebug);
	free(disk);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(rules_apply),
		TEST(rules_are_read_from_a_file),
		TEST(wrong_rules_are_refused),
		TEST(requests_wait),
	};

	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}

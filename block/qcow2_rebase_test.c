/*
 * block/qcow2_rebase_test.c - another backing file, and power cuts meanwhile:
 * the header names the old one or the new one, with its format, never a
 * mixture; and it keeps all else that it says.
 *
 * Random names, which differ in length, are written into headers that are
 * crowded in different ways, one after the other.
 */
#include <errno.h>

#include "block/qcow2.h"
#include "block/qcow2_rebase.h"
#include "block/test_disk.h"
#include "block/test_host.h"
#include "block/test_lent.h"
#include "block/test_power.h"
#include "block/test_recorder.h"
#include "block/test_snapshot.h"

#define UNKNOWN_EXTENSION 0x616c6372

struct shape {
	const char *name;
	unsigned int cluster_bits, version;
	bool data_file;
	size_t unknown;	  /* bytes of an extension that nobody knows */
	size_t names_max; /* of a backing file's name: those fit */
	bool crowded;	  /* the format may have to stay as it is */
};

static const struct shape shapes[] = {
	{"512", 9, 3, false, 0, 370, false},
	{"512, version 2", 9, 2, false, 24, 370, false},
	{"1K", 10, 3, false, 0, 370, false},
	{"4K", 12, 3, false, 40, 1023, false},
	{"64K, version 2", 16, 2, false, 300, 1023, false},
	{"64K", 16, 3, false, 16, 1023, false},
	{"64K, data file", 16, 3, true, 8, 1023, false},
	{"64K, crowded", 16, 3, false, 1200, 1023, true},
};

/* What the header says. */
struct sight {
	struct image_backing backing;
	uint8_t unknown[1200];
};

static bool look(struct file *file, struct sight *ret)
{
	struct image_options options = {
		.name = "test",
		.read_only = true,
		.for_check = true,
	};
	struct test_check view = test_view(file);
	uint64_t length = test_get(&view, 4, 4) > 2 ? test_get(&view, 100, 4)
						    : QCOW2_V2_LENGTH;
	struct qcow2_info info;

	memset(ret, 0, sizeof(*ret));
	if (qcow2_header_read(file, &options, &info, NULL))
		return false;
	ret->backing = info.backing;
	return !qcow2_extension_find(file, length, 1ULL << info.cluster_bits,
				     UNKNOWN_EXTENSION, ret->unknown,
				     sizeof(ret->unknown));
}

/* --- Headers to begin with ------------------------------------------------ */

/* They only help old programs, but there is room for them. */
static bool has_feature_names(struct file *file)
{
	struct test_check view = test_view(file);
	char name[47];

	qcow2_extension_feature_name(file, test_get(&view, 100, 4),
				     1ULL << view.cluster_bits, 0, name);
	return name[0];
}

/* Where the extensions end: there is nothing behind them yet. */
static uint64_t find_end(struct file *file)
{
	struct test_check view = test_view(file);
	uint64_t at = test_get(&view, 4, 4) > 2 ? test_get(&view, 100, 4)
						: QCOW2_V2_LENGTH;

	while (test_get(&view, at, 4))
		at += 8 + align_up(test_get(&view, at + 4, 4), 8);
	return at;
}

static struct file *make_image(const struct shape *shape)
{
	struct qcow2_create_options create =
		TEST_CREATE(MIB, shape->cluster_bits, shape->version, 4, 0);
	char data_file[200] = "";
	uint8_t unknown[1200];
	struct file *file;
	uint64_t end;

	memset(data_file, 'd', sizeof(data_file) - 1);
	if (shape->data_file)
		create.data_file = data_file;
	file = test_image_new(&create);
	if (!shape->unknown)
		return file;
	for (size_t i = 0; i < sizeof(unknown); i++)
		unknown[i] = (uint8_t)(i % 251 + 1);
	end = find_end(file);
	test_put(file, end, 4, UNKNOWN_EXTENSION);
	test_put(file, end + 4, 4, shape->unknown);
	file_write(file, unknown, shape->unknown, end + 8);
	return file;
}

/* --- One change ----------------------------------------------------------- */

struct change {
	const struct shape *shape;
	struct sight before, after;
	size_t ended; /* the log's length then */
	bool quiet;
	unsigned long told;
};

static bool judge(struct test_power *power, size_t log_length)
{
	const struct change *change = power->context;
	struct change *told = power->context;
	static struct sight now;
	bool right = look(power->disk[0], &now);

	right = right && (!memcmp(&now, &change->after, sizeof(now)) ||
			  (power->until < change->ended &&
			   !memcmp(&now, &change->before, sizeof(now))));
	if (!right && !change->quiet && !told->told++)
		printf("# log %zu of %zu: \"%s\" of format \"%s\"\n",
		       log_length, power->log_length, now.backing.name,
		       now.backing.format);
	return right;
}

static struct image_backing choose(struct test_random *random, size_t longest)
{
	static const char *const formats[] = {"raw", "qcow2"};
	struct image_backing backing = {"", ""};
	size_t length = 1 + test_below(random, longest);

	if (!test_below(random, 4))
		return backing;
	if (test_below(random, 2))
		length = 1 + test_below(random, 30);
	for (size_t i = 0; i < length; i++)
		backing.name[i] = (char)('a' + test_below(random, 26));
	strcpy(backing.format, formats[test_below(random, 2)]);
	return backing;
}

/* Replaces the file by what it is then. Returns how many states were wrong. */
static unsigned long change_name(struct change *change, struct file **file,
				 struct test_random *random, bool skips_flush,
				 unsigned long *states)
{
	struct test_recorder *recorder = test_recorder_new(*file);
	struct image_backing backing = choose(random, change->shape->names_max);
	struct test_power power = {.judge = judge, .context = change};
	int ret;

	CHECK(look(*file, &change->before));
	power.disk[0] = file_memory_new(file_memory_data(*file),
					file_size(*file));
	power.random = *random;
	recorder->keeps_log = true;
	recorder->skips_flush = skips_flush;
	ret = qcow2_rebase(&recorder->file, "test",
			   backing.name[0] ? backing.name : NULL,
			   backing.name[0] ? backing.format : NULL, NULL);
	CHECK(!ret || (ret == -ENAMETOOLONG && change->shape->crowded));
	change->ended = recorder->log_length;
	CHECK(look(*file, &change->after));
	if (ret)
		backing = change->before.backing;
	CHECK_TEXT(change->after.backing.name, backing.name);
	CHECK_TEXT(change->after.backing.format, backing.format);
	CHECK(!memcmp(change->after.unknown, change->before.unknown,
		      sizeof(change->after.unknown)));
	if (change->shape->cluster_bits > 10 && change->shape->version > 2)
		CHECK(has_feature_names(*file));
	power.log = recorder->log;
	power.log_length = recorder->log_length;
	test_power_run(&power, 200);
	*states += power.states;
	file_close(power.disk[0]);
	*file = file_memory_new(file_memory_data(*file), file_size(*file));
	file_close(&recorder->file);
	return power.failures;
}

static unsigned long change_often(const struct shape *shape, uint64_t seed,
				  bool skips_flush, unsigned long *states)
{
	struct test_random random = {seed};
	struct file *file = make_image(shape);
	struct change change = {.shape = shape, .quiet = skips_flush};
	unsigned long wrong = 0;

	for (unsigned int i = 0; i < 30 && !test_failed; i++)
		wrong += change_name(&change, &file, &random, skips_flush,
				     states);
	file_close(file);
	return wrong;
}

static void power_cuts(void)
{
	unsigned long seed = test_number("ALCOR_TEST_SEED", 1), states = 0;
	unsigned int rounds = test_is_small() ? 1 : 5;

	for (size_t i = 0; i < rounds * ARRAY_LENGTH(shapes); i++) {
		const struct shape *shape = &shapes[i % ARRAY_LENGTH(shapes)];

		CHECK_EQUAL(change_often(shape, seed + i, false, &states), 0);
		if (test_failed) {
			printf("# %s, seed %lu\n", shape->name, seed + i);
			return;
		}
	}
	printf("# %lu states\n", states);
}

/* Returns how many calls were made. */
static unsigned long fail(const struct shape *shape, uint64_t seed,
			  unsigned long call)
{
	struct test_recorder *recorder = test_recorder_new(make_image(shape));
	struct test_random random = {seed};
	unsigned long calls;
	struct sight now;
	int ret = 0;

	recorder->fails_reads = true;
	recorder->fail_first = call;
	recorder->fail_end = call + 1;
	for (unsigned int i = 0; i < 10 && !ret; i++) {
		struct image_backing new = choose(&random, shape->names_max);
		static struct sight before;

		CHECK(look(recorder->below, &before));
		ret = qcow2_rebase(&recorder->file, "test",
				   new.name[0] ? new.name : NULL,
				   new.name[0] ? new.format : NULL, NULL);
		CHECK(look(recorder->below, &now));
		CHECK(!memcmp(&now.backing, &new, sizeof(new)) ||
		      (ret && !memcmp(&now, &before, sizeof(now))));
	}
	calls = recorder->calls;
	CHECK_EQUAL(ret, call < calls ? -EIO : 0);
	file_close(&recorder->file);
	return calls;
}

static void one_call_fails(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) {
		unsigned long calls = 0;

		if (!shapes[i].crowded)
			calls = fail(&shapes[i], i + 1, ~0UL / 2);
		for (unsigned long call = 0; call < calls; call++)
			fail(&shapes[i], i + 1, call);
	}
}

static void missing_barriers_are_seen(void)
{
	unsigned long states = 0;

	CHECK(change_often(&shapes[5], 1, true, &states) > 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(power_cuts),
		TEST(one_call_fails),
		TEST(missing_barriers_are_seen),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

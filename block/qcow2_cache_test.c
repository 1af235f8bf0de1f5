/*
 * block/qcow2_cache_test.c - slices in memory, and those who peek at them
 * meanwhile.
 */
#include <pthread.h>

#include "block/qcow2.h"
#include "block/test_disk.h"

#define SLICES 8
#define WORDS  512 /* of a slice */

/* Each word of the file says which slice it is in. */
static uint64_t locate(const struct qcow2 *qcow2, uint64_t number)
{
	(void)qcow2;
	return MIB + number * 4 * KIB;
}

static const struct qcow2_cache_kind kind = {
	.stage = QCOW2_STAGE_L2,
	.locate = locate,
};

struct bed {
	struct image *image;
	struct qcow2_cache cache;
};

static void bed_init(struct bed *bed, uint32_t capacity)
{
	struct qcow2_create_options create = TEST_CREATE(MIB, 12, 3, 4, 0);
	be64 words[WORDS];

	bed->image = test_image_open(test_image_new(&create), 0, NULL);
	bed->cache = (struct qcow2_cache){0};
	for (uint64_t i = 0; i < SLICES; i++) {
		for (unsigned int j = 0; j < WORDS; j++)
			words[j] = be64_make(i);
		CHECK(!file_write(bed->image->file, words, sizeof(words),
				  locate(NULL, i)));
	}
	CHECK(!qcow2_cache_init(&bed->cache, qcow2_of(bed->image), &kind,
				4 * KIB, SLICES, capacity * 4 * KIB));
}

static void bed_fini(struct bed *bed)
{
	qcow2_cache_fini(&bed->cache);
	image_close(bed->image);
}

static void get(struct bed *bed, uint64_t number)
{
	uint8_t *slice;

	CHECK(!qcow2_cache_get(&bed->cache, number, &slice));
	CHECK_EQUAL(qcow2_word_get(slice, WORDS - 1), number);
}

static bool is_there(struct bed *bed, uint64_t number)
{
	struct qcow2_peek peek;

	return qcow2_cache_peek(&bed->cache, number, &peek);
}

static void slices_are_where_they_were_put(void)
{
	struct bed bed;

	bed_init(&bed, SLICES);
	for (uint64_t i = 0; i < SLICES; i++) {
		CHECK(!is_there(&bed, i));
		get(&bed, i);
		CHECK(is_there(&bed, i));
	}
	for (uint64_t i = 0; i < SLICES; i++)
		get(&bed, i);
	CHECK_EQUAL(bed.cache.misses, SLICES);
	CHECK_EQUAL(bed.cache.evictions, 0);
	bed_fini(&bed);
}

static void who_peeks_notices_an_eviction(void)
{
	struct qcow2_peek peek;
	struct bed bed;

	bed_init(&bed, 1);
	get(&bed, 0);
	REQUIRE(qcow2_cache_peek(&bed.cache, 0, &peek));
	CHECK(qcow2_cache_is_same(&bed.cache, &peek));
	get(&bed, 1);
	CHECK(!qcow2_cache_is_same(&bed.cache, &peek));
	CHECK(!is_there(&bed, 0));
	/* Also if it is back, for it was not there all the time. */
	get(&bed, 0);
	CHECK(!qcow2_cache_is_same(&bed.cache, &peek));
	CHECK_EQUAL(bed.cache.evictions, 2);
	bed_fini(&bed);
}

static void who_peeks_notices_a_change(void)
{
	struct qcow2_peek peek;
	struct bed bed;

	bed_init(&bed, 1);
	get(&bed, 0);
	REQUIRE(qcow2_cache_peek(&bed.cache, 0, &peek));
	qcow2_cache_change_begin(&bed.cache, 0);
	CHECK(!is_there(&bed, 0));
	CHECK(!qcow2_cache_is_same(&bed.cache, &peek));
	qcow2_cache_change_end(&bed.cache, 0);
	CHECK(!qcow2_cache_is_same(&bed.cache, &peek));
	CHECK(is_there(&bed, 0));
	bed_fini(&bed);
}

static void trimming_leaves_what_is_used(void)
{
	struct bed bed;
	uint8_t *slice;

	bed_init(&bed, SLICES);
	for (uint64_t i = 0; i < SLICES; i++)
		get(&bed, i);
	qcow2_cache_trim(&bed.cache);
	CHECK(!qcow2_cache_get(&bed.cache, 3, &slice));
	qcow2_word_set(slice, 0, 99);
	qcow2_cache_mark_dirty(&bed.cache, 3);
	get(&bed, 5);
	qcow2_cache_trim(&bed.cache);
	for (uint64_t i = 0; i < SLICES; i++)
		CHECK_EQUAL(is_there(&bed, i), i == 3 || i == 5);
	qcow2_cache_trim(&bed.cache);
	qcow2_cache_trim(&bed.cache);
	/* Dirty ones are not lost, and vacant slots are used again. */
	CHECK(!qcow2_cache_get(&bed.cache, 3, &slice));
	CHECK_EQUAL(qcow2_word_get(slice, 0), 99);
	for (uint64_t i = 0; i < SLICES; i++)
		CHECK(!qcow2_cache_get(&bed.cache, i, &slice));
	CHECK_EQUAL(bed.cache.evictions, 0);
	bed_fini(&bed);
}

/* --- Side by side --------------------------------------------------------- */

#define PEEKERS 3
#define GETS	20000

struct race {
	struct bed bed;
	atomic_bool ended;
	atomic_ulong same, wrong;
};

static void peek_once(struct race *race, struct test_random *random)
{
	uint64_t number = test_below(random, SLICES);
	uint64_t first, last;
	struct qcow2_peek peek;

	if (!qcow2_cache_peek(&race->bed.cache, number, &peek))
		return;
	first = qcow2_word_get(peek.slice, 0);
	last = qcow2_word_get(peek.slice, WORDS - 1);
	if (!qcow2_cache_is_same(&race->bed.cache, &peek))
		return;
	race->same++;
	race->wrong += first != number || last != number;
}

static void *peek_often(void *context)
{
	struct race *race = context;
	struct test_random random = {(uintptr_t)&random};

	while (!atomic_load(&race->ended))
		peek_once(race, &random);
	return NULL;
}

static void nobody_sees_a_slice_half_there(void)
{
	struct race race = {0};
	struct test_random random = {1};
	pthread_t threads[PEEKERS];

	bed_init(&race.bed, 3);
	for (unsigned int i = 0; i < PEEKERS; i++)
		pthread_create(&threads[i], NULL, peek_often, &race);
	for (unsigned int i = 0; i < GETS || !race.same; i++) {
		get(&race.bed, test_below(&random, SLICES));
		if (i % 64 == 0)
			qcow2_cache_trim(&race.bed.cache);
	}
	atomic_store(&race.ended, true);
	for (unsigned int i = 0; i < PEEKERS; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQUAL(race.wrong, 0);
	bed_fini(&race.bed);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(slices_are_where_they_were_put),
		TEST(who_peeks_notices_an_eviction),
		TEST(who_peeks_notices_a_change),
		TEST(trimming_leaves_what_is_used),
		TEST(nobody_sees_a_slice_half_there),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

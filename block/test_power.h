/*
 * block/test_power.h - for tests: the disks that a power cut may leave.
 *
 * What a recorder's log holds before a flush of a file is on the disk after it.
 * Of what came since, any subset may be there, each write perhaps only in part.
 * So before each flush, and at the end, these states are tried: every subset of
 * up to 10 entries; of more, each prefix, all but one, only one, and 256 random
 * ones; and each prefix with its last entry torn at a sector's edge.
 */
#ifndef BLOCK_TEST_POWER_H
#define BLOCK_TEST_POWER_H

#include "block/test_disk.h"
#include "block/test_recorder.h"

#define TEST_POWER_FILES  4
#define TEST_POWER_SUBSET 10
#define TEST_POWER_RANDOM 256

/* What an entry overwrote or cut off, to be put back. */
struct test_undo {
	struct file *disk;
	uint64_t size; /* of the disk */
	uint64_t offset, length;
	uint8_t *bytes;
};

struct test_power {
	const struct test_log_entry *log;
	size_t log_length;
	struct file *disk[TEST_POWER_FILES]; /* the state; NULL: no such file */
	struct test_random random;
	/* States are judged with this probability, in 2^-32. */
	uint64_t chance;
	/*
	 * Is the state right? It was reached when the log was @length long.
	 * NULL: states are only counted.
	 */
	bool (*judge)(struct test_power *power, size_t length);
	void *context;
	unsigned long states, failures;

	size_t *pending; /* entries that are perhaps on the disk */
	size_t pending_count;
	bool *chosen; /* of pending */
	struct test_undo *undo;
	size_t undo_count;
	size_t synced; /* the log's length at the last flush */
	size_t until;  /* the next one, or its end */
};

/* Which bytes of an entry reach the disk if power fails in the middle. */
static inline void test_power_tear(struct test_power *power,
				   const struct test_log_entry *entry,
				   uint64_t *ret_from, uint64_t *ret_end)
{
	uint64_t first = entry->offset / BLOCK_SECTOR;
	uint64_t sectors = div_round_up(entry->offset + entry->length,
					BLOCK_SECTOR) -
			   first;
	uint64_t edge;

	*ret_from = *ret_end = 0;
	if (sectors < 2)
		return;
	edge = (first + 1 + test_below(&power->random, sectors - 1)) *
		       BLOCK_SECTOR -
	       entry->offset;
	if (test_below(&power->random, 2)) {
		*ret_end = edge;
	} else {
		*ret_from = edge;
		*ret_end = entry->length;
	}
}

/* What a file holds where an entry will change it. */
static inline struct test_undo test_power_save(
	struct file *disk, const struct test_log_entry *entry)
{
	struct test_undo undo = {disk, file_size(disk), entry->offset,
				 entry->length, NULL};

	if (entry->kind == TEST_LOG_TRUNCATE)
		undo.length = undo.size - min_u64(undo.size, entry->offset);
	undo.bytes = malloc(undo.length + 1);
	file_read(disk, undo.bytes, undo.length, undo.offset);
	return undo;
}

static inline void test_power_apply(struct test_power *power, size_t at,
				    bool torn)
{
	const struct test_log_entry *entry = &power->log[at];
	struct file *disk = power->disk[entry->file];
	uint64_t from = 0, end = entry->length;

	power->undo[power->undo_count++] = test_power_save(disk, entry);
	if (torn)
		test_power_tear(power, entry, &from, &end);
	test_log_apply(entry, disk, from, end);
}

static inline void test_power_revert(struct test_power *power)
{
	struct test_undo *undo;

	while (power->undo_count) {
		undo = &power->undo[--power->undo_count];
		if (undo->length)
			file_write(undo->disk, undo->bytes, undo->length,
				   undo->offset);
		file_truncate(undo->disk, undo->size);
		free(undo->bytes);
	}
}

/* The chosen ones are on the disk, one of them (or none) in part. */
static inline void test_power_try(struct test_power *power, size_t torn)
{
	size_t length = power->synced;

	if (!power->judge ||
	    test_random(&power->random) >> 32 >= power->chance) {
		power->states += !power->judge;
		return;
	}
	power->states++;
	for (size_t i = 0; i < power->pending_count; i++) {
		if (!power->chosen[i])
			continue;
		test_power_apply(power, power->pending[i], i == torn);
		length = max_u64(length, power->pending[i] + 1);
	}
	power->failures += !power->judge(power, length);
	test_power_revert(power);
}

#define TEST_POWER_WHOLE SIZE_MAX

static inline void test_power_choose(struct test_power *power, size_t from,
				     size_t end, bool chosen)
{
	for (size_t i = from; i < end; i++)
		power->chosen[i] = chosen;
}

static inline void test_power_try_small(struct test_power *power)
{
	size_t count = power->pending_count;

	for (unsigned int bits = 0; bits < 1U << count; bits++) {
		for (size_t i = 0; i < count; i++)
			power->chosen[i] = bits >> i & 1;
		test_power_try(power, TEST_POWER_WHOLE);
	}
}

static inline void test_power_try_large(struct test_power *power)
{
	size_t count = power->pending_count;

	for (size_t i = 0; i < count; i++) {
		test_power_choose(power, 0, count, true);
		power->chosen[i] = false;
		test_power_try(power, TEST_POWER_WHOLE);
		test_power_choose(power, 0, count, false);
		power->chosen[i] = true;
		test_power_try(power, TEST_POWER_WHOLE);
		test_power_choose(power, 0, i, true);
		test_power_try(power, TEST_POWER_WHOLE);
	}
	for (unsigned int n = 0; n < TEST_POWER_RANDOM; n++) {
		for (size_t i = 0; i < count; i++)
			power->chosen[i] = test_below(&power->random, 2);
		test_power_try(power, TEST_POWER_WHOLE);
	}
}

static inline void test_power_try_all(struct test_power *power)
{
	size_t count = power->pending_count;

	if (count <= TEST_POWER_SUBSET)
		test_power_try_small(power);
	else
		test_power_try_large(power);
	test_power_choose(power, 0, count, false);
	for (size_t i = 0; i < count; i++) {
		power->chosen[i] = true;
		test_power_try(power, i);
	}
}

/* What is pending for this file is on its disk from now on. */
static inline void test_power_sync(struct test_power *power, size_t at)
{
	size_t kept = 0;

	for (size_t i = 0; i < power->pending_count; i++) {
		size_t entry = power->pending[i];

		if (power->log[entry].file == power->log[at].file)
			test_log_apply(&power->log[entry],
				       power->disk[power->log[at].file], 0,
				       power->log[entry].length);
		else
			power->pending[kept++] = entry;
	}
	power->pending_count = kept;
	power->synced = at + 1;
}

static inline void test_power_walk(struct test_power *power)
{
	size_t room = power->log_length + 1;

	power->pending = calloc(room, sizeof(*power->pending));
	power->chosen = calloc(room, sizeof(*power->chosen));
	power->undo = calloc(room, sizeof(*power->undo));
	power->pending_count = power->synced = power->states = 0;
	for (size_t i = 0; i < power->log_length; i++) {
		if (power->log[i].kind != TEST_LOG_FLUSH) {
			power->pending[power->pending_count++] = i;
			continue;
		}
		power->until = i;
		test_power_try_all(power);
		if (power->judge)
			test_power_sync(power, i);
		else
			power->pending_count = 0; /* near enough to count */
	}
	power->until = power->log_length;
	test_power_try_all(power);
	free(power->pending);
	free(power->chosen);
	free(power->undo);
}

/* Judges about @wanted of the states; the disks are used up. */
static inline void test_power_run(struct test_power *power,
				  unsigned long wanted)
{
	bool (*judge)(struct test_power *, size_t) = power->judge;

	power->judge = NULL;
	test_power_walk(power);
	power->chance = ((uint64_t)wanted << 32) / max_u64(power->states, 1);
	power->judge = judge;
	test_power_walk(power);
}

#endif

/*
 * block/test_subject.h - for tests: an image that QEMU and we have in turns,
 * what it must hold, and the commands of qemu-img, or of ours, that change it
 * as a whole.
 *
 * What the disk and the snapshots hold is learned from "qemu-img convert" when
 * QEMU had the image; when we had it, QEMU must find what is expected here.
 */
#ifndef BLOCK_TEST_SUBJECT_H
#define BLOCK_TEST_SUBJECT_H

#include "block/test_layout.h"

#define TEST_SNAPSHOTS_MAX 3

struct test_contents {
	uint64_t size;
	uint64_t known; /* bytes, from the beginning */
	uint8_t data[TEST_SIZE_MAX];
};

struct test_snapshot {
	char name[8];
	struct test_contents *contents; /* owned */
};

struct test_subject {
	struct test_random random;
	struct test_layout layout;
	enum test_backing backing;  /* now */
	struct test_contents *disk; /* owned */
	struct test_snapshot snapshots[TEST_SNAPSHOTS_MAX];
	unsigned int snapshot_count;
	unsigned int snapshots_made; /* their names are numbers */
	FILE *script;		     /* what QEMU is to do next */
	FILE *history;		     /* and all that was done, for people */
};

static inline void test_subject_init(struct test_subject *subject,
				     uint64_t seed)
{
	*subject = (struct test_subject){.random = {seed}};
	subject->layout = test_layout_choose(&subject->random);
	subject->backing = subject->layout.backing;
	subject->disk = malloc(sizeof(*subject->disk));
	subject->disk->size = subject->layout.size;
	subject->disk->known = 0;
	subject->history = fopen("history", "w");
	fprintf(subject->history, "# ALCOR_TEST_SEED=%llu\n",
		(unsigned long long)seed);
}

static inline void test_subject_fini(struct test_subject *subject)
{
	for (unsigned int i = 0; i < subject->snapshot_count; i++)
		free(subject->snapshots[i].contents);
	free(subject->disk);
	fclose(subject->history);
}

static inline void test_contents_copy(struct test_contents *to,
				      const struct test_contents *from)
{
	to->size = from->size;
	to->known = from->known;
	memcpy(to->data, from->data, from->known);
}

/* What is new reads as zeroes. */
static inline void test_contents_resize(struct test_contents *contents,
					uint64_t size)
{
	if (contents->known == contents->size && size > contents->size) {
		memset(contents->data + contents->size, 0,
		       size - contents->size);
		contents->known = size;
	}
	contents->known = min_u64(contents->known, size);
	contents->size = size;
}

/* --- Commands ------------------------------------------------------------- */

/*
 * Version 2 does not keep the sizes of snapshots. Where the disk is not yet,
 * QEMU cannot hide what a backing file has in version 2, nor at the end of a
 * compressed cluster with subclusters.
 */
static inline bool test_subject_can_resize(const struct test_subject *subject)
{
	const struct test_layout *layout = &subject->layout;

	if (layout->old)
		return !subject->snapshot_count && !subject->backing;
	return !layout->extended || !subject->backing ||
	       is_aligned(subject->disk->size, layout->cluster_size);
}

static inline bool test_subject_resize(struct test_subject *subject,
				       char *ret_command)
{
	uint64_t size = test_layout_size(&subject->random, &subject->layout);

	if (!test_subject_can_resize(subject))
		return false;
	test_contents_resize(subject->disk, size);
	snprintf(ret_command, TEST_COMMAND_ROOM,
		 "resize -q -f qcow2 --shrink image %llu",
		 (unsigned long long)size);
	return true;
}

static inline void test_subject_create_snapshot(struct test_subject *subject,
						char *ret_command)
{
	struct test_snapshot *snapshot =
		&subject->snapshots[subject->snapshot_count++];

	snprintf(snapshot->name, sizeof(snapshot->name), "s%u",
		 ++subject->snapshots_made % 1000);
	snapshot->contents = malloc(sizeof(*snapshot->contents));
	test_contents_copy(snapshot->contents, subject->disk);
	snprintf(ret_command, TEST_COMMAND_ROOM, "snapshot -c %s image",
		 snapshot->name);
}

/* It resizes the disk. */
static inline bool test_subject_can_apply(const struct test_subject *subject,
					  const struct test_snapshot *snapshot)
{
	return snapshot->contents->size == subject->disk->size ||
	       test_subject_can_resize(subject);
}

static inline bool test_subject_snapshot(struct test_subject *subject,
					 char *ret_command)
{
	unsigned int kind = (unsigned int)test_below(&subject->random, 4);
	unsigned int count = subject->snapshot_count;
	struct test_snapshot *snapshot;
	bool apply;

	if (!subject->layout.snapshots)
		return false;
	if (!count || (kind < 2 && count < TEST_SNAPSHOTS_MAX)) {
		test_subject_create_snapshot(subject, ret_command);
		return true;
	}
	snapshot = &subject->snapshots[test_below(&subject->random, count)];
	apply = kind % 2 && test_subject_can_apply(subject, snapshot);
	snprintf(ret_command, TEST_COMMAND_ROOM, "snapshot -%c %s image",
		 apply ? 'a' : 'd', snapshot->name);
	if (apply) {
		test_contents_copy(subject->disk, snapshot->contents);
		return true;
	}
	free(snapshot->contents);
	*snapshot = subject->snapshots[--subject->snapshot_count];
	return true;
}

/* Snapshots show the new backing file in any case; the disk if that is told. */
static inline bool test_subject_rebase(struct test_subject *subject,
				       char *ret_command)
{
	bool unsafe = test_below(&subject->random, 2);

	if (subject->layout.data_raw)
		return false;
	subject->backing = (enum test_backing)test_below(&subject->random,
							 TEST_BACKINGS);
	for (unsigned int i = 0; i < subject->snapshot_count; i++)
		subject->snapshots[i].contents->known = 0;
	if (unsafe)
		subject->disk->known = 0;
	snprintf(ret_command, TEST_COMMAND_ROOM, "rebase -f qcow2 %s%s image",
		 unsafe ? "-u " : "", test_backing_options[subject->backing]);
	return true;
}

/*
 * Chooses a command; what has to be expected after it is noted. False: not
 * this time.
 */
static inline bool test_subject_command(struct test_subject *subject,
					char *ret_command)
{
	switch (test_below(&subject->random, 4)) {
	case 0:
		return test_subject_resize(subject, ret_command);
	case 1:
		return test_subject_rebase(subject, ret_command);
	default:
		return test_subject_snapshot(subject, ret_command);
	}
}

#endif

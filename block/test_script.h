/*
 * block/test_script.h - for tests: random scripts for qemu-io and qemu-img, as
 * shell text: each ends with what QEMU says the image holds.
 *
 * Commands ask only for what works, so that each must succeed.
 */
#ifndef BLOCK_TEST_SCRIPT_H
#define BLOCK_TEST_SCRIPT_H

#include "block/test_subject.h"

/* Of the script, and kept for people. */
__attribute__((format(printf, 2, 3))) static inline void test_script_add(
	struct test_subject *subject, const char *format, ...)
{
	FILE *const files[] = {subject->script, subject->history};
	va_list args;

	for (size_t i = 0; i < ARRAY_LENGTH(files); i++) {
		va_start(args, format);
		vfprintf(files[i], format, args);
		va_end(args);
	}
}

/* --- qemu-io -------------------------------------------------------------- */

/* Sectors most often, sometimes whole clusters. */
static inline void test_script_range(struct test_subject *subject,
				     uint64_t *ret_offset, uint64_t *ret_length)
{
	uint64_t size = subject->disk->size, longest = 400, unit = BLOCK_SECTOR;

	if (!test_below(&subject->random, 3) &&
	    size >= subject->layout.cluster_size) {
		unit = subject->layout.cluster_size;
		longest = 3;
	}
	*ret_offset = test_below(&subject->random, size / unit);
	*ret_length = 1 + test_below(&subject->random, longest);
	*ret_length = min_u64(*ret_length, size / unit - *ret_offset) * unit;
	*ret_offset *= unit;
}

static inline unsigned int test_script_pattern(struct test_subject *subject)
{
	return 1 + (unsigned int)test_below(&subject->random, 255);
}

/*
 * Neighbours as compressed clusters. QEMU only writes them where nothing is, so
 * a discard comes before; and in a process that has freed compressed clusters
 * it may put more behind them in a cluster that has a new owner, so the image
 * is opened afresh. Clusters that share one then do so from here on.
 */
static inline void test_script_compress(struct test_subject *subject)
{
	uint64_t size = subject->disk->size;
	uint64_t unit = subject->layout.cluster_size;
	uint64_t clusters = div_round_up(size, unit);
	uint64_t first = test_below(&subject->random, clusters);
	uint64_t end = min_u64(clusters,
			       first + 1 + test_below(&subject->random, 4));

	test_script_add(subject,
			" -c 'discard %llu %llu' -c close "
			"-c 'open -d unmap image'",
			(unsigned long long)(first * unit),
			(unsigned long long)(min_u64(end * unit, size) -
					     first * unit));
	for (uint64_t i = first; i < end; i++)
		test_script_add(subject, " -c 'write -c -P %u %llu %llu'",
				test_script_pattern(subject),
				(unsigned long long)(i * unit),
				(unsigned long long)min_u64(unit,
							    size - i * unit));
	test_script_add(subject, " -c close -c 'open -d unmap image'");
}

/* In version 2 what is discarded above a backing file stays allocated. */
static inline bool test_script_can_compress(const struct test_subject *subject)
{
	return !subject->layout.data_file &&
	       (!subject->layout.old || !subject->backing);
}

static inline void test_script_command(struct test_subject *subject)
{
	static const char *const words[] = {"write -z", "write -z -u",
					    "discard", "write -z -f"};
	unsigned int kind = (unsigned int)test_below(&subject->random, 12);
	uint64_t offset, length;

	test_script_range(subject, &offset, &length);
	if (kind < ARRAY_LENGTH(words)) {
		test_script_add(subject, " -c '%s %llu %llu'", words[kind],
				(unsigned long long)offset,
				(unsigned long long)length);
	} else if (kind == 4) {
		test_script_add(subject, " -c flush");
	} else if (kind == 5 && test_subject_can_resize(subject)) {
		test_contents_resize(subject->disk,
				     test_layout_size(&subject->random,
						      &subject->layout));
		test_script_add(subject, " -c 'truncate %llu'",
				(unsigned long long)subject->disk->size);
	} else if (kind < 7 && test_script_can_compress(subject)) {
		test_script_compress(subject);
	} else {
		test_script_add(subject, " -c 'write -P %u %llu %llu'",
				test_script_pattern(subject),
				(unsigned long long)offset,
				(unsigned long long)length);
	}
}

/* Discards reach the file with -d unmap only. */
static inline void test_script_io(struct test_subject *subject)
{
	unsigned int count = 4 + (unsigned int)test_below(&subject->random, 9);

	test_script_add(subject, "qemu-io -d unmap -f qcow2");
	for (unsigned int i = 0; i < count; i++)
		test_script_command(subject);
	test_script_add(subject, " image\n");
}

/* --- The whole ------------------------------------------------------------ */

static inline void test_script_convert(struct test_subject *subject,
				       const struct test_snapshot *snapshot)
{
	fprintf(subject->script,
		"qemu-img convert -f qcow2 -O raw -l %s image %s\n",
		snapshot->name, snapshot->name);
}

/*
 * No errors; what QEMU reads goes to the file "disk", and a snapshot that is
 * not known to one of its name.
 */
static inline void test_script_ask(struct test_subject *subject)
{
	fprintf(subject->script,
		"qemu-img check -f qcow2 image\n"
		"qemu-img convert -f qcow2 -O raw image disk\n");
	for (unsigned int i = 0; i < subject->snapshot_count; i++)
		if (!subject->snapshots[i].contents->known)
			test_script_convert(subject, &subject->snapshots[i]);
}

/*
 * No errors, and the disk is what "expected" has, in size as well; so is a raw
 * data file, which may be longer. The snapshots go to files as above.
 */
static inline void test_script_compare(struct test_subject *subject)
{
	fprintf(subject->script,
		"qemu-img check -f qcow2 image\n"
		"said=$(qemu-img compare -f raw -F qcow2 expected image 2>&1)\n"
		"test \"$said\" = 'Images are identical.'\n");
	if (subject->layout.data_raw)
		fprintf(subject->script,
			"qemu-img compare -f raw -F raw expected data\n");
	for (unsigned int i = 0; i < subject->snapshot_count; i++)
		test_script_convert(subject, &subject->snapshots[i]);
}

static inline void test_script_begin(struct test_subject *subject)
{
	subject->script = fopen("script", "w");
	fprintf(subject->script, "set -e\n");
}

/* Runs it. Does every command succeed? */
static inline bool test_script_end(struct test_subject *subject)
{
	fclose(subject->script);
	subject->script = NULL;
	fflush(subject->history);
	return !test_shell("timeout 100 sh -x script >output 2>&1");
}

/* What the disk holds then is not known before QEMU is asked. */
static inline void test_script_step(struct test_subject *subject)
{
	char command[TEST_COMMAND_ROOM];

	if (test_below(&subject->random, 2))
		test_script_io(subject);
	else if (test_subject_command(subject, command))
		test_script_add(subject, "qemu-img %s\n", command);
	subject->disk->known = 0;
}

static inline void test_script_create(struct test_subject *subject)
{
	char command[TEST_COMMAND_ROOM];

	test_layout_create(&subject->layout, command);
	test_script_add(subject, "qemu-img %s\n", command);
}

/* QEMU's turn: a few steps, perhaps with a new image. */
static inline bool test_script_run(struct test_subject *subject, bool create)
{
	unsigned int count = 1 + (unsigned int)test_below(&subject->random, 5);

	test_script_begin(subject);
	if (create)
		test_script_create(subject);
	subject->disk->known = 0;
	test_script_io(subject);
	for (unsigned int i = 0; i < count; i++)
		test_script_step(subject);
	test_script_ask(subject);
	return test_script_end(subject);
}

#endif

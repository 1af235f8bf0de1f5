/*
 * block/test_change.h - for tests: a change of a disk as a whole - snapshots,
 * sizes, repairs, commit, rebase - on files in memory, and what a user sees of
 * the disk before it, after it and in between.
 *
 * The files of the disk share one log (test_recorder.h), which is complete
 * only when all of them are closed: from it the files are rebuilt, as they are
 * then, or as a power cut may leave them.
 */
#ifndef BLOCK_TEST_CHANGE_H
#define BLOCK_TEST_CHANGE_H

#include "block/qcow2.h"
#include "block/test_check.h"
#include "block/test_disk.h"
#include "block/test_lent.h"
#include "block/test_recorder.h"

/* --- The files of a disk -------------------------------------------------- */

enum test_file { TEST_IMAGE, TEST_DATA, TEST_BASE, TEST_OTHER, TEST_FILES };

/* By these names images call each other. */
static const char *const test_file_names[] = {"image", "data", "base", "other"};

/* In memory; NULL: there is no such file. */
struct test_files {
	struct file *file[TEST_FILES];
};

static inline struct file *test_file_copy(struct file *file)
{
	if (!file)
		return NULL;
	return file_memory_new(file_memory_data(file), file_size(file));
}

static inline struct test_files test_files_copy(const struct test_files *files)
{
	struct test_files copy;

	for (unsigned int i = 0; i < TEST_FILES; i++)
		copy.file[i] = test_file_copy(files->file[i]);
	return copy;
}

static inline void test_files_close(struct test_files *files)
{
	for (unsigned int i = 0; i < TEST_FILES; i++)
		file_close(files->file[i]);
}

static inline bool test_is_qcow2(struct file *file)
{
	return !memcmp(file_memory_data(file), "QFI\xfb", 4);
}

/* Reads the file only, and leaves it open. NULL: none, or it cannot be. */
static inline struct image *test_files_open_backing(
	const struct test_files *files, const struct image_backing *backing)
{
	struct image_options options = {.name = "backing", .read_only = true};
	struct file *file = NULL;
	struct image *image;
	int ret;

	for (unsigned int i = TEST_BASE; i < TEST_FILES; i++)
		if (!strcmp(backing->name, test_file_names[i]))
			file = test_lend(files->file[i]);
	if (!file)
		return NULL;
	if (!strcmp(backing->format, "raw"))
		ret = raw_open(file, &options, &image, NULL);
	else
		ret = qcow2_open(file, &options, &image, NULL);
	if (!ret)
		return image;
	file_close(file);
	return NULL;
}

/* Where it is possible a writer opens it, who is stricter; nothing changes. */
static inline struct image *test_files_open(const struct test_files *files,
					    const char *snapshot_id,
					    bool is_corrupt)
{
	struct image_options options = {
		.name = "image",
		.read_only = snapshot_id || is_corrupt,
		.snapshot_id = snapshot_id,
		.data_file = test_lend(files->file[TEST_DATA]),
	};
	struct file *file = test_lend(files->file[TEST_IMAGE]);
	struct image *image;

	if (qcow2_open(file, &options, &image, NULL)) {
		file_close(file);
		file_close(options.data_file);
		return NULL;
	}
	if (!image->backing_ref.name[0])
		return image;
	image->backing = test_files_open_backing(files, &image->backing_ref);
	if (image->backing)
		return image;
	image_close(image);
	return NULL;
}

/* --- What a user sees ----------------------------------------------------- */

#define TEST_SIGHT_SECTORS     1024
#define TEST_SNAPSHOT	       "a"
#define TEST_UNKNOWN_EXTENSION 0x616c6372

struct test_sight {
	unsigned int errors; /* of all images */
	uint64_t features;
	uint64_t size;
	uint64_t raw_size; /* of a data file that is what the disk is */
	struct image_backing backing;
	uint8_t extension[16];		       /* one that nobody knows */
	uint64_t disk[TEST_SIGHT_SECTORS];     /* what each sector holds */
	uint64_t snapshot[TEST_SIGHT_SECTORS]; /* zeroes if it is not there */
};

static inline bool test_sight_read(const struct test_files *files,
				   const char *snapshot_id, bool is_corrupt,
				   struct image_backing *ret_backing,
				   uint64_t *ret_size, uint64_t *ret_values)
{
	struct image *image = test_files_open(files, snapshot_id, is_corrupt);
	static uint8_t data[TEST_SIGHT_SECTORS * BLOCK_SECTOR];
	bool right;

	if (!image)
		return false;
	*ret_size = image->size;
	*ret_backing = image->backing_ref;
	right = image->size <= sizeof(data) &&
		!image_read_padded(image, 0, image->size, data);
	for (uint64_t i = 0; right && i < image->size / BLOCK_SECTOR; i++)
		ret_values[i] = test_sector_value(data + i * BLOCK_SECTOR);
	image_close(image);
	return right;
}

/* Of all images. *ret_errors, and what is leaked. */
static inline unsigned int test_files_check(const struct test_files *files,
					    unsigned int *ret_errors)
{
	struct test_check check;
	unsigned int leaks = 0;
	struct file *file;

	*ret_errors = 0;
	for (unsigned int i = 0; i < TEST_FILES; i++) {
		file = files->file[i];
		if (!file || i == TEST_DATA || !test_is_qcow2(file))
			continue;
		check = test_check_image(file_memory_data(file),
					 file_size(file));
		*ret_errors += check.errors;
		leaks += check.leaks;
	}
	return leaks;
}

/* Sectors of the disk that a raw data file does not have. */
static inline unsigned int test_raw_faults(const struct test_sight *sight,
					   struct file *data)
{
	uint8_t sector[BLOCK_SECTOR];
	unsigned int faults = 0;

	for (uint64_t i = 0; i < sight->size / BLOCK_SECTOR; i++) {
		file_read(data, sector, sizeof(sector), i * BLOCK_SECTOR);
		faults += test_sector_value(sector) != sight->disk[i];
	}
	return faults + (file_size(data) < sight->size);
}

/* False if the disk cannot be read. */
static inline bool test_sight_make(const struct test_files *files,
				   struct test_sight *ret)
{
	struct file *file = files->file[TEST_IMAGE];
	struct test_check view = {.data = file_memory_data(file),
				  .size = file_size(file)};
	uint64_t length = QCOW2_V2_LENGTH, size;
	struct image_backing backing;

	memset(ret, 0, sizeof(*ret));
	test_files_check(files, &ret->errors);
	if (test_get(&view, 4, 4) > 2) {
		ret->features = test_get(&view, 72, 8);
		length = test_get(&view, 100, 4);
	}
	if (!test_sight_read(files, NULL, ret->features & QCOW2_CORRUPT,
			     &ret->backing, &ret->size, ret->disk))
		return false;
	test_sight_read(files, TEST_SNAPSHOT, true, &backing, &size,
			ret->snapshot);
	if (length > QCOW2_V2_LENGTH &&
	    test_get(&view, 88, 8) & QCOW2_DATA_FILE_RAW) {
		ret->raw_size = file_size(files->file[TEST_DATA]);
		ret->errors += test_raw_faults(ret, files->file[TEST_DATA]);
	}
	return !qcow2_extension_find(file, length,
				     1ULL << test_get(&view, 20, 4),
				     TEST_UNKNOWN_EXTENSION, ret->extension,
				     sizeof(ret->extension));
}

static inline bool test_sight_is_same(const struct test_sight *a,
				      const struct test_sight *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* --- A change that is recorded -------------------------------------------- */

struct test_change {
	const struct test_files *start; /* not owned */
	struct test_recorder *log; /* a file of its own, never closed by us */
	struct test_recorder *recorder[TEST_FILES];
	bool taken[TEST_FILES]; /* by whoever closes it */
	bool fails_reads;	/* as in the recorders */
	int ret;
	size_t ended; /* the log's length then */
	/* Between that and closing, where an image is open; or NULL. */
	void (*afterwards)(struct test_change *change, struct image *top);
};

/* Takes @below over. */
static inline struct test_recorder *test_change_record(
	struct test_change *change, enum test_file which, struct file *below)
{
	struct test_recorder *recorder = test_recorder_new(below);

	recorder->number = which;
	recorder->log_to = change->log;
	recorder->keeps_log = true;
	recorder->fails_reads = change->fails_reads;
	return recorder;
}

static inline void test_change_init(struct test_change *change,
				    const struct test_files *start,
				    bool fails_reads)
{
	*change = (struct test_change){
		.start = start,
		.log = test_recorder_new(file_memory_new(NULL, 0)),
		.fails_reads = fails_reads,
	};
	for (unsigned int i = 0; i < TEST_FILES; i++)
		if (start->file[i])
			change->recorder[i] = test_change_record(
				change, i, test_file_copy(start->file[i]));
}

/* The caller closes it, or gives it to an image. NULL: there is none. */
static inline struct file *test_change_take(struct test_change *change,
					    enum test_file which)
{
	change->taken[which] = true;
	return change->recorder[which] ? &change->recorder[which]->file : NULL;
}

/* The files with the first @length entries of the log. */
static inline struct test_files test_change_replay(
	const struct test_change *change, size_t length)
{
	struct test_files files = test_files_copy(change->start);

	for (size_t i = 0; i < length; i++)
		test_log_apply(&change->log->log[i],
			       files.file[change->log->log[i].file], 0,
			       change->log->log[i].length);
	return files;
}

/* The same, once more after it was closed. */
static inline struct file *test_change_take_again(struct test_change *change,
						  enum test_file which)
{
	struct test_files now = test_change_replay(change,
						   change->log->log_length);
	struct test_recorder *recorder = test_change_record(change, which,
							    now.file[which]);

	now.file[which] = NULL;
	test_files_close(&now);
	return &recorder->file;
}

/* The operation has returned; what follows is only closing. */
static inline void test_change_end(struct test_change *change, int ret)
{
	change->ret = ret;
	change->ended = change->log->log_length;
}

/* Closes what the operation has not taken. The log stays. */
static inline void test_change_close(struct test_change *change)
{
	for (unsigned int i = 0; i < TEST_FILES; i++)
		if (change->recorder[i] && !change->taken[i])
			file_close(&change->recorder[i]->file);
}

static inline void test_change_fini(struct test_change *change)
{
	file_close(&change->log->file);
}

#endif

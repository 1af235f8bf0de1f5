/*
 * block/test_recorder.h - for tests: a file that notes what is done to it, and
 * fails when it is told to.
 *
 * Wraps a file in memory. The log holds each write with its bytes, each change
 * of the file's size and each flush, in order; replaying a part of it gives
 * what a disk may hold after a power cut. The files of a disk may share a log.
 * Any thread.
 */
#ifndef BLOCK_TEST_RECORDER_H
#define BLOCK_TEST_RECORDER_H

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "block/file_memory.h"

enum test_log_kind {
	TEST_LOG_WRITE,
	TEST_LOG_ZERO,
	TEST_LOG_TRUNCATE, /* the file ends at the entry's offset */
	TEST_LOG_FLUSH,
};

struct test_log_entry {
	enum test_log_kind kind;
	unsigned int file; /* as in the recorder */
	uint64_t offset, length;
	uint8_t *data; /* WRITE */
};

struct test_recorder {
	struct file file;
	struct file *below;
	pthread_mutex_t lock;	      /* around each call */
	struct test_recorder *log_to; /* whose log it is */
	unsigned int number;	      /* in the log: which file */
	struct test_log_entry *log;
	size_t log_length;
	bool keeps_log;
	/*
	 * Calls [fail_first, fail_end) end with fail_code; counted from 0, for
	 * all files that share a log, and set where the log is.
	 */
	unsigned long calls, fail_first, fail_end;
	int fail_code;
	unsigned int fail_rate; /* in 2^-16 of all calls but flushes; 0: none */
	uint64_t fail_random;
	bool fails_reads;  /* as well */
	bool has_no_holes; /* discards do nothing, zeroes are written */
	bool skips_flush;  /* to see that the harness notices */
};

static inline struct test_recorder *test_recorder_of(struct file *file)
{
	return (struct test_recorder *)file;
}

static inline int test_recorder_call(struct test_recorder *recorder)
{
	struct test_recorder *owner = recorder->log_to;
	unsigned long call = owner->calls++;
	bool fails = call >= owner->fail_first && call < owner->fail_end;

	return fails ? owner->fail_code : 0;
}

/* By chance; for what is not a flush, whose failure would be the end. */
static inline int test_recorder_stumble(struct test_recorder *recorder)
{
	uint64_t *random = &recorder->fail_random;

	*random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
	return *random >> 48 < recorder->fail_rate ? recorder->fail_code : 0;
}

static inline void test_recorder_log(struct test_recorder *recorder,
				     struct test_log_entry entry)
{
	if (!recorder->keeps_log)
		return;
	entry.file = recorder->number;
	recorder = recorder->log_to;
	recorder->log = realloc(recorder->log,
				(recorder->log_length + 1) * sizeof(entry));
	recorder->log[recorder->log_length++] = entry;
}

/* One call at a time, also of two files that share a log. */
static inline void test_recorder_lock(struct test_recorder *recorder)
{
	pthread_mutex_lock(&recorder->log_to->lock);
}

static inline int test_recorder_unlock(struct test_recorder *recorder, int ret)
{
	pthread_mutex_unlock(&recorder->log_to->lock);
	return ret;
}

static inline int test_recorder_readv(struct file *file, struct iovec *iov,
				      size_t count, uint64_t offset)
{
	struct test_recorder *recorder = test_recorder_of(file);
	int ret = 0;

	test_recorder_lock(recorder);
	if (recorder->fails_reads)
		ret = test_recorder_call(recorder);
	if (!ret)
		ret = test_recorder_stumble(recorder);
	if (!ret)
		ret = recorder->below->ops->readv(recorder->below, iov, count,
						  offset);
	return test_recorder_unlock(recorder, ret);
}

static inline int test_recorder_writev(struct file *file, struct iovec *iov,
				       size_t count, uint64_t offset)
{
	struct test_recorder *recorder = test_recorder_of(file);
	struct test_log_entry entry = {TEST_LOG_WRITE, 0, offset, 0, NULL};
	int ret;

	test_recorder_lock(recorder);
	ret = test_recorder_call(recorder);
	if (!ret)
		ret = test_recorder_stumble(recorder);
	if (!ret && recorder->keeps_log) {
		entry.length = iov_length(iov, count);
		entry.data = malloc(entry.length);
		iov_to_buffer(iov, count, 0, entry.data, entry.length);
		test_recorder_log(recorder, entry);
	}
	if (!ret)
		ret = file_writev(recorder->below, iov, count, offset);
	return test_recorder_unlock(recorder, ret);
}

static inline int test_recorder_flush(struct file *file)
{
	struct test_recorder *recorder = test_recorder_of(file);
	int ret;

	test_recorder_lock(recorder);
	ret = test_recorder_call(recorder);
	if (!ret && !recorder->skips_flush)
		test_recorder_log(recorder,
				  (struct test_log_entry){TEST_LOG_FLUSH, 0, 0,
							  0, NULL});
	return test_recorder_unlock(recorder, ret);
}

static inline int test_recorder_zero(struct file *file, uint64_t offset,
				     uint64_t length, bool may_unmap)
{
	struct test_recorder *recorder = test_recorder_of(file);
	int ret;

	test_recorder_lock(recorder);
	ret = test_recorder_call(recorder);
	if (!ret && recorder->has_no_holes)
		ret = -EOPNOTSUPP;
	if (ret)
		return test_recorder_unlock(recorder, ret);
	test_recorder_log(recorder,
			  (struct test_log_entry){TEST_LOG_ZERO, 0, offset,
						  length, NULL});
	ret = file_zero(recorder->below, offset, length, may_unmap);
	return test_recorder_unlock(recorder, ret);
}

static inline int test_recorder_truncate(struct file *file, uint64_t size)
{
	struct test_recorder *recorder = test_recorder_of(file);
	int ret;

	test_recorder_lock(recorder);
	ret = test_recorder_call(recorder);
	if (!ret)
		ret = test_recorder_stumble(recorder);
	if (!ret) {
		test_recorder_log(recorder,
				  (struct test_log_entry){TEST_LOG_TRUNCATE, 0,
							  size, 0, NULL});
		ret = file_truncate(recorder->below, size);
	}
	return test_recorder_unlock(recorder, ret);
}

static inline void test_recorder_close(struct file *file)
{
	struct test_recorder *recorder = test_recorder_of(file);

	for (size_t i = 0; i < recorder->log_length; i++)
		free(recorder->log[i].data);
	free(recorder->log);
	file_close(recorder->below);
	free(recorder);
}

/* Takes @below, a file in memory, over. */
static inline struct test_recorder *test_recorder_new(struct file *below)
{
	static const struct file_ops ops = {
		.readv = test_recorder_readv,
		.writev = test_recorder_writev,
		.flush = test_recorder_flush,
		.zero = test_recorder_zero,
		.truncate = test_recorder_truncate,
		.close = test_recorder_close,
	};
	struct test_recorder *recorder = calloc(1, sizeof(*recorder));

	file_init(&recorder->file, &ops, file_size(below));
	recorder->below = below;
	recorder->log_to = recorder;
	pthread_mutex_init(&recorder->lock, NULL);
	recorder->fail_code = -EIO;
	return recorder;
}

/* Does one entry of the log, or bytes [from, end) of it, to another file. */
static inline void test_log_apply(const struct test_log_entry *entry,
				  struct file *to, uint64_t from, uint64_t end)
{
	if (entry->kind == TEST_LOG_WRITE)
		file_write(to, entry->data + from, end - from,
			   entry->offset + from);
	if (entry->kind == TEST_LOG_ZERO)
		file_zero(to, entry->offset + from, end - from, true);
	if (entry->kind == TEST_LOG_TRUNCATE)
		file_truncate(to, entry->offset);
}

#endif

/*
 * block/test_lent.h - for tests: a file with the bytes of another one, which
 * outlives it and is not written. So that a state can be opened and looked at
 * as often as needed, without a copy.
 */
#ifndef BLOCK_TEST_LENT_H
#define BLOCK_TEST_LENT_H

#include <errno.h>
#include <stdlib.h>

#include "block/file.h"

struct test_lent {
	struct file file;
	struct file *owner;
};

static inline int test_lent_readv(struct file *file, struct iovec *iov,
				  size_t count, uint64_t offset)
{
	struct file *owner = ((struct test_lent *)file)->owner;

	return owner->ops->readv(owner, iov, count, offset);
}

static inline int test_lent_writev(struct file *file, struct iovec *iov,
				   size_t count, uint64_t offset)
{
	(void)file;
	(void)iov;
	(void)count;
	(void)offset;
	return -EIO;
}

static inline int test_lent_flush(struct file *file)
{
	(void)file;
	return 0;
}

static inline void test_lent_close(struct file *file)
{
	free(file);
}

/* NULL for NULL. */
static inline struct file *test_lend(struct file *owner)
{
	static const struct file_ops ops = {
		.readv = test_lent_readv,
		.writev = test_lent_writev,
		.flush = test_lent_flush,
		.close = test_lent_close,
	};
	struct test_lent *lent;

	if (!owner)
		return NULL;
	lent = calloc(1, sizeof(*lent));
	file_init(&lent->file, &ops, file_size(owner));
	lent->owner = owner;
	return &lent->file;
}

#endif

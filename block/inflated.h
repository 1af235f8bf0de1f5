/*
 * block/inflated.h - compressed clusters that were inflated, remembered.
 *
 * A cluster can only be inflated as a whole. So the last ones are kept: a guest
 * that reads in 4 KiB pieces pays once, and so does one that a hostile image
 * would like to keep inflating. Threads that want the same one at once wait
 * for the first of them (single flight); different ones inflate side by side.
 *
 * Threads: any, at once. No lock is held while a cluster is read, inflated or
 * copied.
 */
#ifndef BLOCK_INFLATED_H
#define BLOCK_INFLATED_H

#include <stdbool.h>

#include "block/cursor.h"
#include "block/file.h"
#include "block/qcow2_format.h"

struct inflated;

/* The bytes of a compressed cluster, and the key that names them. */
struct inflated_source {
	struct file *file;
	uint64_t key;	 /* not 0: the L2 entry */
	uint64_t offset; /* in the file */
	size_t length;	 /* at most two clusters */
};

/* NULL: out of memory. */
struct inflated *inflated_new(enum qcow2_compression type, size_t cluster_size);

/* How many clusters are remembered. */
unsigned int inflated_capacity(const struct inflated *inflated);

/* No call may be under way. NULL is none. */
void inflated_free(struct inflated *inflated);

/*
 * Copies @length bytes of the inflated cluster, from its byte @skip on. -EIO
 * where it does not inflate, -errno of the file, -ENOMEM.
 */
int inflated_read(struct inflated *inflated,
		  const struct inflated_source *source, size_t skip,
		  size_t length, struct cursor *to);

/* The same, if it is remembered: false, and nothing is done, if it is not. */
bool inflated_read_known(struct inflated *inflated, uint64_t key, size_t skip,
			 size_t length, struct cursor *to);

/* As if it had been read: whoever reads it next finds it there. */
int inflated_prefetch(struct inflated *inflated,
		      const struct inflated_source *source);

/*
 * Forgets all: keys may come to name other bytes from now on. Nobody may be
 * reading by an old key.
 */
void inflated_forget(struct inflated *inflated);

#endif

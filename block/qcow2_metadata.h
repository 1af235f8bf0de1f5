/*
 * block/qcow2_metadata.h - the clusters that hold the image's own tables.
 *
 * Threads: qcow2_metadata_overlaps() any, at any time; the rest under the
 * disk's lock.
 */
#ifndef BLOCK_QCOW2_METADATA_H
#define BLOCK_QCOW2_METADATA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct qcow2;
struct qcow2_metadata_set;

struct qcow2_metadata {
	_Atomic(struct qcow2_metadata_set *) set; /* [a] */
	uint64_t count;				  /* clusters in it */
};

/* Collects the tables of an open image; wrong ones fail a writer's opening. */
int qcow2_metadata_init(struct qcow2 *qcow2, struct err *err);
void qcow2_metadata_fini(struct qcow2 *qcow2);

/*
 * Before the first write to clusters that will hold tables. -EUCLEAN: one of
 * them holds a table already, though it seemed to be free. -ENOMEM, -EFBIG.
 */
int qcow2_metadata_claim(struct qcow2 *qcow2, uint64_t first, uint64_t count);
void qcow2_metadata_remove(struct qcow2 *qcow2, uint64_t cluster);

/* Does the range touch a table? */
bool qcow2_metadata_overlaps(const struct qcow2 *qcow2, uint64_t offset,
			     uint64_t length);

#endif

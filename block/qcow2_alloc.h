/*
 * block/qcow2_alloc.h - taking host clusters, and giving them back.
 */
#ifndef BLOCK_QCOW2_ALLOC_H
#define BLOCK_QCOW2_ALLOC_H

#include "block/qcow2.h"

/*
 * Takes 1 to @want free clusters that follow each other; their refcount is 1
 * then. Nothing points to them yet, and their contents are undefined.
 */
int qcow2_alloc_take(struct qcow2 *qcow2, uint64_t want, uint64_t *ret_first,
		     uint64_t *ret_count);

/* Gives back at once what was taken and never pointed to. */
void qcow2_alloc_undo(struct qcow2 *qcow2, uint64_t first, uint64_t count);

/*
 * The memory's tables have one pointer less to each of the clusters. Their
 * refcounts follow when that is durable; until then nobody gets them.
 * qcow2_alloc_make_room() must have promised that this fits.
 */
void qcow2_alloc_release(struct qcow2 *qcow2, uint64_t first, uint64_t count);

/* What one step (one slice of an L2 table) may release, at most. */
#define QCOW2_RELEASES_MAX 1024

/* Room for one step's releases; flushes the image if that is needed. */
int qcow2_alloc_make_room(struct qcow2 *qcow2);

/* Lowers the refcounts of what was released; all pointers are durably gone. */
int qcow2_alloc_settle(struct qcow2 *qcow2);

#endif

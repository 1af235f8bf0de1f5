/*
 * block/qcow2_snapshot.h - internal snapshots, as far as writers must know.
 *
 * Writes leave snapshots alone because refcounts and the COPIED flag say what
 * they share; this only finds the tables that no write may touch.
 */
#ifndef BLOCK_QCOW2_SNAPSHOT_H
#define BLOCK_QCOW2_SNAPSHOT_H

#include "block/qcow2.h"

/*
 * Calls @visit with the L1 table of each snapshot, until it returns an error;
 * that is then returned. -EUCLEAN: the snapshot table cannot be right.
 */
int qcow2_snapshot_walk(struct qcow2 *qcow2,
			int (*visit)(void *context, uint64_t l1_offset,
				     uint64_t l1_size),
			void *context, uint64_t *ret_table_bytes);

#endif

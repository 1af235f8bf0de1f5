/*
 * block/qcow2_order.h - the order in which changes reach the disk.
 */
#ifndef BLOCK_QCOW2_ORDER_H
#define BLOCK_QCOW2_ORDER_H

#include "block/qcow2.h"

/* Something of this stage was written to the file, past the stage's own set. */
void qcow2_order_wrote(struct qcow2 *qcow2, enum qcow2_stage stage);

/* Writes all of a stage, and makes all of the stages before it durable. */
int qcow2_order_write(struct qcow2 *qcow2, enum qcow2_stage stage);

/* Nothing waits in memory, nothing is written and not durable. Pure. */
bool qcow2_order_is_settled(const struct qcow2 *qcow2);

/* Makes all stages durable, if qcow2_order_is_settled() is not so already. */
int qcow2_order_settle(struct qcow2 *qcow2);

/* Entries [first, first + count) of a table were changed. */
void qcow2_table_mark_dirty(struct qcow2_table *table, uint64_t first,
			    uint64_t count);

#endif

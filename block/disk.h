/*
 * block/disk.h - struct block from the inside: private to block.c, which does
 * what guests need, and block_tools.c.
 */
#ifndef BLOCK_DISK_H
#define BLOCK_DISK_H

#include <pthread.h>
#include <stdatomic.h>

#include "block/fast.h"
#include "block/flush.h"
#include "block/workers.h"

struct block {
	struct gate gate;     /* of the fast path */
	pthread_mutex_t lock; /* of the slow path; not taken inside the gate */
	atomic_bool settled;  /* [a] see image_ops.is_settled; set by
				 block_unlock() */
	struct image *top;    /* [c] owned; [l] whatever is in memory of it */
	struct workers workers;
	struct flush_group flushes;
};

/* Around all of the slow path; not inside the gate. */
void block_lock(struct block *block);
void block_unlock(struct block *block);

/* For changes that nobody may see half done. */
void block_lock_alone(struct block *block);
void block_unlock_alone(struct block *block);

/* Under the lock, or inside the gate: only then is the disk's size constant. */
int block_check_range(const struct block *block, uint64_t offset,
		      uint64_t length);
/* The same, for whatever changes the disk. */
int block_check_change(const struct block *block, uint64_t offset,
		       uint64_t length);

#endif

/*
 * block/qcow2_alloc.h - host clusters: how often each is referred to, taking
 * free ones, and giving them back.
 *
 * All under the disk's lock.
 */
#ifndef BLOCK_QCOW2_ALLOC_H
#define BLOCK_QCOW2_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block/qcow2_cache.h"

struct qcow2;

/* --- qcow2_refcount.c: how often each cluster is referred to -------------- */

extern const struct qcow2_cache_kind qcow2_refcount_kind;

/* How many slices the blocks have that so many table entries lead to. */
uint64_t qcow2_refcount_slices(const struct qcow2 *qcow2, uint64_t entries);

/* A cluster that no refcount block covers has none: 0. */
int qcow2_refcount_get(struct qcow2 *qcow2, uint64_t cluster,
		       uint64_t *ret_refcount);

/* A block must cover the cluster, and @refcount fit the image's width. */
int qcow2_refcount_set(struct qcow2 *qcow2, uint64_t cluster,
		       uint64_t refcount);

/* The first cluster from @from on whose refcount is 0. */
int qcow2_refcount_find_free(struct qcow2 *qcow2, uint64_t from,
			     uint64_t *ret_cluster);

/* Does a refcount block cover the cluster? */
bool qcow2_refcount_is_covered(const struct qcow2 *qcow2, uint64_t cluster);

/*
 * Makes a block for a free cluster that none covers; takes clusters from the
 * area that becomes covered, perhaps that very one.
 */
int qcow2_refcount_cover(struct qcow2 *qcow2, uint64_t cluster);

/* An entry of a refcount block in memory, of 2^@order bits. */
uint64_t qcow2_refcount_read(const uint8_t *data, uint64_t index,
			     unsigned int order);
void qcow2_refcount_write(uint8_t *data, uint64_t index, unsigned int order,
			  uint64_t refcount);

/* --- qcow2_reftable.c ----------------------------------------------------- */

/* A larger refcount table, and blocks that cover the clusters it lies in. */
int qcow2_reftable_grow(struct qcow2 *qcow2);

/* --- qcow2_alloc.c, qcow2_reserve.c, qcow2_dead.c ------------------------- */

/* Host clusters that follow each other. */
struct qcow2_run {
	uint64_t first;
	uint64_t count;
};

/* Clusters that were taken, or are about to be. */
struct qcow2_taken {
	struct qcow2_run run;
	/*
	 * They read as zeroes: nothing was ever written there, also not by
	 * writes that are not durable yet.
	 */
	bool blank;
};

/* Clusters that were let go, and when (a time of struct qcow2_order). */
struct qcow2_dead {
	struct qcow2_run run;
	uint64_t time;
	bool compressed;
};

#define QCOW2_RUNS_MAX 4096

struct qcow2_alloc {
	/* Known to be free; a hint, checked before it is used. */
	struct qcow2_run free[QCOW2_RUNS_MAX];
	size_t free_count;
	/* Below it nothing is free that is not in free[]. */
	uint64_t cursor;
	/* Counted once already, for whoever takes them. */
	struct qcow2_taken reserve;
	bool is_idle; /* nothing was taken since the last trim */
	/* No longer pointed to in memory, but perhaps still on disk. */
	struct qcow2_dead dead[QCOW2_RUNS_MAX];
	size_t dead_count;
	uint64_t durable;   /* what was let go until then is off the disk... */
	uint64_t outwaited; /* ...and no request is there any more */
	uint64_t awaited;   /* here neither, when the gate lets this pass: */
	uint64_t ticket;
};

/*
 * Takes 1 to @want free clusters that follow each other; their refcount is 1
 * then. Nothing points to them yet, and their contents are undefined, unless
 * they are blank.
 */
int qcow2_alloc_take(struct qcow2 *qcow2, uint64_t want,
		     struct qcow2_taken *ret_taken);

/* Gives back at once what was taken and never pointed to. */
void qcow2_alloc_undo(struct qcow2 *qcow2, struct qcow2_run run);

/* This cluster's refcount is 0 now. */
void qcow2_alloc_add_free(struct qcow2 *qcow2, uint64_t cluster);

/* As take(), but not from the reserve. For qcow2_reserve.c. */
int qcow2_alloc_find(struct qcow2 *qcow2, uint64_t want,
		     struct qcow2_run *ret_run);

/*
 * Counts the front of a run, as far as it is free and covered by refcount
 * blocks. What was counted before an error is counted.
 */
int qcow2_alloc_claim(struct qcow2 *qcow2, uint64_t first, uint64_t want,
		      uint64_t *ret_count);

/* Fills the reserve, which is empty, with at least one and at best @want. */
int qcow2_reserve_fill(struct qcow2 *qcow2, uint64_t want);

/* If the reserve runs low, adds to its end, as far as that is easy. */
void qcow2_reserve_ahead(struct qcow2 *qcow2);

/* Gives the reserve back; cuts the file where nothing was ever written. */
void qcow2_reserve_drop(struct qcow2 *qcow2);

/*
 * The memory's tables have one pointer less to each of the clusters. Their
 * refcounts follow when that is durable and no request is there any more;
 * until then nobody gets them. qcow2_dead_make_room() must have promised that
 * this fits.
 */
void qcow2_dead_add(struct qcow2 *qcow2, struct qcow2_run run, bool compressed);

/* What one step (one slice of an L2 table) may add, at most. */
#define QCOW2_RELEASES_MAX 1024

/* Room for what one step adds; flushes the image if that is needed. */
int qcow2_dead_make_room(struct qcow2 *qcow2);

/*
 * Begins to wait, without sleeping, for the requests that may be where that
 * was.
 */
void qcow2_dead_await(struct qcow2 *qcow2);

/*
 * All pointers to what was let go until @time are durably gone. Lowers the
 * refcounts of those clusters that no request can be at any more.
 */
int qcow2_dead_settle(struct qcow2 *qcow2, uint64_t time);

#endif

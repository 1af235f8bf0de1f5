/*
 * block/qcow2_cache.h - slices of L2 tables or of refcount blocks in memory.
 *
 * A slice is 4 KiB of a table, or all of a smaller one. It goes by its number:
 * the first cluster that it has an entry for, divided by the entries of a
 * slice. So it is found with one look into an array, and it stays what it is
 * when its table moves in the file.
 *
 * Threads: peeking is for any thread, at any time; the rest is under the disk's
 * lock. Who peeks takes no lock and may read a slice that just changes, or is
 * being replaced by another; he hears of it afterwards, from
 * qcow2_cache_is_same(). Until then he reads something, for the memory of a
 * slice stays one as long as the cache lives.
 */
#ifndef BLOCK_QCOW2_CACHE_H
#define BLOCK_QCOW2_CACHE_H

#include <endian.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qcow2;

/*
 * What waits in memory, in the order in which it may reach the disk: nothing
 * of a stage is written before everything of the stages above it is durable.
 */
enum qcow2_stage {
	QCOW2_STAGE_REFCOUNTS, /* refcounts; guest data in new clusters */
	QCOW2_STAGE_REFTABLE,  /* pointers to refcount blocks */
	QCOW2_STAGE_L2,	       /* pointers to guest data */
	QCOW2_STAGE_L1,	       /* pointers to L2 tables */
	QCOW2_STAGES,
};

#define QCOW2_SLICE_BITS_MAX 12

/*
 * Big endian words in memory that others read while they change: 8 bytes at a
 * time. Sequentially consistent, as block/gate.h wants it of what is removed.
 */
static inline uint64_t qcow2_word_get(const void *words, uint64_t index)
{
	return be64toh(atomic_load((const _Atomic uint64_t *)words + index));
}

static inline void qcow2_word_set(void *words, uint64_t index, uint64_t value)
{
	atomic_store((_Atomic uint64_t *)words + index, htobe64(value));
}

/*
 * An entry of the index says where a slice is in memory: 0 for nowhere, else
 * its slot + 1. It is another one after each change and each coming of a slice,
 * by a count in the upper half.
 */
#define QCOW2_INDEX_SLOT     0x7fffffffU
#define QCOW2_INDEX_CHANGING 0x80000000U /* the slice, just now */

/* What lives in a slot. */
struct qcow2_tenant {
	uint64_t number; /* of the slice, if it is there */
	uint32_t next;	 /* of the dirty, or of the vacant ones; slot + 1 */
	bool is_there;
	bool is_dirty;
};

struct qcow2_cache_kind {
	enum qcow2_stage stage;
	/* Where in the file the slice is now. */
	uint64_t (*locate)(const struct qcow2 *qcow2, uint64_t number);
};

struct qcow2_cache {
	const struct qcow2_cache_kind *kind; /* [c] */
	struct qcow2 *qcow2;		     /* [c] */
	unsigned int slice_bits;	     /* [c] log2 of a slice's bytes */
	size_t slice_size;		     /* [c] */
	uint32_t capacity;		     /* [c] slots */
	_Atomic uint64_t *index;	     /* [a] by number */
	uint64_t numbers;		     /* entries of index */
	uint32_t changes;		     /* the count in the index */
	atomic_bool *recent;	      /* [a] slots used since somebody looked */
	uint8_t *slices;	      /* capacity of them */
	struct qcow2_tenant *tenants; /* one per slot */
	uint8_t *buffer;	      /* of one slice */
	uint32_t used;		      /* slots that ever had a tenant */
	uint32_t hand;	       /* of the clock that picks whom to evict */
	uint32_t first_dirty;  /* slot + 1; 0: none */
	uint32_t first_vacant; /* of the used ones */
	uint64_t misses, evictions;
};

/*
 * Slices of @slice_size, numbered [0, numbers); @bytes bounds the memory, but
 * there is always room for one slice. -ENOMEM.
 */
int qcow2_cache_init(struct qcow2_cache *cache, struct qcow2 *qcow2,
		     const struct qcow2_cache_kind *kind, size_t slice_size,
		     uint64_t numbers, uint64_t bytes);
void qcow2_cache_fini(struct qcow2_cache *cache);

/* There are that many slices now. Nobody may be peeking. */
int qcow2_cache_grow(struct qcow2_cache *cache, uint64_t numbers);

/* The slice, read if need be. Valid until the next get from this cache. */
int qcow2_cache_get(struct qcow2_cache *cache, uint64_t number,
		    uint8_t **ret_slice);

/*
 * Around changes of the slice that the last get() returned, which must be made
 * by qcow2_word_set() if others may peek at it. A single word needs no begin().
 */
void qcow2_cache_change_begin(struct qcow2_cache *cache, uint64_t number);
void qcow2_cache_change_end(struct qcow2_cache *cache, uint64_t number);

/* What the last get() returned was changed. */
void qcow2_cache_mark_dirty(struct qcow2_cache *cache, uint64_t number);

static inline bool qcow2_cache_is_dirty(const struct qcow2_cache *cache)
{
	return cache->first_dirty;
}

/* Writes what is dirty. Only for qcow2_order.c, which knows when. */
int qcow2_cache_write_back(struct qcow2_cache *cache);

/*
 * Gives the memory back of clean slices that were not used since the last
 * trim, or eviction.
 */
void qcow2_cache_trim(struct qcow2_cache *cache);

/* --- Peeking -------------------------------------------------------------- */

struct qcow2_peek {
	const uint8_t *slice;
	uint64_t number;
	uint64_t entry; /* of the index */
};

/* False: the slice is not in memory, or not at rest. */
static inline bool qcow2_cache_peek(const struct qcow2_cache *cache,
				    uint64_t number,
				    struct qcow2_peek *ret_peek)
{
	uint64_t entry = atomic_load(&cache->index[number]);
	uint32_t slot = (uint32_t)entry - 1;

	/* Neither 0 nor CHANGING. */
	if (slot >= QCOW2_INDEX_SLOT)
		return false;
	*ret_peek = (struct qcow2_peek){
		.slice = cache->slices + ((uint64_t)slot << cache->slice_bits),
		.number = number,
		.entry = entry,
	};
	/* Most often it is set, and then no CPU loses the cache line. */
	if (!atomic_load_explicit(&cache->recent[slot], memory_order_relaxed))
		atomic_store_explicit(&cache->recent[slot], true,
				      memory_order_relaxed);
	return true;
}

/* A hint that the slice will be peeked at soon, and read from this byte on. */
static inline void qcow2_cache_expect(const struct qcow2_cache *cache,
				      uint64_t number, size_t byte)
{
	uint32_t slot = (uint32_t)atomic_load_explicit(&cache->index[number],
						       memory_order_relaxed) -
			1;

	if (slot < QCOW2_INDEX_SLOT)
		__builtin_prefetch(cache->slices +
				   ((uint64_t)slot << cache->slice_bits) +
				   byte);
}

/* Was all that was read since the peek this very slice, and at rest? */
static inline bool qcow2_cache_is_same(const struct qcow2_cache *cache,
				       const struct qcow2_peek *peek)
{
	return atomic_load(&cache->index[peek->number]) == peek->entry;
}

#endif

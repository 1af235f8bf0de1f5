/*
 * block/qcow2_cache.c - slices of L2 tables and refcount blocks in memory.
 *
 * A slice is at most 4 KiB of a table, found by its offset in the file through
 * a hash of chains, so that a lookup costs the same however large the cache
 * is. Memory is taken as slices come, up to the capacity; then a clock hand
 * passes over the slices and evicts one that was not used since its last
 * round.
 *
 * Dirty slices are never written by the cache on its own account: evicting one
 * asks qcow2_order.c to write the whole stage, because what the slices say may
 * depend on things that are not on disk yet.
 */
#include "block/qcow2.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "block/mutant.h"

/* The golden ratio of 64 bits: spreads what differs only in a few bits. */
#define HASH_FACTOR 0x9e3779b97f4a7c15ULL

static uint32_t *cache_bucket(const struct qcow2_cache *cache, uint64_t offset)
{
	uint64_t hash = offset / cache->slice_size * HASH_FACTOR;

	return &cache->buckets[hash >> 32 & cache->bucket_mask];
}

int qcow2_cache_init(struct qcow2_cache *cache, struct qcow2 *qcow2,
		     enum qcow2_stage stage, uint64_t bytes)
{
	uint32_t buckets = 1;

	cache->qcow2 = qcow2;
	cache->stage = stage;
	cache->slice_size = min_u64(qcow2->cluster_size,
				    1ULL << QCOW2_SLICE_BITS_MAX);
	cache->capacity = (uint32_t)max_u64(1,
					    min_u64(bytes / cache->slice_size,
						    INT32_MAX / 2));
	while (buckets < cache->capacity)
		buckets *= 2;
	cache->bucket_mask = buckets - 1;
	cache->buckets = calloc(buckets, sizeof(*cache->buckets));
	cache->slices = calloc(cache->capacity, sizeof(*cache->slices));
	cache->dirty = calloc(cache->capacity, sizeof(*cache->dirty));
	if (!cache->buckets || !cache->slices || !cache->dirty)
		return -ENOMEM;
	return 0;
}

void qcow2_cache_fini(struct qcow2_cache *cache)
{
	for (uint32_t i = 0; i < cache->used; i++)
		free(cache->slices[i].data);
	free(cache->slices);
	free(cache->buckets);
	free(cache->dirty);
	*cache = (struct qcow2_cache){0};
}

static struct qcow2_slice *cache_find(const struct qcow2_cache *cache,
				      uint64_t offset)
{
	uint32_t next = *cache_bucket(cache, offset);
	struct qcow2_slice *slice;

	for (; next; next = slice->next) {
		slice = &cache->slices[next - 1];
		if (slice->offset == offset)
			return slice;
	}
	return NULL;
}

/* Most often it is set already, and then no other CPU loses its cache line. */
static void cache_touch(struct qcow2_slice *slice)
{
	if (!atomic_load_explicit(&slice->recent, memory_order_relaxed))
		atomic_store_explicit(&slice->recent, true,
				      memory_order_relaxed);
}

const uint8_t *qcow2_cache_peek(const struct qcow2_cache *cache,
				uint64_t offset)
{
	struct qcow2_slice *slice = cache_find(cache, offset);

	if (!slice)
		return NULL;
	cache_touch(slice);
	return slice->data;
}

static void cache_insert(struct qcow2_cache *cache, struct qcow2_slice *slice,
			 uint64_t offset)
{
	uint32_t *bucket = cache_bucket(cache, offset);

	slice->offset = offset;
	slice->next = *bucket;
	*bucket = (uint32_t)(slice - cache->slices) + 1;
}

static void cache_remove(struct qcow2_cache *cache, struct qcow2_slice *slice)
{
	uint32_t self = (uint32_t)(slice - cache->slices) + 1;
	uint32_t *link = cache_bucket(cache, slice->offset);

	while (*link != self)
		link = &cache->slices[*link - 1].next;
	*link = slice->next;
	slice->offset = 0;
}

/* A slice that has memory and belongs to no offset. */
static int cache_victim(struct qcow2_cache *cache,
			struct qcow2_slice **ret_slice)
{
	struct qcow2_slice *slice;
	int ret;

	if (cache->used < cache->capacity) {
		slice = &cache->slices[cache->used];
		slice->data = malloc(cache->slice_size);
		if (!slice->data)
			return -ENOMEM;
		cache->used++;
		*ret_slice = slice;
		return 0;
	}
	do {
		slice = &cache->slices[cache->hand];
		cache->hand = (cache->hand + 1) % cache->capacity;
	} while (slice->offset && atomic_exchange(&slice->recent, false));
	if (slice->dirty) {
		ret = MUTANT(EVICTION_OUT_OF_ORDER)
			      ? qcow2_cache_write_back(cache)
			      : qcow2_order_write(cache->qcow2, cache->stage);
		if (ret)
			return ret;
	}
	if (slice->offset)
		cache_remove(cache, slice);
	*ret_slice = slice;
	return 0;
}

int qcow2_cache_get(struct qcow2_cache *cache, uint64_t offset,
		    uint8_t **ret_data)
{
	struct qcow2_slice *slice = cache_find(cache, offset);
	int ret;

	if (!slice) {
		ret = cache_victim(cache, &slice);
		if (ret)
			return ret;
		ret = file_read(cache->qcow2->image.file, slice->data,
				cache->slice_size, offset);
		if (ret)
			return ret;
		cache_insert(cache, slice, offset);
	}
	cache_touch(slice);
	*ret_data = slice->data;
	return 0;
}

void qcow2_cache_mark_dirty(struct qcow2_cache *cache, uint64_t offset)
{
	struct qcow2_slice *slice = cache_find(cache, offset);

	assert(slice);
	if (slice->dirty)
		return;
	slice->dirty = true;
	cache->dirty[cache->dirty_count++] = (uint32_t)(slice - cache->slices);
}

static void cache_forget_dirty(struct qcow2_cache *cache, uint32_t index)
{
	uint32_t at = 0;

	while (cache->dirty[at] != index)
		at++;
	cache->dirty[at] = cache->dirty[--cache->dirty_count];
	cache->slices[index].dirty = false;
}

void qcow2_cache_drop(struct qcow2_cache *cache, uint64_t offset,
		      uint64_t length)
{
	uint64_t end = offset + length;
	struct qcow2_slice *slice;

	for (; offset < end; offset += cache->slice_size) {
		slice = cache_find(cache, offset);
		if (!slice)
			continue;
		if (slice->dirty)
			cache_forget_dirty(cache,
					   (uint32_t)(slice - cache->slices));
		cache_remove(cache, slice);
	}
}

int qcow2_cache_write_back(struct qcow2_cache *cache)
{
	struct qcow2_slice *slice;
	int ret;

	while (cache->dirty_count) {
		slice = &cache->slices[cache->dirty[cache->dirty_count - 1]];
		ret = file_write(cache->qcow2->image.file, slice->data,
				 cache->slice_size, slice->offset);
		if (ret)
			return ret;
		slice->dirty = false;
		cache->dirty_count--;
	}
	return 0;
}

/*
 * block/qcow2_cache.c - see qcow2_cache.h.
 *
 * All memory is reserved at the start and taken by the kernel as it is touched,
 * so a huge disk costs what is used of it. When all slots have a tenant, a
 * clock hand passes over them and evicts one that was not used since its last
 * round.
 *
 * A tenant moves out in this order: the index no longer leads to the slot, the
 * words there change, the index leads there for the new tenant. All of this is
 * stored with release, and read in the same order with acquire, so who has seen
 * any of it sees what came before when he looks at the index again. Should the
 * tenant be back by then, its entry is another one.
 *
 * Dirty slices are never written by the cache on its own account: evicting one
 * asks qcow2_order.c to write the whole stage, because what the slices say may
 * depend on things that are not on disk yet.
 */
#include "block/qcow2.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "block/mutant.h"

/* Zeroes, at least a page of them. */
static void *reserve(uint64_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void unreserve(void *memory, uint64_t bytes)
{
	if (memory)
		munmap(memory, bytes);
}

/*
 * A few slices must not cost whole huge pages; but where there are so many, a
 * lookup would spend more time on the pages' tables than on all the rest.
 */
#define HUGE_PAGES_FROM (16 * MIB)

static void advise(void *memory, uint64_t bytes)
{
	madvise(memory, bytes,
		bytes < HUGE_PAGES_FROM ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
}

static uint64_t index_bytes(uint64_t numbers)
{
	return numbers * sizeof(uint64_t);
}

int qcow2_cache_init(struct qcow2_cache *cache, struct qcow2 *qcow2,
		     const struct qcow2_cache_kind *kind, size_t slice_size,
		     uint64_t numbers, uint64_t bytes)
{
	uint64_t slots = min_u64(min_u64(bytes / slice_size, numbers),
				 INT32_MAX / 2);

	cache->qcow2 = qcow2;
	cache->kind = kind;
	cache->slice_bits = (unsigned int)__builtin_ctzl(slice_size);
	cache->slice_size = slice_size;
	cache->capacity = (uint32_t)max_u64(1, slots);
	cache->numbers = max_u64(1, numbers);
	cache->index = reserve(index_bytes(cache->numbers));
	cache->slices = reserve(cache->capacity * slice_size);
	cache->recent = calloc(cache->capacity, sizeof(*cache->recent));
	cache->tenants = calloc(cache->capacity, sizeof(*cache->tenants));
	cache->buffer = malloc(slice_size);
	if (!cache->index || !cache->slices || !cache->recent ||
	    !cache->tenants || !cache->buffer)
		return -ENOMEM;
	advise(cache->slices, cache->capacity * slice_size);
	return 0;
}

void qcow2_cache_fini(struct qcow2_cache *cache)
{
	unreserve(cache->index, index_bytes(cache->numbers));
	unreserve(cache->slices, cache->capacity * cache->slice_size);
	free(cache->recent);
	free(cache->tenants);
	free(cache->buffer);
	*cache = (struct qcow2_cache){0};
}

int qcow2_cache_grow(struct qcow2_cache *cache, uint64_t numbers)
{
	void *index;

	if (numbers <= cache->numbers)
		return 0;
	index = mremap(cache->index, index_bytes(cache->numbers),
		       index_bytes(numbers), MREMAP_MAYMOVE);
	if (index == MAP_FAILED)
		return -ENOMEM;
	cache->index = index;
	cache->numbers = numbers;
	return 0;
}

/* Of a slice: its slot + 1, or 0. */
static uint32_t find_if_there(const struct qcow2_cache *cache, uint64_t number)
{
	return (uint32_t)atomic_load(&cache->index[number]) & QCOW2_INDEX_SLOT;
}

/* The slot of a slice that is there. */
static uint32_t find(const struct qcow2_cache *cache, uint64_t number)
{
	uint32_t at = find_if_there(cache, number);

	assert(at);
	return at - 1;
}

/* From here on, who peeks finds the slice there as it is now. */
static void show(struct qcow2_cache *cache, uint64_t number, uint32_t slot)
{
	uint64_t entry = (uint64_t)++cache->changes << 32 | (slot + 1);

	atomic_store(&cache->index[number], entry);
}

static uint8_t *slice_of(const struct qcow2_cache *cache, uint32_t slot)
{
	return cache->slices + slot * cache->slice_size;
}

/* What is read in a slot from here on will be found to have changed. */
static void evict(struct qcow2_cache *cache, uint32_t slot)
{
	struct qcow2_tenant *tenant = &cache->tenants[slot];

	if (!tenant->is_there)
		return;
	atomic_store(&cache->index[tenant->number], 0);
	tenant->is_there = false;
}

/* A slot that is not the last one to be used, by a round of the clock. */
static uint32_t pick(struct qcow2_cache *cache)
{
	uint32_t slot;

	do {
		slot = cache->hand;
		cache->hand = (cache->hand + 1) % cache->capacity;
	} while (atomic_exchange(&cache->recent[slot], false));
	return slot;
}

/* A slot without a tenant. */
static int vacate(struct qcow2_cache *cache, uint32_t *ret_slot)
{
	uint32_t slot;
	int ret;

	if (cache->first_vacant) {
		slot = cache->first_vacant - 1;
		cache->first_vacant = cache->tenants[slot].next;
	} else if (cache->used < cache->capacity) {
		slot = cache->used++;
	} else {
		slot = pick(cache);
		if (cache->tenants[slot].is_dirty) {
			ret = MUTANT(EVICTION_OUT_OF_ORDER)
				      ? qcow2_cache_write_back(cache)
				      : qcow2_order_write(cache->qcow2,
							  cache->kind->stage);
			if (ret)
				return ret;
		}
		evict(cache, slot);
		cache->evictions++;
	}
	*ret_slot = slot;
	return 0;
}

static void fill(struct qcow2_cache *cache, uint32_t slot, uint64_t number)
{
	const uint64_t *from = (const uint64_t *)cache->buffer;
	_Atomic uint64_t *to = (_Atomic uint64_t *)slice_of(cache, slot);

	for (size_t i = 0; i < cache->slice_size / sizeof(*to); i++)
		atomic_store_explicit(&to[i], from[i], memory_order_release);
	cache->tenants[slot].number = number;
	cache->tenants[slot].is_there = true;
	show(cache, number, slot);
}

/* The kernel does not store atomically, so it reads into a buffer. */
static int load(struct qcow2_cache *cache, uint64_t number, uint32_t *ret_slot)
{
	uint32_t slot;
	int ret;

	cache->misses++;
	ret = file_read(cache->qcow2->image.file, cache->buffer,
			cache->slice_size,
			cache->kind->locate(cache->qcow2, number));
	if (!ret)
		ret = vacate(cache, &slot);
	if (ret)
		return ret;
	fill(cache, slot, number);
	*ret_slot = slot;
	return 0;
}

int qcow2_cache_get(struct qcow2_cache *cache, uint64_t number,
		    uint8_t **ret_slice)
{
	uint32_t at = find_if_there(cache, number), slot = at - 1;
	int ret = at ? 0 : load(cache, number, &slot);

	if (ret)
		return ret;
	atomic_store_explicit(&cache->recent[slot], true, memory_order_relaxed);
	*ret_slice = slice_of(cache, slot);
	return 0;
}

void qcow2_cache_change_begin(struct qcow2_cache *cache, uint64_t number)
{
	atomic_fetch_or(&cache->index[number], QCOW2_INDEX_CHANGING);
}

void qcow2_cache_change_end(struct qcow2_cache *cache, uint64_t number)
{
	show(cache, number, find(cache, number));
}

void qcow2_cache_mark_dirty(struct qcow2_cache *cache, uint64_t number)
{
	uint32_t slot = find(cache, number);
	struct qcow2_tenant *tenant = &cache->tenants[slot];

	if (tenant->is_dirty)
		return;
	tenant->is_dirty = true;
	tenant->next = cache->first_dirty;
	cache->first_dirty = slot + 1;
}

int qcow2_cache_write_back(struct qcow2_cache *cache)
{
	struct qcow2_tenant *tenant;
	uint32_t slot;
	int ret;

	while (cache->first_dirty) {
		slot = cache->first_dirty - 1;
		tenant = &cache->tenants[slot];
		ret = file_write(cache->qcow2->image.file,
				 slice_of(cache, slot), cache->slice_size,
				 cache->kind->locate(cache->qcow2,
						     tenant->number));
		if (ret)
			return ret;
		tenant->is_dirty = false;
		cache->first_dirty = tenant->next;
	}
	return 0;
}

/* Slices smaller than a page keep it, whatever lies beside them. */
static void give_back(struct qcow2_cache *cache, uint32_t slot)
{
	struct qcow2_tenant *tenant = &cache->tenants[slot];

	evict(cache, slot);
	if (is_aligned(cache->slice_size, (uint64_t)getpagesize()))
		madvise(slice_of(cache, slot), cache->slice_size,
			MADV_DONTNEED);
	tenant->next = cache->first_vacant;
	cache->first_vacant = slot + 1;
}

void qcow2_cache_trim(struct qcow2_cache *cache)
{
	for (uint32_t slot = 0; slot < cache->used; slot++) {
		if (!cache->tenants[slot].is_there ||
		    atomic_exchange(&cache->recent[slot], false) ||
		    cache->tenants[slot].is_dirty)
			continue;
		give_back(cache, slot);
	}
}

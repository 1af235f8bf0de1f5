/*
 * block/inflated.c - see inflated.h.
 *
 * A slot is empty, being filled by one thread, or ready. Who copies from it
 * counts as its user; only a ready slot without users is evicted, the one that
 * was used longest ago. Where all are busy, one waits for a slot.
 */
#include "block/inflated.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/math.h"
#include "block/inflate.h"

/* What is kept; but always room for two. */
#define KEPT_BYTES (1 * MIB)
#define SLOTS_MAX  16
#define SLOTS_MIN  2

struct slot {
	uint64_t key; /* [l] 0: empty */
	bool ready;   /* [l] else it is being filled, if it is not empty */
	unsigned int users; /* [l] */
	uint64_t last_use;  /* [l] a time of inflated.clock */
	uint8_t *data; /* NULL until first used; see above for who may touch */
};

/* What one thread needs for inflating; idle ones wait in a list. */
struct kit {
	struct kit *next; /* [l] */
	struct inflater inflater;
	uint8_t input[]; /* two clusters: an L2 entry cannot ask for more */
};

struct inflated {
	enum qcow2_compression type; /* [c] */
	size_t cluster_size;	     /* [c] */
	size_t slot_count;	     /* [c] */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a slot became ready, empty or unused */
	uint64_t clock;		/* [l] */
	struct kit *kits;	/* [l] idle */
	struct slot slots[SLOTS_MAX];
};

struct inflated *inflated_new(enum qcow2_compression type, size_t cluster_size)
{
	struct inflated *inflated = calloc(1, sizeof(*inflated));

	if (!inflated)
		return NULL;
	inflated->type = type;
	inflated->cluster_size = cluster_size;
	inflated->slot_count =
		max_u64(SLOTS_MIN,
			min_u64(SLOTS_MAX, KEPT_BYTES / cluster_size));
	pthread_mutex_init(&inflated->lock, NULL);
	pthread_cond_init(&inflated->changed, NULL);
	return inflated;
}

unsigned int inflated_capacity(const struct inflated *inflated)
{
	return (unsigned int)inflated->slot_count;
}

void inflated_free(struct inflated *inflated)
{
	struct kit *kit;

	if (!inflated)
		return;
	while ((kit = inflated->kits)) {
		inflated->kits = kit->next;
		inflater_fini(&kit->inflater);
		free(kit);
	}
	for (size_t i = 0; i < inflated->slot_count; i++)
		free(inflated->slots[i].data);
	pthread_cond_destroy(&inflated->changed);
	pthread_mutex_destroy(&inflated->lock);
	free(inflated);
}

/* --- Filling a slot, without the lock ------------------------------------- */

static struct kit *kit_take(struct inflated *inflated)
{
	struct kit *kit;

	pthread_mutex_lock(&inflated->lock);
	kit = inflated->kits;
	if (kit)
		inflated->kits = kit->next;
	pthread_mutex_unlock(&inflated->lock);
	if (!kit) {
		kit = malloc(sizeof(*kit) + 2 * inflated->cluster_size);
		if (kit)
			kit->inflater = (struct inflater){0};
	}
	return kit;
}

static void kit_put(struct inflated *inflated, struct kit *kit)
{
	pthread_mutex_lock(&inflated->lock);
	kit->next = inflated->kits;
	inflated->kits = kit;
	pthread_mutex_unlock(&inflated->lock);
}

static int slot_fill(struct inflated *inflated, struct slot *slot,
		     const struct inflated_source *source)
{
	struct kit *kit;
	int ret;

	if (!slot->data)
		slot->data = malloc(inflated->cluster_size);
	kit = slot->data ? kit_take(inflated) : NULL;
	if (!kit)
		return -ENOMEM;
	ret = file_read(source->file, kit->input, source->length,
			source->offset);
	if (!ret)
		ret = inflate_cluster(&kit->inflater, inflated->type,
				      kit->input, source->length, slot->data,
				      inflated->cluster_size);
	kit_put(inflated, kit);
	return ret;
}

/* --- Finding one, under the lock ------------------------------------------ */

/* The one with the key; else one to fill; NULL if all are busy. */
static struct slot *slot_choose(struct inflated *inflated, uint64_t key)
{
	struct slot *slot, *oldest = NULL;

	for (size_t i = 0; i < inflated->slot_count; i++) {
		slot = &inflated->slots[i];
		if (slot->key == key)
			return slot;
		if (slot->users || (slot->key && !slot->ready))
			continue;
		if (!oldest || slot->last_use < oldest->last_use)
			oldest = slot;
	}
	return oldest;
}

static void slot_use(struct inflated *inflated, struct slot *slot)
{
	slot->users++;
	slot->last_use = ++inflated->clock;
}

/* Takes and leaves the lock held, but not in between. */
static int slot_make(struct inflated *inflated, struct slot *slot,
		     const struct inflated_source *source)
{
	int ret;

	slot->key = source->key;
	slot->ready = false;
	pthread_mutex_unlock(&inflated->lock);
	ret = slot_fill(inflated, slot, source);
	pthread_mutex_lock(&inflated->lock);
	slot->ready = !ret;
	if (ret) {
		slot->key = 0;
		slot->last_use = 0;
	}
	pthread_cond_broadcast(&inflated->changed);
	return ret;
}

/* The cluster's slot, ready and with one more user. */
static int slot_acquire(struct inflated *inflated,
			const struct inflated_source *source,
			struct slot **ret_slot)
{
	struct slot *slot;
	int ret = 0;

	pthread_mutex_lock(&inflated->lock);
	for (;;) {
		slot = slot_choose(inflated, source->key);
		if (slot && slot->key == source->key && slot->ready)
			break;
		if (slot && slot->key != source->key)
			ret = slot_make(inflated, slot, source);
		else
			pthread_cond_wait(&inflated->changed, &inflated->lock);
		if (ret)
			goto out;
	}
	slot_use(inflated, slot);
	*ret_slot = slot;
out:
	pthread_mutex_unlock(&inflated->lock);
	return ret;
}

static void slot_release(struct inflated *inflated, struct slot *slot)
{
	pthread_mutex_lock(&inflated->lock);
	if (!--slot->users)
		pthread_cond_broadcast(&inflated->changed);
	pthread_mutex_unlock(&inflated->lock);
}

/* --- For everybody -------------------------------------------------------- */

int inflated_read(struct inflated *inflated,
		  const struct inflated_source *source, size_t skip,
		  size_t length, struct cursor *to)
{
	struct slot *slot;
	int ret = slot_acquire(inflated, source, &slot);

	if (ret)
		return ret;
	cursor_fill(to, slot->data + skip, length);
	slot_release(inflated, slot);
	return 0;
}

bool inflated_read_known(struct inflated *inflated, uint64_t key, size_t skip,
			 size_t length, struct cursor *to)
{
	struct slot *slot;
	bool known;

	pthread_mutex_lock(&inflated->lock);
	slot = slot_choose(inflated, key);
	known = slot && slot->key == key && slot->ready;
	if (known)
		slot_use(inflated, slot);
	pthread_mutex_unlock(&inflated->lock);
	if (!known)
		return false;
	cursor_fill(to, slot->data + skip, length);
	slot_release(inflated, slot);
	return true;
}

int inflated_prefetch(struct inflated *inflated,
		      const struct inflated_source *source)
{
	struct slot *slot;
	int ret = slot_acquire(inflated, source, &slot);

	if (!ret)
		slot_release(inflated, slot);
	return ret;
}

void inflated_forget(struct inflated *inflated)
{
	pthread_mutex_lock(&inflated->lock);
	for (size_t i = 0; i < inflated->slot_count; i++)
		if (inflated->slots[i].ready)
			inflated->slots[i].key = 0;
	pthread_mutex_unlock(&inflated->lock);
}

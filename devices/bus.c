/*
 * devices/bus.c - see bus.h.
 *
 * Entries are kept sorted and disjoint, so that a look-up is a binary search
 * for the last one that starts at or below the address.
 */
#include "devices/bus.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/math.h"

void bus_init(struct bus *bus)
{
	*bus = (struct bus){0};
}

static bool starts_after(const struct bus_entry *entry, enum io_space space,
			 uint64_t address)
{
	if (entry->range.space != space)
		return entry->range.space > space;
	return entry->range.base > address;
}

/* The number of entries that start at or below the address. */
static unsigned int bus_search(const struct bus *bus, enum io_space space,
			       uint64_t address)
{
	unsigned int low = 0, high = bus->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (starts_after(&bus->entries[middle], space, address))
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Ranges do not wrap (bus_add() sees to that). */
static bool overlaps(const struct io_range *a, const struct io_range *b)
{
	return a->space == b->space && a->base < b->base + b->size &&
	       b->base < a->base + a->size;
}

int bus_add(struct bus *bus, const struct io_range *range,
	    const struct bus_ops *ops, void *device, struct err *err)
{
	struct bus_entry *entries = bus->entries;
	unsigned int at = bus_search(bus, range->space, range->base);
	uint64_t end;

	if (!range->size || !add_fits(range->base, range->size, &end))
		return err_set(err, EINVAL,
			       "a device's registers at %#llx are no range",
			       (unsigned long long)range->base);
	if ((at > 0 && overlaps(&entries[at - 1].range, range)) ||
	    (at < bus->count && overlaps(&entries[at].range, range)))
		return err_set(err, EEXIST,
			       "two devices have their registers at %#llx",
			       (unsigned long long)range->base);
	if (bus->count == BUS_ENTRIES_MAX)
		return err_set(err, ENOSPC,
			       "the machine has room for %u devices' registers",
			       BUS_ENTRIES_MAX);
	memmove(&entries[at + 1], &entries[at],
		(bus->count - at) * sizeof(entries[0]));
	entries[at] = (struct bus_entry){*range, ops, device};
	bus->count++;
	return 0;
}

/* The entry that holds the whole access, or NULL. */
static const struct bus_entry *bus_find(const struct bus *bus,
					enum io_space space, uint64_t address,
					unsigned int size)
{
	unsigned int after = bus_search(bus, space, address);
	const struct bus_entry *entry;

	if (!after)
		return NULL;
	entry = &bus->entries[after - 1];
	if (entry->range.space != space ||
	    !range_fits(address - entry->range.base, size, entry->range.size))
		return NULL;
	return entry;
}

static uint64_t all_ones(unsigned int size)
{
	assert(size >= 1 && size <= 8);
	return UINT64_MAX >> (64 - 8 * size);
}

bool bus_read(const struct bus *bus, enum io_space space, uint64_t address,
	      unsigned int size, uint64_t *ret_value)
{
	const struct bus_entry *entry = bus_find(bus, space, address, size);

	*ret_value = all_ones(size);
	if (entry)
		*ret_value &= entry->ops->read(entry->device,
					       address - entry->range.base,
					       size);
	return entry;
}

bool bus_write(const struct bus *bus, enum io_space space, uint64_t address,
	       unsigned int size, uint64_t value)
{
	const struct bus_entry *entry = bus_find(bus, space, address, size);

	if (entry)
		entry->ops->write(entry->device, address - entry->range.base,
				  size, value & all_ones(size));
	return entry;
}

/* base/guest_memory.c - see guest_memory.h. */
#include "base/guest_memory.h"

#include <errno.h>
#include <string.h>

#include "base/math.h"

void *guest_range(const struct guest_memory *memory, gpa_t gpa, uint64_t length)
{
	const struct guest_region *region;

	for (unsigned int i = 0; i < memory->count; i++) {
		region = &memory->regions[i];
		if (gpa < region->base || !length)
			continue;
		if (range_fits(gpa - region->base, length, region->size))
			return region->host + (gpa - region->base);
	}
	return NULL;
}

int guest_read(const struct guest_memory *memory, gpa_t gpa, void *buffer,
	       size_t length)
{
	const void *host = guest_range(memory, gpa, length);

	if (!host)
		return length ? -EFAULT : 0;
	memcpy(buffer, host, length);
	return 0;
}

int guest_write(const struct guest_memory *memory, gpa_t gpa,
		const void *buffer, size_t length)
{
	void *host = guest_range(memory, gpa, length);

	if (!host)
		return length ? -EFAULT : 0;
	memcpy(host, buffer, length);
	return 0;
}

uint64_t guest_memory_size(const struct guest_memory *memory)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < memory->count; i++)
		sum += memory->regions[i].size;
	return sum;
}

/* vmm/ram.c - see ram.h. */
#include "vmm/ram.h"

#include <errno.h>
#include <linux/mman.h>
#include <sys/mman.h>

#include "arch/arch.h"
#include "base/math.h"

/* Before and behind each region, and the alignment that huge pages want. */
#define GUARD (2 * MIB)

/* The guard, the region at a multiple of GUARD, the guard. */
static uint64_t reserved_size(uint64_t size)
{
	return align_up(size, GUARD) + 3 * GUARD;
}

/* Address space between guards, without memory. */
static int reserve(struct guest_region *region, struct err *err)
{
	uint64_t reserved = reserved_size(region->size);
	uint8_t *base, *host;

	base = mmap(NULL, reserved, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return err_errno(err, errno, "no address space for %llu MiB",
				 (unsigned long long)region->size / MIB);
	host = base + GUARD;
	host += align_up((uintptr_t)host, GUARD) - (uintptr_t)host;
	/* Trim, so that ram_unmap() knows both ends from `host` alone. */
	if (host - GUARD > base)
		munmap(base, (size_t)(host - GUARD - base));
	munmap(host + align_up(region->size, GUARD) + GUARD,
	       (size_t)(base + GUARD + GUARD - host));
	region->host = host;
	return 0;
}

static int fill(const struct guest_region *region, struct err *err)
{
	if (mprotect(region->host, region->size, PROT_READ | PROT_WRITE))
		return err_errno(err, errno, "the host has no %llu MiB to give",
				 (unsigned long long)region->size / MIB);
	madvise(region->host, region->size, MADV_HUGEPAGE);
	return 0;
}

/* Reserved by the kernel here, so that no later touch can fail. */
static int fill_huge(const struct guest_region *region, struct err *err)
{
	void *host = mmap(region->host, region->size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED |
				  MAP_HUGETLB | MAP_HUGE_2MB,
			  -1, 0);

	if (host != MAP_FAILED)
		return 0;
	return err_errno(err, errno,
			 "the host has no %llu huge pages of 2 MiB to give "
			 "(sysctl vm.nr_hugepages sets them aside)",
			 (unsigned long long)region->size / (2 * MIB));
}

static int map_region(struct guest_region *region, bool hugepages,
		      struct err *err)
{
	int ret = reserve(region, err);

	if (!ret)
		ret = hugepages ? fill_huge(region, err) : fill(region, err);
	if (!ret)
		madvise(region->host, region->size, MADV_DONTDUMP);
	return ret;
}

int ram_map(struct guest_memory *memory, uint64_t size, bool hugepages,
	    struct err *err)
{
	int ret;

	*memory = (struct guest_memory){0};
	ret = arch_memory_layout(size, memory, err);
	for (unsigned int i = 0; !ret && i < memory->count; i++)
		ret = map_region(&memory->regions[i], hugepages, err);
	if (ret)
		ram_unmap(memory);
	return ret;
}

void ram_unmap(struct guest_memory *memory)
{
	struct guest_region *region;

	for (unsigned int i = 0; i < memory->count; i++) {
		region = &memory->regions[i];
		if (region->host)
			munmap(region->host - GUARD,
			       align_up(region->size, GUARD) + 2 * GUARD);
		region->host = NULL;
	}
}

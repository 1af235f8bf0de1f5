/*
 * vmm/ram.h - the host memory behind the guest's RAM.
 *
 * Each region is an anonymous mapping, taken from the host page by page as the
 * guest touches it, between guard pages, never executable here and left out of
 * core dumps. On main.
 */
#ifndef VMM_RAM_H
#define VMM_RAM_H

#include <stdbool.h>

#include "base/err.h"
#include "base/guest_memory.h"

/*
 * Lays out and maps @size bytes, a multiple of 2 MiB; reads as zeroes.
 * @hugepages: of huge pages that the host has set aside (hugetlbfs), all taken
 * now, and -ENOMEM if they are too few; else the kernel is asked to make huge
 * pages of ordinary memory where it can.
 */
int ram_map(struct guest_memory *memory, uint64_t size, bool hugepages,
	    struct err *err);
void ram_unmap(struct guest_memory *memory);

#endif

/*
 * base/guest_memory.h - guest physical memory as the host sees it.
 *
 * A few regions of RAM, each backed by one host mapping. Every address that a
 * guest hands us goes through guest_range(), which answers a host pointer or
 * nothing; a range may not wrap, leave its region or touch a device window.
 *
 * Threads: constant after set-up, so every call is safe from any thread. What
 * the pointers point to is guest memory [g]: hostile and changing. Copy once,
 * then check, then use.
 */
#ifndef BASE_GUEST_MEMORY_H
#define BASE_GUEST_MEMORY_H

#include <stddef.h>
#include <stdint.h>

typedef uint64_t gpa_t;

#define GUEST_REGIONS_MAX 4

struct guest_region {
	gpa_t base;
	uint64_t size;
	uint8_t *host; /* owned by whoever mapped it */
};

struct guest_memory {
	unsigned int count;
	struct guest_region regions[GUEST_REGIONS_MAX];
};

/*
 * The host pointer for [gpa, gpa + length), or NULL unless that whole range
 * lies in one region. A @length of 0 answers NULL.
 */
void *guest_range(const struct guest_memory *memory, gpa_t gpa,
		  uint64_t length);

/* Copies from or to guest memory. 0, or -EFAULT with nothing copied. */
int guest_read(const struct guest_memory *memory, gpa_t gpa, void *buffer,
	       size_t length);
int guest_write(const struct guest_memory *memory, gpa_t gpa,
		const void *buffer, size_t length);

/* The sum of the regions' sizes. */
uint64_t guest_memory_size(const struct guest_memory *memory);

#endif

/*
 * base/clean.h - what was written, for readers that look past the caches.
 *
 * An aarch64 guest reads a device's registers as device memory, straight from
 * RAM; so what the host wrote there has to leave its CPU's cache. x86_64 looks
 * into all caches for every reader.
 */
#ifndef BASE_CLEAN_H
#define BASE_CLEAN_H

#include <stddef.h>
#include <stdint.h>

static inline void clean_from_cache(const volatile void *start, size_t size)
{
#if defined(__aarch64__)
	uintptr_t at = (uintptr_t)start, end = at + size;
	uint64_t type, line;

	__asm__("mrs %0, ctr_el0" : "=r"(type));
	line = 4 << (type >> 16 & 0xf); /* DminLine: log2 of words */
	for (at &= ~(line - 1); at < end; at += line)
		__asm__ volatile("dc cvac, %0" ::"r"(at) : "memory");
	__asm__ volatile("dsb sy" ::: "memory");
#else
	(void)start;
	(void)size;
#endif
}

#endif

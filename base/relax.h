/*
 * base/relax.h - a turn of a loop that waits for memory to change.
 *
 * Tells the CPU so: it saves power, and lets a sibling thread run.
 */
#ifndef BASE_RELAX_H
#define BASE_RELAX_H

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

#endif

/* base/clock.h - times that only go forward, to measure by. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC  1000000000ULL

static inline uint64_t clock_nsec(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/* Nanoseconds, from an unspecified start. Any thread. */
static inline uint64_t clock_now_nsec(void)
{
	return clock_nsec(CLOCK_MONOTONIC);
}

/* CPU time of the calling thread, or of all that there are and were. */
static inline uint64_t clock_thread_nsec(void)
{
	return clock_nsec(CLOCK_THREAD_CPUTIME_ID);
}

static inline uint64_t clock_process_nsec(void)
{
	return clock_nsec(CLOCK_PROCESS_CPUTIME_ID);
}

#endif

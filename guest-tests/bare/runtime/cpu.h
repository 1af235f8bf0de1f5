/*
 * runtime/cpu.h - CPUs, interrupts and time. Implemented once per
 * architecture.
 */
#ifndef RUNTIME_CPU_H
#define RUNTIME_CPU_H

#include <stdbool.h>
#include <stdint.h>

/* The index of the CPU that this runs on; 0 is the one that booted. */
unsigned int cpu_index(void);

/* How many CPUs the machine says it has; 0 where it does not say. */
unsigned int cpu_count(void);

/*
 * Starts CPU @index (> 0) in @run(@argument) with a stack of its own and
 * interrupts off. False when it did not arrive within @seconds.
 */
bool cpu_start(unsigned int index, void (*run)(void *), void *argument,
	       unsigned int seconds);

/* Does nothing for a moment. */
void cpu_relax(void);

/*
 * Interrupts of this CPU. interrupts_wait() turns them on, waits for one
 * (halted) and turns them off again.
 */
void interrupts_on(void);
void interrupts_off(void);
void interrupts_wait(void);

typedef void interrupt_handler(void);

/*
 * Connects the device interrupt @irq (x86_64: the GSI; aarch64: the interrupt
 * id) to CPU 0 as an edge-triggered line. The handler runs with interrupts
 * off. One handler per line.
 */
void interrupt_connect(unsigned int irq, interrupt_handler *handler);

/* Interrupts CPU @index, whose @handler runs there. */
void interrupt_send(unsigned int index, interrupt_handler *handler);

/*
 * This CPU's timer: one interrupt in about @microseconds. As many more with
 * each call from the handler as wanted.
 */
void timer_start(uint64_t microseconds, interrupt_handler *handler);

/* A clock that never stops. On x86_64 its rate is a guess, for time limits. */
uint64_t clock_ticks(void);
uint64_t clock_ticks_per_second(void);

/* Makes the rate more than a guess, for measurements. Some milliseconds. */
void clock_calibrate(void);

/*
 * Goes on in @run, where instructions run at their native speed even under a
 * KVM that emulates the kernel's level: at ring 3 with IOPL 3 on x86_64, which
 * may do anything but halt, mask and touch control registers; on aarch64 right
 * here. When @run returns the guest has finished.
 */
_Noreturn void run_natively(void (*run)(void));

/* Has a time limit of @seconds passed since clock_ticks() gave @since? */
static inline bool clock_passed(uint64_t since, unsigned int seconds)
{
	return clock_ticks() - since > seconds * clock_ticks_per_second();
}

/*
 * Waits until @condition holds, at most about @seconds. The value says
 * whether it held in the end: looked at once more when the time is up, for
 * this CPU may not have run in between.
 */
#define WAIT_UNTIL(condition, seconds)                           \
	({                                                       \
		uint64_t since_ = clock_ticks();                 \
		bool late_, held_;                               \
		for (;;) {                                       \
			late_ = clock_passed(since_, (seconds)); \
			held_ = (condition);                     \
			if (held_ || late_)                      \
				break;                           \
			cpu_relax();                             \
		}                                                \
		held_;                                           \
	})

#endif

/*
 * CPUs and time: bring-up by INIT and SIPI, one CPU after the other; the local
 * APIC's timer; the time stamp counter as the clock.
 */
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/string.h"
#include "runtime/x86_64/apic.h"
#include "runtime/x86_64/io.h"
#include "runtime/x86_64/layout.h"

extern char trampoline_start[], trampoline_end[];
void secondary_cpu_main(void);

UNCLEARED static char stacks[MACHINE_CPUS_MAX][STACK_SIZE];

/* A guess is enough for time limits. */
static uint64_t ticks_per_second = 2500000000;

/* What the CPU that is being started shall use; read by entry.S. */
uint32_t secondary_stack;
static void (*secondary_run)(void *);
static void *secondary_argument;
static bool secondary_arrived;

unsigned int cpu_index(void)
{
	return cpuid(1, 0).ebx >> 24;
}

unsigned int cpu_count(void)
{
	return 0; /* Only ACPI says it, which is not read here. */
}

void cpu_relax(void)
{
	asm volatile("pause" : : : "memory");
}

bool cpu_start(unsigned int index, void (*run)(void *), void *argument,
	       unsigned int seconds)
{
	memcpy((void *)TRAMPOLINE, trampoline_start,
	       (size_t)(trampoline_end - trampoline_start));
	secondary_stack = (uint32_t)(uintptr_t)(stacks[index] + STACK_SIZE);
	secondary_run = run;
	secondary_argument = argument;
	__atomic_store_n(&secondary_arrived, false, __ATOMIC_SEQ_CST);
	apic_send(index, APIC_ICR_ASSERT | APIC_ICR_INIT);
	apic_send(index, APIC_ICR_ASSERT | APIC_ICR_STARTUP | TRAMPOLINE >> 12);
	return WAIT_UNTIL(__atomic_load_n(&secondary_arrived, __ATOMIC_SEQ_CST),
			  seconds);
}

void secondary_cpu_main(void)
{
	void (*run)(void *) = secondary_run;
	void *argument = secondary_argument;

	interrupts_init_cpu();
	__atomic_store_n(&secondary_arrived, true, __ATOMIC_SEQ_CST);
	run(argument);
}

void timer_start(uint64_t microseconds, interrupt_handler *handler)
{
	vector_connect(VECTOR_TIMER, handler);
	apic_write(APIC_TDCR, APIC_TDCR_BY_1); /* KVM counts in ns */
	apic_write(APIC_LVTT, VECTOR_TIMER);
	apic_write(APIC_TMICT, (uint32_t)(microseconds * 1000));
}

uint64_t clock_ticks(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

uint64_t clock_ticks_per_second(void)
{
	return ticks_per_second;
}

/* Against the local APIC's timer, which KVM counts down once a nanosecond. */
void clock_calibrate(void)
{
	const uint32_t start_ns = 1000000000, span_ns = 50000000;
	uint64_t since;

	apic_write(APIC_TDCR, APIC_TDCR_BY_1);
	apic_write(APIC_LVTT, VECTOR_TIMER | APIC_LVT_MASKED);
	apic_write(APIC_TMICT, start_ns);
	since = clock_ticks();
	while (apic_read(APIC_TMCCT) > start_ns - span_ns)
		cpu_relax();
	ticks_per_second = (clock_ticks() - since) * 1000000000 /
			   (start_ns - apic_read(APIC_TMCCT));
	apic_write(APIC_TMICT, 0);
}

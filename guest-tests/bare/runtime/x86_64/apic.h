/*
 * runtime/x86_64/apic.h - this CPU's local APIC, the I/O APIC, and vectors.
 */
#ifndef RUNTIME_X86_64_APIC_H
#define RUNTIME_X86_64_APIC_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/cpu.h"

/* Vectors: I/O APIC pin n at VECTOR_PINS + n, then these. */
#define VECTOR_PINS	32
#define VECTOR_TIMER	61
#define VECTOR_IPI	62
#define VECTOR_SPURIOUS 63

/* Local APIC registers, as offsets of the MMIO page. */
#define APIC_ID	   0x20
#define APIC_EOI   0xb0
#define APIC_SVR   0xf0
#define APIC_ICR   0x300
#define APIC_ICR2  0x310
#define APIC_LVTT  0x320
#define APIC_LVT0  0x350
#define APIC_TMICT 0x380
#define APIC_TMCCT 0x390
#define APIC_TDCR  0x3e0

#define APIC_SVR_ENABLE	      0x100
#define APIC_ICR_PENDING      0x1000
#define APIC_ICR_ASSERT	      0x4000
#define APIC_ICR_INIT	      0x500
#define APIC_ICR_STARTUP      0x600
#define APIC_LVT_MASKED	      0x10000
#define APIC_LVT_PERIODIC     0x20000
#define APIC_LVT_TSC_DEADLINE 0x40000

#define APIC_TDCR_BY_1 0xb

/*
 * Register access through the MMIO page, or by MSR once apic_enable_x2apic()
 * was called on this CPU.
 */
uint32_t apic_read(unsigned int offset);
void apic_write(unsigned int offset, uint32_t value);

/* Sends what the interrupt command register @command says to CPU @apic_id. */
void apic_send(uint32_t apic_id, uint32_t command);

/* For CPU 0, or with the other CPUs' reads and writes in mind. */
void apic_enable_x2apic(void);
bool apic_has_x2apic(void);

/* Loads the IDT and turns this CPU's local APIC on. */
void interrupts_init_cpu(void);

/* Fills the IDT; once, on CPU 0. */
void interrupts_init(void);

/* Sets the handler of a vector from VECTOR_PINS up. */
void vector_connect(unsigned int vector, interrupt_handler *handler);

#endif

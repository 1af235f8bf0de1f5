/*
 * runtime/aarch64/machine.h - what the FDT says beyond runtime/machine.h, and
 * PSCI.
 */
#ifndef RUNTIME_AARCH64_MACHINE_H
#define RUNTIME_AARCH64_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

/* CPU @index's affinity as MPIDR has it; for one too many, its number. */
uint64_t cpu_mpidr(unsigned int index);

/* Power State Coordination Interface (Arm DEN 0022), SMC64 numbers. */
#define PSCI_VERSION	   0x84000000
#define PSCI_CPU_ON	   0xc4000003
#define PSCI_AFFINITY_INFO 0xc4000004
#define PSCI_SYSTEM_OFF	   0x84000008
#define PSCI_SYSTEM_RESET  0x84000009
#define PSCI_FEATURES	   0x8400000a

int64_t psci(uint64_t function, uint64_t a, uint64_t b, uint64_t c);

/* Used by machine.c's first_cpu_main(). */
void interrupts_init(void);
void interrupts_init_cpu(void);
void cpu_set_index(unsigned int index);

#endif

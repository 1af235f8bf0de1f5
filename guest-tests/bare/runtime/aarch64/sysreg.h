/*
 * runtime/aarch64/sysreg.h - system registers by their assembler names.
 */
#ifndef RUNTIME_AARCH64_SYSREG_H
#define RUNTIME_AARCH64_SYSREG_H

#include <stdint.h>

#define SYSREG_READ(name)                                                  \
	({                                                                 \
		uint64_t value_;                                           \
		asm volatile("mrs %0, " name : "=r"(value_) : : "memory"); \
		value_;                                                    \
	})

#define SYSREG_WRITE(name, value) \
	asm volatile("msr " name ", %0" : : "r"((uint64_t)(value)) : "memory")

#endif

/*
 * What both architectures know of their machine.
 */
#include <stddef.h>

#include "runtime/machine.h"

struct machine machine;

void machine_memory_add(uint64_t base, uint64_t size)
{
	if (machine.memory_count < MACHINE_MEMORY_MAX)
		machine.memory[machine.memory_count++] =
			(struct machine_memory){base, size};
}

const struct machine_memory *machine_memory_at(uint64_t address)
{
	for (unsigned int i = 0; i < machine.memory_count; i++)
		if (address - machine.memory[i].base < machine.memory[i].size)
			return &machine.memory[i];
	return NULL;
}

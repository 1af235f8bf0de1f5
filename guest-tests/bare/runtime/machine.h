/*
 * runtime/machine.h - the machine that the guest finds itself in, and the ways
 * out of it. Implemented once per architecture.
 *
 * x86_64 learns of its devices from the command line (virtio_mmio.device=
 * words; none of them: alcor's fixed places), aarch64 from the FDT.
 */
#ifndef RUNTIME_MACHINE_H
#define RUNTIME_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#define MACHINE_CPUS_MAX   64
#define MACHINE_VIRTIO_MAX 64
#define MACHINE_MEMORY_MAX 8

struct machine_virtio {
	uint64_t base;
	unsigned int irq; /* as interrupt_connect() takes it */
};

/*
 * For what is large and filled before it is read: such a variable costs no
 * clearing at the start, which may be slow. On a page of its own.
 */
#define UNCLEARED __attribute__((section(".noinit"), aligned(4096)))

/* A piece of RAM. */
struct machine_memory {
	uint64_t base, size;
};

struct machine {
	unsigned int virtio_count;
	struct machine_virtio virtio[MACHINE_VIRTIO_MAX]; /* by address */
	unsigned int memory_count;
	struct machine_memory memory[MACHINE_MEMORY_MAX];
	uint64_t hole; /* 64 KiB of addresses at which nothing answers */
};

/* Filled in before guest_main(). */
extern struct machine machine;

/* The piece of RAM that @address lies in; NULL: none that was announced. */
const struct machine_memory *machine_memory_at(uint64_t address);

/* For the architecture, while it reads what it was told. */
void machine_memory_add(uint64_t base, uint64_t size);

/*
 * The value of NAME=VALUE on the command line, copied to a buffer that the
 * next call reuses; NULL where the word is not there.
 */
const char *option(const char *name);
/* The same for the word's repetition @nth, counted from 0. */
const char *option_nth(const char *name, unsigned int nth);
uint64_t option_number(const char *name, uint64_t otherwise);
/* Is @name=@value on the command line? */
bool option_is(const char *name, const char *value);

/* Used by the architecture, once. */
void options_set(const char *command_line);

/* One character to the console; waits until it is taken. */
void console_put(char c);
/* A character from the console, or -1 when there is none now. */
int console_get(void);

/* Ends the run: the debug exit's @value, 0 for success; or power off. */
_Noreturn void machine_exit(unsigned int value);

/* Each returns only where the machine does not have or do this. */
void machine_power_off(void);
void machine_reset(void);
void machine_panic(void);
void machine_crash(void);

#endif

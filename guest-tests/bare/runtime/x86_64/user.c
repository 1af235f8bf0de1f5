/*
 * Ring 3 with IOPL 3 and the identity map open to it: all that tests of
 * devices need. Interrupts come back to ring 0 by the TSS, which also has a
 * map of permitted ports: a KVM that emulates such instructions may look at
 * that alone.
 */
#include <stddef.h>

#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/test.h"
#include "runtime/x86_64/layout.h"

#define TSS_AVAILABLE 0x89ULL
#define PORTS	      0x700 /* the devices' are below */
#define RFLAGS_IOPL3  0x3002

struct __attribute__((packed)) tss {
	uint32_t reserved;
	uint64_t rsp0;
	uint8_t unused[90];
	uint16_t port_map;
	uint8_t ports[PORTS / 8 + 1]; /* a 0 bit allows; then all ones */
};

extern uint64_t gdt[];

UNCLEARED static char kernel_stack[STACK_SIZE], user_stack[STACK_SIZE];

static struct tss tss;
static void (*user_run)(void);

static void load_tss(void)
{
	uint64_t base = (uintptr_t)&tss;

	tss.port_map = offsetof(struct tss, ports);
	tss.ports[PORTS / 8] = 0xff;
	tss.rsp0 = (uintptr_t)kernel_stack + sizeof(kernel_stack);
	gdt[SELECTOR_TSS / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 |
				TSS_AVAILABLE << 40 | (base >> 24) << 56;
	gdt[SELECTOR_TSS / 8 + 1] = base >> 32;
	asm volatile("ltr %w0" : : "r"(SELECTOR_TSS) : "memory");
}

static void user_main(void)
{
	user_run();
	tests_finish();
}

void run_natively(void (*run)(void))
{
	/* As if it had been called: 8 off a multiple of 16. */
	uint64_t stack = (uintptr_t)user_stack + sizeof(user_stack) - 8;

	user_run = run;
	load_tss();
	asm volatile("mov %w0, %%ds\n\t"
		     "mov %w0, %%es\n\t"
		     "push %0\n\t"
		     "push %1\n\t"
		     "push %2\n\t"
		     "push %3\n\t"
		     "push %4\n\t"
		     "iretq"
		     :
		     : "r"((uint64_t)SELECTOR_USER_DATA), "r"(stack),
		       "r"((uint64_t)RFLAGS_IOPL3),
		       "r"((uint64_t)SELECTOR_USER_CODE), "r"(user_main)
		     : "memory");
	__builtin_unreachable();
}

/*
 * Interrupts: the IDT, the local APIC and the I/O APIC. Each vector from
 * VECTOR_PINS up has a handler, called between entry and the APIC's EOI;
 * an exception ends the run with "not ok".
 */
#include <stddef.h>

#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/test.h"
#include "runtime/x86_64/apic.h"
#include "runtime/x86_64/io.h"
#include "runtime/x86_64/layout.h"

#define APIC_BASE	 0xfee00000UL
#define MSR_APIC_BASE	 0x1b
#define APIC_BASE_X2APIC (1 << 10)
#define MSR_X2APIC	 0x800
#define MSR_X2APIC_ICR	 0x830
#define CPUID_1_X2APIC	 (1 << 21)
#define IOAPIC_BASE	 0xfec00000UL
#define IOAPIC_PIN(pin)	 (0x10 + 2 * (pin))
#define STUB_SIZE	 16

struct interrupt_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

struct gate {
	uint16_t offset_low, selector;
	uint8_t stack, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};

struct __attribute__((packed)) table_pointer {
	uint16_t limit;
	uint64_t base;
};

extern char interrupt_stubs[];
void interrupt_dispatch(struct interrupt_frame *frame);

static struct gate idt[VECTORS];
static interrupt_handler *handlers[VECTORS];
static bool x2apic;

static volatile uint32_t *apic_register(unsigned int offset)
{
	return (volatile uint32_t *)(APIC_BASE + offset);
}

uint32_t apic_read(unsigned int offset)
{
	if (x2apic)
		return (uint32_t)msr_read(MSR_X2APIC + offset / 16);
	return *apic_register(offset);
}

void apic_write(unsigned int offset, uint32_t value)
{
	if (x2apic)
		msr_write(MSR_X2APIC + offset / 16, value);
	else
		*apic_register(offset) = value;
}

void apic_send(uint32_t apic_id, uint32_t command)
{
	if (x2apic) {
		msr_write(MSR_X2APIC_ICR, (uint64_t)apic_id << 32 | command);
		return;
	}
	apic_write(APIC_ICR2, apic_id << 24);
	apic_write(APIC_ICR, command);
	while (apic_read(APIC_ICR) & APIC_ICR_PENDING)
		cpu_relax();
}

bool apic_has_x2apic(void)
{
	return cpuid(1, 0).ecx & CPUID_1_X2APIC;
}

void apic_enable_x2apic(void)
{
	msr_write(MSR_APIC_BASE, msr_read(MSR_APIC_BASE) | APIC_BASE_X2APIC);
	x2apic = true;
}

static uint32_t ioapic_write(uint32_t index, uint32_t value)
{
	volatile uint32_t *select = (volatile uint32_t *)IOAPIC_BASE;
	volatile uint32_t *window = (volatile uint32_t *)(IOAPIC_BASE + 0x10);

	*select = index;
	*window = value;
	return *window;
}

void vector_connect(unsigned int vector, interrupt_handler *handler)
{
	handlers[vector] = handler;
}

void interrupt_connect(unsigned int irq, interrupt_handler *handler)
{
	vector_connect(VECTOR_PINS + irq, handler);
	ioapic_write(IOAPIC_PIN(irq) + 1, 0); /* to APIC id 0 */
	ioapic_write(IOAPIC_PIN(irq), VECTOR_PINS + irq);
}

void interrupt_send(unsigned int index, interrupt_handler *handler)
{
	vector_connect(VECTOR_IPI, handler);
	apic_send(index, APIC_ICR_ASSERT | VECTOR_IPI);
}

void interrupts_init(void)
{
	for (unsigned int i = 0; i < VECTORS; i++) {
		uint64_t stub = (uint64_t)interrupt_stubs + i * STUB_SIZE;

		idt[i].offset_low = (uint16_t)stub;
		idt[i].offset_middle = (uint16_t)(stub >> 16);
		idt[i].offset_high = (uint32_t)(stub >> 32);
		idt[i].selector = SELECTOR_CODE64;
		idt[i].type = 0x8e; /* present, interrupt gate */
	}
}

void interrupts_init_cpu(void)
{
	struct table_pointer pointer = {sizeof(idt) - 1, (uint64_t)idt};

	asm volatile("lidt %0" : : "m"(pointer));
	apic_write(APIC_SVR, APIC_SVR_ENABLE | VECTOR_SPURIOUS);
	/* Nothing from the 8259s, which nobody set up. */
	apic_write(APIC_LVT0, APIC_LVT_MASKED);
}

static _Noreturn void die(const struct interrupt_frame *frame)
{
	uint64_t cr2;

	asm volatile("mov %%cr2, %0" : "=r"(cr2));
	print("\nnot ok exception # vector %lu error 0x%lx rip 0x%lx cr2 0x%lx "
	      "rsp 0x%lx on cpu %u\n",
	      frame->vector, frame->error, frame->rip, cr2, frame->rsp,
	      cpu_index());
	machine_exit(1);
}

void interrupt_dispatch(struct interrupt_frame *frame)
{
	if (frame->vector < VECTOR_PINS || frame->vector >= VECTORS)
		die(frame);
	if (frame->vector == VECTOR_SPURIOUS)
		return;
	if (!handlers[frame->vector])
		die(frame);
	handlers[frame->vector]();
	apic_write(APIC_EOI, 0);
}

void interrupts_on(void)
{
	asm volatile("sti" : : : "memory");
}

void interrupts_off(void)
{
	asm volatile("cli" : : : "memory");
}

void interrupts_wait(void)
{
	/* Nothing can come between sti and hlt: sti works one late. */
	asm volatile("sti; hlt; cli" : : : "memory");
}

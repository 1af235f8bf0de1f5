/*
 * CPUs, interrupts and time: PSCI CPU_ON, the GIC's interrupts, the virtual
 * timer and the generic counter.
 */
#include "runtime/cpu.h"
#include "runtime/aarch64/gic.h"
#include "runtime/aarch64/layout.h"
#include "runtime/aarch64/machine.h"
#include "runtime/aarch64/sysreg.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/test.h"

#define MPIDR_MASK    0xff00ffffffUL
#define TIMER_ENABLED 1
#define SPURIOUS      1020

struct gic gic;

struct saved_registers {
	uint64_t x[31], pc, state;
};

extern char secondary_start[];
void secondary_cpu_main(void);
void interrupt_dispatch(void);
_Noreturn void exception_die(const struct saved_registers *registers);

UNCLEARED static char stacks[MACHINE_CPUS_MAX][STACK_SIZE];

/* What the CPU that is being started shall do. */
static unsigned int secondary_index;
static void (*secondary_run)(void *);
static void *secondary_argument;
static bool secondary_arrived;

static interrupt_handler *handlers[GIC_INTERRUPTS];

void cpu_set_index(unsigned int index)
{
	SYSREG_WRITE("tpidr_el1", index);
}

unsigned int cpu_index(void)
{
	return (unsigned int)SYSREG_READ("tpidr_el1");
}

void cpu_relax(void)
{
	asm volatile("yield" : : : "memory");
}

bool cpu_start(unsigned int index, void (*run)(void *), void *argument,
	       unsigned int seconds)
{
	secondary_index = index;
	secondary_run = run;
	secondary_argument = argument;
	__atomic_store_n(&secondary_arrived, false, __ATOMIC_SEQ_CST);
	if (psci(PSCI_CPU_ON, cpu_mpidr(index), (uint64_t)secondary_start,
		 (uint64_t)(stacks[index] + STACK_SIZE)))
		return false;
	return WAIT_UNTIL(__atomic_load_n(&secondary_arrived, __ATOMIC_SEQ_CST),
			  seconds);
}

void secondary_cpu_main(void)
{
	unsigned int index = secondary_index;
	void (*run)(void *) = secondary_run;
	void *argument = secondary_argument;

	cpu_set_index(index);
	interrupts_init_cpu();
	if ((SYSREG_READ("mpidr_el1") & MPIDR_MASK) == cpu_mpidr(index))
		__atomic_store_n(&secondary_arrived, true, __ATOMIC_SEQ_CST);
	run(argument);
}

/* What is written before the machine has its distributor in place is lost. */
void interrupts_init(void)
{
	gic.ops->init();
	if (*gic_register(gic.distributor, GICD_CTLR) & GICD_CTLR_GROUPS)
		return;
	print("not ok distributor # it is off after it was turned on\n");
	machine_exit(1);
}

void interrupts_init_cpu(void)
{
	gic.ops->init_cpu();
}

void interrupt_connect(unsigned int irq, interrupt_handler *handler)
{
	handlers[irq] = handler;
	gic.ops->enable(irq);
}

void interrupt_send(unsigned int index, interrupt_handler *handler)
{
	handlers[GIC_IPI] = handler;
	gic.ops->send(index, GIC_IPI);
}

void interrupts_on(void)
{
	asm volatile("msr daifclr, #2" : : : "memory");
}

void interrupts_off(void)
{
	asm volatile("msr daifset, #2" : : : "memory");
}

/* wfi wakes for an interrupt that is masked, too; then it is let in. */
void interrupts_wait(void)
{
	asm volatile("dsb sy; wfi" : : : "memory");
	interrupts_on();
	asm volatile("isb");
	interrupts_off();
}

void interrupt_dispatch(void)
{
	uint32_t acknowledged = gic.ops->acknowledge();
	uint32_t interrupt = acknowledged & 0x3ff;

	if (interrupt >= SPURIOUS)
		return;
	if (interrupt == GIC_TIMER)
		SYSREG_WRITE("cntv_ctl_el0", 0);
	if (handlers[interrupt])
		handlers[interrupt]();
	gic.ops->end(acknowledged);
}

void exception_die(const struct saved_registers *registers)
{
	print("\nnot ok exception # esr 0x%lx far 0x%lx pc 0x%lx on cpu %u\n",
	      SYSREG_READ("esr_el1"), SYSREG_READ("far_el1"), registers->pc,
	      cpu_index());
	machine_exit(1);
}

void timer_start(uint64_t microseconds, interrupt_handler *handler)
{
	handlers[GIC_TIMER] = handler;
	SYSREG_WRITE("cntv_tval_el0",
		     microseconds * clock_ticks_per_second() / 1000000);
	SYSREG_WRITE("cntv_ctl_el0", TIMER_ENABLED);
	asm volatile("isb");
}

uint64_t clock_ticks(void)
{
	asm volatile("isb");
	return SYSREG_READ("cntvct_el0");
}

uint64_t clock_ticks_per_second(void)
{
	return SYSREG_READ("cntfrq_el0");
}

void clock_calibrate(void)
{
}

void run_natively(void (*run)(void))
{
	run();
	tests_finish();
}

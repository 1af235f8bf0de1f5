/*
 * GICv3: affinity routing, CPU interface in system registers. One security
 * state, all interrupts in group 1.
 */
#include "runtime/aarch64/gic.h"
#include "runtime/aarch64/machine.h"
#include "runtime/aarch64/sysreg.h"
#include "runtime/cpu.h"

#define CTLR_GROUP1    (1 << 1)
#define CTLR_AFFINITY  (1 << 4)
#define CTLR_PENDING   (1u << 31)
#define GICD_IROUTER   0x6000
#define GICR_TYPER     0x008
#define GICR_WAKER     0x014
#define WAKER_SLEEP    (1 << 1)
#define WAKER_ASLEEP   (1 << 2)
#define GICR_SIZE      0x20000
#define GICR_SGI_FRAME 0x10000
#define WAKE_SECONDS   5

#define ICC_SRE	   "S3_0_C12_C12_5"
#define ICC_PMR	   "S3_0_C4_C6_0"
#define ICC_IGRPEN "S3_0_C12_C12_7"
#define ICC_IAR	   "S3_0_C12_C12_0"
#define ICC_EOIR   "S3_0_C12_C12_1"
#define ICC_SGI1R  "S3_0_C12_C11_5"

static void init(void)
{
	volatile uint32_t *control = gic_register(gic.distributor, GICD_CTLR);

	*control = CTLR_AFFINITY | CTLR_GROUP1;
	while (*control & CTLR_PENDING)
		cpu_relax();
}

/* This CPU's redistributor: the one whose affinity is ours. */
static uint64_t redistributor(void)
{
	uint64_t mpidr = SYSREG_READ("mpidr_el1");
	uint32_t affinity = (uint32_t)((mpidr & 0xffffff) |
				       (mpidr >> 8 & 0xff000000));
	uint64_t base = gic.second;

	for (; base < gic.second + gic.second_size; base += GICR_SIZE)
		if (*gic_register(base, GICR_TYPER + 4) == affinity)
			return base;
	return gic.second;
}

static void init_cpu(void)
{
	uint64_t base = redistributor();
	volatile uint32_t *waker = gic_register(base, GICR_WAKER);

	*waker &= ~WAKER_SLEEP;
	WAIT_UNTIL(!(*waker & WAKER_ASLEEP), WAKE_SECONDS);
	*gic_register(base + GICR_SGI_FRAME, GICD_IGROUPR) = ~0u;
	*gic_register(base + GICR_SGI_FRAME, GICD_ISENABLER) = 1u << GIC_IPI |
							       1u << GIC_TIMER;
	SYSREG_WRITE(ICC_SRE, 7);
	asm volatile("isb");
	SYSREG_WRITE(ICC_PMR, 0xff);
	SYSREG_WRITE(ICC_IGRPEN, 1);
	asm volatile("isb");
}

static void enable(unsigned int interrupt)
{
	uint64_t base = gic.distributor;
	uint32_t bit = 1u << interrupt % 32;

	*gic_register(base, GICD_IGROUPR + interrupt / 32 * 4) |= bit;
	*gic_register(base, GICD_ICFGR + interrupt / 16 * 4) |=
		2u << interrupt % 16 * 2;
	*(volatile uint64_t *)(base + GICD_IROUTER + interrupt * 8UL) =
		cpu_mpidr(0);
	*gic_register(base, GICD_ISENABLER + interrupt / 32 * 4) = bit;
}

static uint32_t acknowledge(void)
{
	uint32_t interrupt = (uint32_t)SYSREG_READ(ICC_IAR);

	asm volatile("dsb sy" : : : "memory");
	return interrupt;
}

static void end(uint32_t acknowledged)
{
	SYSREG_WRITE(ICC_EOIR, acknowledged);
}

static void send(unsigned int index, unsigned int interrupt)
{
	uint64_t mpidr = cpu_mpidr(index);

	asm volatile("dsb sy" : : : "memory");
	SYSREG_WRITE(ICC_SGI1R,
		     (mpidr >> 32 & 0xff) << 48 | (mpidr >> 4 & 0xf) << 44 |
			     (mpidr >> 16 & 0xff) << 32 |
			     (uint64_t)interrupt << 24 |
			     (mpidr >> 8 & 0xff) << 16 | 1UL << (mpidr & 0xf));
	asm volatile("isb");
}

const struct gic_ops gic_v3 = {
	.init = init,
	.init_cpu = init_cpu,
	.enable = enable,
	.acknowledge = acknowledge,
	.end = end,
	.send = send,
};

/*
 * GICv2: at most eight CPUs, CPU interface in memory.
 */
#include "runtime/aarch64/gic.h"
#include "runtime/cpu.h"

#define GICD_ITARGETSR 0x800
#define GICD_SGIR      0xf00
#define GICC_CTLR      0x000
#define GICC_PMR       0x004
#define GICC_IAR       0x00c
#define GICC_EOIR      0x010

static void init(void)
{
	*gic_register(gic.distributor, GICD_CTLR) = 1;
}

static void init_cpu(void)
{
	*gic_register(gic.distributor, GICD_ISENABLER) = 1u << GIC_IPI |
							 1u << GIC_TIMER;
	*gic_register(gic.second, GICC_PMR) = 0xff;
	*gic_register(gic.second, GICC_CTLR) = 1;
}

static void enable(unsigned int interrupt)
{
	uint64_t base = gic.distributor;

	*gic_register(base, GICD_ICFGR + interrupt / 16 * 4) |=
		2u << interrupt % 16 * 2;
	*(volatile uint8_t *)(base + GICD_ITARGETSR + interrupt) = 1;
	*gic_register(base, GICD_ISENABLER + interrupt / 32 * 4) =
		1u << interrupt % 32;
}

static uint32_t acknowledge(void)
{
	return *gic_register(gic.second, GICC_IAR);
}

static void end(uint32_t acknowledged)
{
	*gic_register(gic.second, GICC_EOIR) = acknowledged;
}

static void send(unsigned int index, unsigned int interrupt)
{
	asm volatile("dsb sy" : : : "memory");
	*gic_register(gic.distributor, GICD_SGIR) = 1u << (16 + index) |
						    interrupt;
}

const struct gic_ops gic_v2 = {
	.init = init,
	.init_cpu = init_cpu,
	.enable = enable,
	.acknowledge = acknowledge,
	.end = end,
	.send = send,
};

/*
 * runtime/aarch64/gic.h - the interrupt controller: GICv3 or GICv2.
 */
#ifndef RUNTIME_AARCH64_GIC_H
#define RUNTIME_AARCH64_GIC_H

#include <stdint.h>

struct gic_ops {
	void (*init)(void);	/* the distributor; once, on CPU 0 */
	void (*init_cpu)(void); /* this CPU's interface */
	/* Enables an edge-triggered SPI towards CPU 0. */
	void (*enable)(unsigned int interrupt);
	uint32_t (*acknowledge)(void);
	void (*end)(uint32_t acknowledged);
	void (*send)(unsigned int index, unsigned int interrupt);
};

extern const struct gic_ops gic_v2, gic_v3;

/* What the FDT says; set before interrupts_init(). */
struct gic {
	const struct gic_ops *ops;
	uint64_t distributor;
	uint64_t second; /* v3: redistributors; v2: CPU interface */
	uint64_t second_size;
};

extern struct gic gic;

/* Interrupt ids: the software one that we send, the virtual timer's. */
#define GIC_IPI	       1
#define GIC_TIMER      27
#define GIC_INTERRUPTS 1020

static inline volatile uint32_t *gic_register(uint64_t base,
					      unsigned int offset)
{
	return (volatile uint32_t *)(base + offset);
}

/* Offsets in the distributor, the same in both versions. */
#define GICD_CTLR      0x000
#define GICD_IGROUPR   0x080
#define GICD_ISENABLER 0x100
#define GICD_ICFGR     0xc00

/* Of GICD_CTLR: forwards interrupts of group 0 (all of v2's) or group 1. */
#define GICD_CTLR_GROUPS 3

#endif

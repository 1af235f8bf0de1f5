/*
 * arch/aarch64/gic.h - KVM's interrupt controller: a GICv3, or a GICv2 on
 * hosts whose hardware has only that. KVM: Documentation/virt/kvm/devices/
 * arm-vgic-v3.rst and arm-vgic.rst.
 *
 * On main.
 */
#ifndef ARCH_AARCH64_GIC_H
#define ARCH_AARCH64_GIC_H

#include "base/err.h"
#include "base/io_range.h"

enum gic_version {
	GIC_V2 = 2,
	GIC_V3 = 3,
};

#define GIC_V2_CPUS_MAX 8

/* GICv3's redistributors: one range, or two for many vCPUs. */
#define GIC_REDISTRIBUTOR_REGIONS 2

struct gic {
	int fd; /* KVM's device; owned */
	enum gic_version version;
	unsigned int cpus;
};

/* Creates the device for @cpus vCPUs, which come later. */
int gic_init(struct gic *gic, int vm_fd, unsigned int cpus, struct err *err);

/* Once all vCPUs exist: places the registers and makes it work. */
int gic_start(struct gic *gic, struct err *err);

void gic_fini(struct gic *gic);

/* Fills in the ranges that @cpus vCPUs need and returns their number. */
unsigned int gic_redistributors(
	unsigned int cpus,
	struct io_range ret_regions[GIC_REDISTRIBUTOR_REGIONS]);

#endif

/*
 * arch/aarch64/gic.c - creates and places KVM's GIC. No ITS: nothing on this
 * machine sends message-signalled interrupts.
 */
#include "arch/aarch64/gic.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "arch/aarch64/map.h"
#include "arch/arch.h"

/* asm/kvm.h counts on it and leaves it to whoever includes it. */
#define SZ_64K 0x10000ULL

/* KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION: count, base and index in one value. */
#define REGION_COUNT_SHIFT 52

unsigned int gic_redistributors(
	unsigned int cpus,
	struct io_range ret_regions[GIC_REDISTRIBUTOR_REGIONS])
{
	uint64_t room = arch_map.serial.range.base - MAP_GIC_REDISTRIBUTORS;
	unsigned int first = min_u64(cpus, room / KVM_VGIC_V3_REDIST_SIZE);

	ret_regions[0] = (struct io_range){
		.space = IO_MMIO,
		.base = MAP_GIC_REDISTRIBUTORS,
		.size = first * KVM_VGIC_V3_REDIST_SIZE,
	};
	ret_regions[1] = (struct io_range){
		.space = IO_MMIO,
		.base = MAP_GIC_REDISTRIBUTORS2,
		.size = (cpus - first) * KVM_VGIC_V3_REDIST_SIZE,
	};
	return ret_regions[1].size ? 2 : 1;
}

static int create(int vm_fd, uint32_t type, int *ret_fd)
{
	struct kvm_create_device device = {.type = type};

	if (ioctl(vm_fd, KVM_CREATE_DEVICE, &device) < 0)
		return -errno;
	*ret_fd = device.fd;
	return 0;
}

int gic_init(struct gic *gic, int vm_fd, unsigned int cpus, struct err *err)
{
	int ret;

	*gic = (struct gic){.fd = -1, .version = GIC_V3, .cpus = cpus};
	if (!create(vm_fd, KVM_DEV_TYPE_ARM_VGIC_V3, &gic->fd))
		return 0;

	gic->version = GIC_V2;
	if (cpus > GIC_V2_CPUS_MAX)
		return err_set(err, EINVAL,
			       "this host's KVM offers no GICv3, and with a "
			       "GICv2 a machine has at most %d CPUs, not %u",
			       GIC_V2_CPUS_MAX, cpus);
	ret = create(vm_fd, KVM_DEV_TYPE_ARM_VGIC_V2, &gic->fd);
	if (ret)
		return err_errno(err, -ret,
				 "KVM offers neither a GICv3 nor a GICv2");
	return 0;
}

static int set_attribute(const struct gic *gic, uint32_t group, uint64_t name,
			 void *value, struct err *err)
{
	struct kvm_device_attr attribute = {
		.group = group,
		.attr = name,
		.addr = (uintptr_t)value,
	};

	if (ioctl(gic->fd, KVM_SET_DEVICE_ATTR, &attribute) < 0)
		return err_errno(
			err, errno,
			"cannot set up KVM's GICv%d (attribute %u/%llu)",
			gic->version, group, (unsigned long long)name);
	return 0;
}

static int place(const struct gic *gic, uint64_t what, uint64_t where,
		 struct err *err)
{
	return set_attribute(gic, KVM_DEV_ARM_VGIC_GRP_ADDR, what, &where, err);
}

static int place_v2(const struct gic *gic, struct err *err)
{
	int ret = place(gic, KVM_VGIC_V2_ADDR_TYPE_DIST, MAP_GIC_DISTRIBUTOR,
			err);

	if (!ret)
		ret = place(gic, KVM_VGIC_V2_ADDR_TYPE_CPU,
			    MAP_GIC_CPU_INTERFACE, err);
	return ret;
}

static int place_v3(const struct gic *gic, struct err *err)
{
	struct io_range regions[GIC_REDISTRIBUTOR_REGIONS];
	unsigned int count = gic_redistributors(gic->cpus, regions);
	int ret = place(gic, KVM_VGIC_V3_ADDR_TYPE_DIST, MAP_GIC_DISTRIBUTOR,
			err);

	for (unsigned int i = 0; !ret && i < count; i++) {
		uint64_t cpus = regions[i].size / KVM_VGIC_V3_REDIST_SIZE;

		ret = place(gic, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION,
			    cpus << REGION_COUNT_SHIFT | regions[i].base | i,
			    err);
	}
	return ret;
}

int gic_start(struct gic *gic, struct err *err)
{
	/* KVM takes multiples of 32. */
	uint32_t intids = align_up(MAP_SPI_BASE + arch_map.virtio_first.gsi +
					   arch_map.virtio_max,
				   32);
	int ret = gic->version == GIC_V3 ? place_v3(gic, err)
					 : place_v2(gic, err);

	if (!ret)
		ret = set_attribute(gic, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0,
				    &intids, err);
	if (!ret)
		ret = set_attribute(gic, KVM_DEV_ARM_VGIC_GRP_CTRL,
				    KVM_DEV_ARM_VGIC_CTRL_INIT, NULL, err);
	return ret;
}

void gic_fini(struct gic *gic)
{
	fd_close(&gic->fd);
}

/*
 * guest-tests/tools/probe_loop_aarch64.c - the loop at EL1. It ends with a
 * store to an address where nothing is.
 */
#include <linux/kvm.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "probe_kvm.h"

const uint8_t probe_code[] = {
	0x00, 0x04, 0x00, 0xf1, /* 1: subs x0, x0, #1 */
	0xe1, 0xff, 0xff, 0x54, /* b.ne 1b */
	0x3f, 0x00, 0x00, 0xb9, /* str wzr, [x1] */
};
const size_t probe_code_size = sizeof(probe_code);

static int set_register(int vcpu_fd, size_t offset, uint64_t value)
{
	struct kvm_one_reg reg = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |
		      offset / sizeof(uint32_t),
		.addr = (uintptr_t)&value,
	};

	return ioctl(vcpu_fd, KVM_SET_ONE_REG, &reg);
}

int probe_vcpu_init(int vm_fd, int vcpu_fd)
{
	struct kvm_vcpu_init init;

	if (ioctl(vm_fd, KVM_ARM_PREFERRED_TARGET, &init))
		return -1;
	if (ioctl(vcpu_fd, KVM_ARM_VCPU_INIT, &init))
		return -1;
	if (set_register(vcpu_fd, offsetof(struct kvm_regs, regs.pc),
			 PROBE_BASE))
		return -1;
	if (set_register(vcpu_fd, offsetof(struct kvm_regs, regs.regs[1]), 0))
		return -1;
	return set_register(vcpu_fd, offsetof(struct kvm_regs, regs.regs[0]),
			    PROBE_TURNS);
}

/*
 * guest-tests/tools/probe_loop_x86_64.c - the loop in real mode, which is
 * privilege level 0. It ends with an access to a port that nobody has.
 */
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "probe_kvm.h"

const uint8_t probe_code[] = {
	0x66, 0x49, /* 1: dec ecx */
	0x75, 0xfc, /* jnz 1b */
	0xe6, 0x80, /* out 0x80, al */
};
const size_t probe_code_size = sizeof(probe_code);

int probe_vcpu_init(int vm_fd, int vcpu_fd)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs = {
		.rip = 0,
		.rcx = PROBE_TURNS,
		.rflags = 2,
	};

	(void)vm_fd;
	if (ioctl(vcpu_fd, KVM_GET_SREGS, &sregs))
		return -1;
	sregs.cs.base = PROBE_BASE;
	sregs.cs.selector = PROBE_BASE >> 4;
	if (ioctl(vcpu_fd, KVM_SET_SREGS, &sregs))
		return -1;
	return ioctl(vcpu_fd, KVM_SET_REGS, &regs);
}

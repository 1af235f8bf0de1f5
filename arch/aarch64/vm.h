/*
 * arch/aarch64/vm.h - what struct arch_vm (arch/arch.h) is here.
 *
 * On main; constant from arch_vm_start() on.
 */
#ifndef ARCH_AARCH64_VM_H
#define ARCH_AARCH64_VM_H

#include "arch/aarch64/gic.h"

struct arch_vm {
	int vm_fd; /* the caller's */
	struct gic gic;
};

#endif

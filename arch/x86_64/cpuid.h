/*
 * arch/x86_64/cpuid.h - what CPUID says to the guest: all that KVM can do,
 * with each vCPU's own APIC id and a flat topology (one socket, one thread
 * per core).
 */
#ifndef ARCH_X86_64_CPUID_H
#define ARCH_X86_64_CPUID_H

#include <linux/kvm.h>

#include <stdbool.h>

#include "base/err.h"

/*
 * KVM's supported leaves, with those of cpuid_add_levels(); the caller frees.
 * NULL on failure, with @err set.
 */
struct kvm_cpuid2 *cpuid_supported(int kvm_fd, struct err *err);

/*
 * KVM answers the topology leaves (0xb, 0x1f) with their first level alone:
 * the topology is ours to make. Adds the second one where the first one is;
 * @cpuid has room for two more entries.
 */
void cpuid_add_levels(struct kvm_cpuid2 *cpuid);

/* Makes @cpuid that of vCPU @index of @cpus. @deadline: TSC-deadline timer. */
void cpuid_specialise(struct kvm_cpuid2 *cpuid, unsigned int index,
		      unsigned int cpus, bool deadline);

#endif

/*
 * guest-tests/tools/probe_kvm.h - the loop that probe_kvm.c times, once per
 * architecture.
 */
#ifndef PROBE_KVM_H
#define PROBE_KVM_H

#include <stddef.h>
#include <stdint.h>

/* Where the code lies in guest memory; nothing else is mapped. */
#define PROBE_BASE  0x10000u
#define PROBE_TURNS 500000u

extern const uint8_t probe_code[];
extern const size_t probe_code_size;

/* Sets the vCPU to the start of the code. 0, or -1 with errno. */
int probe_vcpu_init(int vm_fd, int vcpu_fd);

#endif

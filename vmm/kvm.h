/*
 * vmm/kvm.h - /dev/kvm and a VM made from it; the requests that are the same
 * on every architecture. Linux: Documentation/virt/kvm/api.rst. On main.
 */
#ifndef VMM_KVM_H
#define VMM_KVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/guest_memory.h"

struct kvm {
	int fd;
	size_t run_size; /* bytes of a vCPU's shared struct kvm_run */
};

/*
 * Opens /dev/kvm and asks for all that the machine needs of it. The sentence
 * says what a person can do: load a module, join a group.
 */
int kvm_open(struct kvm *kvm, struct err *err);
void kvm_close(struct kvm *kvm);

/* The VM's file descriptor, or -errno. */
int kvm_create_vm(const struct kvm *kvm, struct err *err);

/* Refuses more vCPUs than KVM allows (KVM_CAP_MAX_VCPUS). */
int kvm_check_cpus(const struct kvm *kvm, unsigned int cpus, struct err *err);

/* Maps the regions of RAM, slot by slot. */
int kvm_map_memory(int vm_fd, const struct guest_memory *memory,
		   struct err *err);

/* Every write to @event_fd becomes an edge on @gsi. */
int kvm_wire_irq(int vm_fd, int event_fd, uint32_t gsi, struct err *err);

/* A 32-bit write of @value to @address raises @event_fd, without an exit. */
int kvm_wire_doorbell(int vm_fd, int event_fd, gpa_t address, uint32_t value,
		      struct err *err);

#endif

/*
 * vmm/kvm.h - /dev/kvm and a VM made from it; the requests that are the same
 * on every architecture. Linux: Documentation/virt/kvm/api.rst. On main.
 */
#ifndef VMM_KVM_H
#define VMM_KVM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/guest_memory.h"
#include "devices/irq.h"

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

/*
 * An interrupt line of a VM whose interrupt controller is in the kernel. Raised
 * by the thread that has a reason, at once: an irqfd hands this to a kernel
 * thread, which on a busy CPU comes a context switch or two later.
 */
struct kvm_irq {
	int vm_fd;	      /* [c] not owned */
	uint32_t number;      /* [c] as KVM_IRQ_LINE wants it */
	pthread_mutex_t lock; /* around both ends of an edge */
};

/* What devices get of it; @irq must stay where it is. */
struct irq_line kvm_irq_init(struct kvm_irq *irq, int vm_fd, uint32_t gsi);

/* A 32-bit write of @value to @address raises @event_fd, without an exit. */
int kvm_wire_doorbell(int vm_fd, int event_fd, gpa_t address, uint32_t value,
		      struct err *err);

/*
 * Has the guest read @size bytes at @host where @address is, without an exit;
 * what it writes there exits. @index counts such mappings, from 0. Where this
 * KVM or the host's page size do not allow it, reads exit as well.
 */
void kvm_map_readable(int vm_fd, unsigned int index, gpa_t address, void *host,
		      size_t size);

#endif

/*
 * vmm/vcpu.h - a virtual CPU and its thread.
 *
 * The thread, named vcpu/N, alternates between KVM_RUN and the bus. It ends
 * when the machine's ending is decided; whatever it finds out itself (a triple
 * fault, PSCI's power-off) it decides there.
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include <pthread.h>
#include <stdbool.h>

#include "devices/bus.h"
#include "vmm/ending.h"
#include "vmm/kvm.h"

struct kvm_run;

/* What it did since vcpu_open(). */
struct vcpu_statistics {
	uint64_t cpu_nsec; /* with the guest's; known when it has ended */
	/* Times that KVM_RUN returned, and why. */
	uint64_t io, mmio;
	uint64_t interrupted; /* by a signal */
	uint64_t other;
};

/* Adds them up. */
void vcpu_statistics_add(struct vcpu_statistics *sum,
			 const struct vcpu_statistics *more);

struct vcpu {
	unsigned int index;    /* [c] */
	int fd;		       /* [c] owned; -1: none */
	struct kvm_run *run;   /* [v] shared with KVM */
	size_t run_size;       /* [c] */
	const struct bus *bus; /* [c] */
	struct ending *ending; /* [c] */
	pthread_t thread;      /* [m] */
	bool started;	       /* [m] */
	/* [v] until the thread ended, then [m] */
	char *report;
	struct vcpu_statistics statistics;
};

/* Creates it in the VM, not yet set up by arch_vcpu_init(), not running. */
int vcpu_open(struct vcpu *vcpu, const struct kvm *kvm, int vm_fd,
	      unsigned int index, const struct bus *bus, struct ending *ending,
	      struct err *err);

/*
 * Starts the thread, and waits until that has been in KVM_RUN for a moment,
 * without running the guest. What KVM sets up for the whole machine in a first
 * KVM_RUN is then there before a second thread comes: on arm64, KVM lets others
 * pass while one of them is putting the GIC's distributor on its bus, and what
 * a guest that gets ahead writes to the distributor is lost.
 */
int vcpu_start(struct vcpu *vcpu, struct err *err);

/* Waits for the thread; the ending must be decided. */
void vcpu_stop(struct vcpu *vcpu);

/* After vcpu_stop(). */
void vcpu_close(struct vcpu *vcpu);

#endif

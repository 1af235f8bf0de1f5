/* vmm/vcpu.c - see vcpu.h. Exits: Linux, Documentation/virt/kvm/api.rst, 5. */
#include "vmm/vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "arch/arch.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/thread.h"

/* Brings a thread out of KVM_RUN; its handler has nothing to do. */
#define KICK_SIGNAL SIGRTMIN

static void on_kick(int signal)
{
	(void)signal;
}

int vcpu_open(struct vcpu *vcpu, const struct kvm *kvm, int vm_fd,
	      unsigned int index, const struct bus *bus, struct ending *ending,
	      struct err *err)
{
	*vcpu = (struct vcpu){
		.index = index,
		.run_size = kvm->run_size,
		.bus = bus,
		.ending = ending,
	};
	vcpu->fd = ioctl(vm_fd, KVM_CREATE_VCPU, arch_vcpu_id(index));
	if (vcpu->fd < 0)
		return err_errno(err, errno, "KVM cannot make vCPU %u", index);
	vcpu->run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		vcpu->run = NULL;
		return err_errno(err, errno, "cannot map vCPU %u", index);
	}
	return 0;
}

void vcpu_close(struct vcpu *vcpu)
{
	if (vcpu->run)
		munmap(vcpu->run, vcpu->run_size);
	vcpu->run = NULL;
	fd_close(&vcpu->fd);
	free(vcpu->report);
	vcpu->report = NULL;
}

/* Keeps what happened and the registers for the end, when main prints it. */
static void report_crash(struct vcpu *vcpu, const char *what, uint64_t detail)
{
	size_t size;
	FILE *out = open_memstream(&vcpu->report, &size);

	if (out) {
		fprintf(out, "vCPU %u: %s (%#llx)\n", vcpu->index, what,
			(unsigned long long)detail);
		arch_vcpu_dump(vcpu->fd, out);
		fclose(out);
	}
	ending_decide(vcpu->ending, ENDING_CRASHED, 0);
}

static uint64_t read_value(const void *data, unsigned int size)
{
	uint64_t value = 0;

	memcpy(&value, data, size); /* both architectures: little-endian */
	return value;
}

/* String instructions come as several accesses to the same port. */
static void handle_port(const struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	uint64_t value;

	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_OUT) {
			bus_write(vcpu->bus, IO_PIO, run->io.port, run->io.size,
				  read_value(data, run->io.size));
		} else {
			bus_read(vcpu->bus, IO_PIO, run->io.port, run->io.size,
				 &value);
			memcpy(data, &value, run->io.size);
		}
	}
}

static void handle_mmio(const struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint64_t value;

	if (run->mmio.is_write) {
		bus_write(vcpu->bus, IO_MMIO, run->mmio.phys_addr,
			  run->mmio.len,
			  read_value(run->mmio.data, run->mmio.len));
	} else {
		bus_read(vcpu->bus, IO_MMIO, run->mmio.phys_addr, run->mmio.len,
			 &value);
		memcpy(run->mmio.data, &value, sizeof(value));
	}
}

static void handle_system_event(struct vcpu *vcpu)
{
	switch (vcpu->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		ending_decide(vcpu->ending, ENDING_POWER_OFF, 0);
		break;
	case KVM_SYSTEM_EVENT_RESET:
		ending_decide(vcpu->ending, ENDING_RESET, 0);
		break;
	case KVM_SYSTEM_EVENT_CRASH:
		ending_decide(vcpu->ending, ENDING_PANICKED, 0);
		break;
	default:
		report_crash(vcpu, "a system event that alcor does not know",
			     vcpu->run->system_event.type);
	}
}

static void handle_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		handle_port(vcpu);
		break;
	case KVM_EXIT_MMIO:
		handle_mmio(vcpu);
		break;
	case KVM_EXIT_INTR:
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		handle_system_event(vcpu);
		break;
	case KVM_EXIT_SHUTDOWN:
		report_crash(vcpu, "triple fault", run->exit_reason);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		report_crash(vcpu, "the CPU refuses the guest's state",
			     run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		report_crash(vcpu, "KVM internal error",
			     run->internal.suberror);
		break;
	default:
		report_crash(vcpu, "an exit that alcor does not know",
			     run->exit_reason);
	}
}

/* KVM_RUN failed. What the guest caused is its crash, the rest the host's. */
static void handle_failure(struct vcpu *vcpu, int error)
{
	if (error == EINTR || error == EAGAIN)
		return;
	if (error == ENOSYS)
		report_crash(vcpu, "an access that KVM cannot emulate",
			     (uint64_t)error);
	else
		ending_decide(vcpu->ending, ENDING_HOST_FAILED,
			      (uint32_t)error);
}

static void count_exit(struct vcpu_statistics *statistics, uint32_t reason)
{
	switch (reason) {
	case KVM_EXIT_IO:
		statistics->io++;
		break;
	case KVM_EXIT_MMIO:
		statistics->mmio++;
		break;
	default:
		statistics->other++;
		break;
	}
}

static void run_once(struct vcpu *vcpu)
{
	if (ioctl(vcpu->fd, KVM_RUN, 0) < 0) {
		vcpu->statistics.interrupted++;
		handle_failure(vcpu, errno);
	} else {
		count_exit(&vcpu->statistics, vcpu->run->exit_reason);
		handle_exit(vcpu);
	}
}

void vcpu_statistics_add(struct vcpu_statistics *sum,
			 const struct vcpu_statistics *more)
{
	sum->cpu_nsec += more->cpu_nsec;
	sum->io += more->io;
	sum->mmio += more->mmio;
	sum->interrupted += more->interrupted;
	sum->other += more->other;
}

/* What vcpu_start() lends to the thread, until that has been in KVM. */
struct vcpu_start {
	struct vcpu *vcpu;
	sem_t visited;
};

/* KVM does what it leaves to the first KVM_RUN, but runs no guest yet. */
static void visit_kvm(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	run_once(vcpu);
	vcpu->run->immediate_exit = 0;
}

static void *vcpu_thread(void *argument)
{
	struct vcpu_start *start = argument;
	struct vcpu *vcpu = start->vcpu;
	char name[16];

	snprintf(name, sizeof(name), "vcpu/%u", vcpu->index);
	pthread_setname_np(pthread_self(), name);
	visit_kvm(vcpu);
	sem_post(&start->visited);
	while (!ending_is_decided(vcpu->ending))
		run_once(vcpu);
	vcpu->statistics.cpu_nsec = clock_thread_nsec();
	return NULL;
}

int vcpu_start(struct vcpu *vcpu, struct err *err)
{
	struct sigaction kick = {.sa_handler = on_kick};
	struct vcpu_start start = {.vcpu = vcpu};
	int ret;

	sigaction(KICK_SIGNAL, &kick, NULL);
	sem_init(&start.visited, 0, 0);
	ret = thread_create(&vcpu->thread, vcpu_thread, &start);
	vcpu->started = !ret;
	while (!ret && sem_wait(&start.visited) < 0)
		; /* a signal; the thread still has our `start` */
	sem_destroy(&start.visited);
	if (ret)
		return err_errno(err, -ret, "cannot start a thread for vCPU %u",
				 vcpu->index);
	return 0;
}

void vcpu_stop(struct vcpu *vcpu)
{
	if (!vcpu->started)
		return;
	/*
	 * immediate_exit covers the moment between the thread's look at the
	 * ending and KVM_RUN; the signal covers KVM_RUN itself.
	 */
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(vcpu->thread, KICK_SIGNAL);
	pthread_join(vcpu->thread, NULL);
	vcpu->started = false;
}

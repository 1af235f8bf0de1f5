/*
 * guest-tests/tools/probe_kvm.c - how fast does /dev/kvm run a kernel's code?
 *
 * Runs a short loop at the guest's most privileged level and prints the
 * nanoseconds that a turn takes: about one with hardware behind /dev/kvm, and
 * hundreds where such code is emulated, which is far too slow for a Linux
 * guest. Exit status 1, and a reason on stderr, where no guest runs at all.
 *
 * The loop's code is the architecture's (probe_loop_*.c); its end is an exit
 * that the architecture's code chooses.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "probe_kvm.h"

#define MEMORY_SIZE 0x10000u

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

static int map_code(int vm)
{
	void *memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = PROBE_BASE,
		.memory_size = MEMORY_SIZE,
		.userspace_addr = (uintptr_t)memory,
	};

	if (memory == MAP_FAILED)
		return -1;
	memcpy(memory, probe_code, probe_code_size);
	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - start->tv_sec +
	       (now.tv_nsec - start->tv_nsec) / 1e9;
}

/* Runs the loop to its end; the nanoseconds per turn, negative on failure. */
static double time_loop(int vcpu)
{
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	if (ioctl(vcpu, KVM_RUN, 0))
		return -1;
	return seconds_since(&start) * 1e9 / PROBE_TURNS;
}

int main(void)
{
	double ns_per_turn;
	int kvm, vm, vcpu;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return fail("/dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return fail("KVM_CREATE_VM");
	if (map_code(vm))
		return fail("KVM_SET_USER_MEMORY_REGION");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		return fail("KVM_CREATE_VCPU");
	if (probe_vcpu_init(vm, vcpu))
		return fail("setting the vCPU's registers");
	ns_per_turn = time_loop(vcpu);
	if (ns_per_turn < 0)
		return fail("KVM_RUN");
	printf("%.1f\n", ns_per_turn);
	return 0;
}

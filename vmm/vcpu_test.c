/*
 * vmm/vcpu_test.c - the order in which vCPUs' threads come to KVM, and why they
 * leave it, with an ioctl() of our own in KVM's place.
 */
#include "vmm/vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/math.h"
#include "base/test.h"

#define VCPUS 3
#define VM_FD 1000 /* no file's; only ioctl() below sees it */

static struct kvm kvm = {.run_size = 4096};
static struct ending ending;
static struct vcpu vcpus[VCPUS];
static unsigned int visits, entries; /* of KVM_RUN */
static const uint32_t *next_exit;    /* NULL: none but by a signal */
static struct bus bus;

static struct vcpu *vcpu_of(int fd)
{
	for (unsigned int i = 0; i < VCPUS; i++)
		if (vcpus[i].fd == fd)
			return &vcpus[i];
	return NULL;
}

/* Accesses that no device answers; the end is a power-off. */
static int exit_for(struct kvm_run *run, uint32_t reason)
{
	run->exit_reason = reason;
	if (reason == KVM_EXIT_INTR) {
		errno = EINTR;
		return -1;
	}
	if (reason == KVM_EXIT_IO) {
		run->io.direction = KVM_EXIT_IO_OUT;
		run->io.size = run->io.count = 1;
		run->io.data_offset = sizeof(*run);
	} else if (reason == KVM_EXIT_MMIO) {
		run->mmio.len = 4;
	} else {
		run->system_event.type = KVM_SYSTEM_EVENT_SHUTDOWN;
	}
	return 0;
}

/* As KVM's: at once when asked so, or else in the guest until a signal. */
static int kvm_run(const struct vcpu *vcpu)
{
	if (__atomic_load_n(&vcpu->run->immediate_exit, __ATOMIC_SEQ_CST)) {
		usleep(2000); /* time for a starter that does not wait */
		__atomic_add_fetch(&visits, 1, __ATOMIC_SEQ_CST);
	} else if (next_exit) {
		return exit_for(vcpu->run, *next_exit++);
	} else {
		__atomic_add_fetch(&entries, 1, __ATOMIC_SEQ_CST);
		usleep(500);
	}
	errno = EINTR;
	return -1;
}

int ioctl(int fd, unsigned long request, ...)
{
	int memory;

	if (fd == VM_FD && request == KVM_CREATE_VCPU) {
		memory = memfd_create("vcpu", MFD_CLOEXEC);
		if (memory >= 0 && ftruncate(memory, (off_t)kvm.run_size) < 0)
			fd_close(&memory);
		return memory;
	}
	if (request == KVM_RUN && vcpu_of(fd))
		return kvm_run(vcpu_of(fd));
	errno = ENOTTY;
	return -1;
}

static unsigned int count(const unsigned int *counter)
{
	return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

static void open_vcpus(void)
{
	REQUIRE(!ending_init(&ending, NULL));
	for (unsigned int i = 0; i < VCPUS; i++)
		REQUIRE(!vcpu_open(&vcpus[i], &kvm, VM_FD, i, &bus, &ending,
				   NULL));
}

static void close_vcpus(void)
{
	ending_decide(&ending, ENDING_POWER_OFF, 0);
	for (unsigned int i = 0; i < VCPUS; i++) {
		vcpu_stop(&vcpus[i]);
		vcpu_close(&vcpus[i]);
	}
	ending_fini(&ending);
}

/* And not yet in the guest, whose first steps may need what KVM sets up. */
static void each_was_in_kvm_before_the_next_starts(void)
{
	open_vcpus();
	for (unsigned int i = 0; !test_failed && i < VCPUS; i++) {
		REQUIRE(!vcpu_start(&vcpus[i], NULL));
		CHECK_EQUAL(count(&visits), i + 1);
	}
	while (!test_failed && count(&entries) < VCPUS)
		usleep(100);
	CHECK_EQUAL(count(&visits), VCPUS);
	close_vcpus();
}

static void exits_are_counted_by_reason(void)
{
	static const uint32_t exits[] = {
		KVM_EXIT_IO,   KVM_EXIT_IO,   KVM_EXIT_IO,
		KVM_EXIT_MMIO, KVM_EXIT_INTR, KVM_EXIT_SYSTEM_EVENT,
	};
	struct vcpu_statistics sum = {.io = 10}, *got = &vcpus[0].statistics;

	bus_init(&bus);
	open_vcpus();
	next_exit = exits;
	REQUIRE(!vcpu_start(&vcpus[0], NULL));
	while (!ending_is_decided(&ending))
		usleep(100);
	vcpu_stop(&vcpus[0]);
	next_exit = NULL;
	CHECK_EQUAL(got->io, 3);
	CHECK_EQUAL(got->mmio, 1);
	CHECK_EQUAL(got->interrupted, 2); /* and at the first visit */
	CHECK_EQUAL(got->other, 1);
	CHECK(got->cpu_nsec > 0);
	vcpu_statistics_add(&sum, got);
	vcpu_statistics_add(&sum, got);
	CHECK_EQUAL(sum.io, 16);
	CHECK_EQUAL(sum.interrupted, 4);
	CHECK_EQUAL(sum.cpu_nsec, 2 * got->cpu_nsec);
	close_vcpus();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(each_was_in_kvm_before_the_next_starts),
		TEST(exits_are_counted_by_reason),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/* vmm/kvm.c - see kvm.h. */
#include "vmm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "arch/arch.h"
#include "base/fd.h"
#include "base/math.h"

static int open_device(struct err *err)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
		return err_set(err, ENOENT,
			       "there is no /dev/kvm: this host's CPU or its "
			       "firmware settings lack virtualization, or the "
			       "kvm module is not loaded");
	case EACCES:
		return err_set(err, EACCES,
			       "no permission to open /dev/kvm; `adduser USER "
			       "kvm` and a new login give it");
	default:
		return err_errno(err, errno, "cannot open /dev/kvm");
	}
}

static int check_capabilities(int fd, struct err *err)
{
	static const struct {
		int number;
		const char *name;
	} needed[] = {
		{KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
		{KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"},
		{KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
	};

	if (ioctl(fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return err_set(err, ENOTSUP,
			       "/dev/kvm does not speak version %d of its API",
			       KVM_API_VERSION);
	for (size_t i = 0; i < ARRAY_LENGTH(needed); i++)
		if (ioctl(fd, KVM_CHECK_EXTENSION, needed[i].number) <= 0)
			return err_set(err, ENOTSUP,
				       "this host's KVM lacks %s; a newer "
				       "kernel has it",
				       needed[i].name);
	return 0;
}

int kvm_open(struct kvm *kvm, struct err *err)
{
	int size, ret;

	kvm->fd = open_device(err);
	if (kvm->fd < 0)
		return kvm->fd;
	ret = check_capabilities(kvm->fd, err);
	size = ioctl(kvm->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (!ret && size < 0)
		ret = err_errno(err, errno, "KVM_GET_VCPU_MMAP_SIZE");
	kvm->run_size = (size_t)size;
	if (ret)
		kvm_close(kvm);
	return ret;
}

void kvm_close(struct kvm *kvm)
{
	fd_close(&kvm->fd);
}

int kvm_create_vm(const struct kvm *kvm, struct err *err)
{
	int fd;

	do {
		fd = ioctl(kvm->fd, KVM_CREATE_VM, 0);
	} while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return err_errno(err, errno, "KVM cannot make a VM");
	return fd;
}

int kvm_check_cpus(const struct kvm *kvm, unsigned int cpus, struct err *err)
{
	int max = ioctl(kvm->fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);

	if (max > 0 && cpus > (unsigned int)max)
		return err_set(err, EINVAL,
			       "--cpus %u: this host's KVM runs at most %d",
			       cpus, max);
	return 0;
}

int kvm_map_memory(int vm_fd, const struct guest_memory *memory,
		   struct err *err)
{
	struct kvm_userspace_memory_region slot;

	for (unsigned int i = 0; i < memory->count; i++) {
		slot = (struct kvm_userspace_memory_region){
			.slot = i,
			.guest_phys_addr = memory->regions[i].base,
			.memory_size = memory->regions[i].size,
			.userspace_addr = (uintptr_t)memory->regions[i].host,
		};
		if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &slot))
			return err_errno(err, errno,
					 "KVM refuses %llu MiB of memory at "
					 "%#llx",
					 slot.memory_size / MIB,
					 slot.guest_phys_addr);
	}
	return 0;
}

void kvm_map_readable(int vm_fd, unsigned int index, gpa_t address, void *host,
		      size_t size)
{
	struct kvm_userspace_memory_region slot = {
		.slot = GUEST_REGIONS_MAX + index,
		.flags = KVM_MEM_READONLY,
		.guest_phys_addr = address,
		.memory_size = size,
		.userspace_addr = (uintptr_t)host,
	};

	ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &slot);
}

/* It cannot fail: the controller exists, and so does the line. */
static void set_level(const struct kvm_irq *irq, uint32_t level)
{
	struct kvm_irq_level line = {.irq = irq->number, .level = level};

	ioctl(irq->vm_fd, KVM_IRQ_LINE, &line);
}

/*
 * If two threads raised it at once, the second might find it high when the
 * guest has taken the first one's interrupt, and make none.
 */
static void raise_irq(void *context)
{
	struct kvm_irq *irq = context;

	pthread_mutex_lock(&irq->lock);
	set_level(irq, 1);
	set_level(irq, 0);
	pthread_mutex_unlock(&irq->lock);
}

struct irq_line kvm_irq_init(struct kvm_irq *irq, int vm_fd, uint32_t gsi)
{
	irq->vm_fd = vm_fd;
	irq->number = arch_map.irq_line_base + gsi;
	pthread_mutex_init(&irq->lock, NULL);
	return (struct irq_line){raise_irq, irq};
}

int kvm_wire_doorbell(int vm_fd, int event_fd, gpa_t address, uint32_t value,
		      struct err *err)
{
	struct kvm_ioeventfd ioeventfd = {
		.datamatch = value,
		.addr = address,
		.len = 4,
		.fd = event_fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	if (ioctl(vm_fd, KVM_IOEVENTFD, &ioeventfd))
		return err_errno(err, errno,
				 "KVM cannot wire the doorbell at "
				 "%#llx",
				 (unsigned long long)address);
	return 0;
}

/*
 * arch/aarch64/vm.c - the VM as a whole, which here is its interrupt
 * controller; timers and PSCI are KVM's own.
 */
#include "arch/aarch64/vm.h"

#include <errno.h>
#include <stdlib.h>

#include "arch/aarch64/map.h"
#include "arch/arch.h"

int arch_vm_new(int kvm_fd, int vm_fd, unsigned int cpus,
		struct arch_vm **ret_vm, struct err *err)
{
	struct arch_vm *vm;
	int ret;

	(void)kvm_fd;
	if (cpus > MAP_CPUS_MAX)
		return err_set(
			err, EINVAL,
			"a machine has at most %d CPUs on aarch64, not %u",
			MAP_CPUS_MAX, cpus);
	vm = malloc(sizeof(*vm));
	if (!vm)
		return err_set(err, ENOMEM, "no memory for a machine");
	vm->vm_fd = vm_fd;
	ret = gic_init(&vm->gic, vm_fd, cpus, err);
	if (ret) {
		free(vm);
		return ret;
	}
	*ret_vm = vm;
	return 0;
}

int arch_vm_start(struct arch_vm *vm, struct err *err)
{
	return gic_start(&vm->gic, err);
}

void arch_vm_free(struct arch_vm *vm)
{
	if (!vm)
		return;
	gic_fini(&vm->gic);
	free(vm);
}

/*
 * vmm/machine.c - see machine.h. build() is the table of contents, in start
 * order: memory, vCPUs and interrupt controller are made here, all else by
 * machine_devices.c.
 */
#include "vmm/machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "vmm/machine_devices.h"
#include "vmm/ram.h"
#include "vmm/statistics.h"
#include "vmm/vcpu.h"

struct machine {
	const struct machine_parts *parts;
	int vm_fd;
	struct guest_memory memory;
	struct arch_vm *arch;
	struct ending ending;
	unsigned int vcpu_count; /* opened so far */
	struct vcpu *vcpus;
	struct machine_devices devices;
};

/* --- Memory, vCPUs, interrupt controller ---------------------------------- */

static int load_kernel(struct machine *machine, struct arch_entry *ret_entry,
		       struct err *err)
{
	const struct machine_parts *parts = machine->parts;
	const struct arch_board board = {
		.memory = &machine->memory,
		.vm = machine->arch,
		.cpus = parts->options->cpus,
		.virtio_count = machine_devices_count_virtio(parts->options),
		.debug_exit = parts->options->debug_exit,
		.discovery = parts->options->discovery,
		.cmdline = parts->cmdline,
		.kernel = parts->kernel,
		.initrd = parts->initrd,
	};

	return arch_boot_load(&board, ret_entry, err);
}

static int open_vcpus(struct machine *machine, const struct arch_entry *entry,
		      struct err *err)
{
	unsigned int cpus = machine->parts->options->cpus;
	struct vcpu *vcpu;
	int ret = 0;

	machine->vcpus = calloc(cpus, sizeof(*machine->vcpus));
	if (!machine->vcpus)
		return err_set(err, ENOMEM, "no memory for %u vCPUs", cpus);
	for (unsigned int i = 0; !ret && i < cpus; i++) {
		vcpu = &machine->vcpus[i];
		ret = vcpu_open(vcpu, machine->parts->kvm, machine->vm_fd, i,
				&machine->devices.bus, &machine->ending, err);
		machine->vcpu_count++;
		if (!ret)
			ret = arch_vcpu_init(machine->arch, vcpu->fd, i, entry,
					     err);
	}
	return ret;
}

static int build_computer(struct machine *machine, struct err *err)
{
	const struct machine_parts *parts = machine->parts;
	unsigned int cpus = parts->options->cpus;
	struct arch_entry entry;
	int ret;

	ret = kvm_check_cpus(parts->kvm, cpus, err);
	if (!ret)
		ret = ram_map(&machine->memory, parts->options->memory,
			      parts->options->hugepages, err);
	if (ret)
		return ret;
	machine->vm_fd = kvm_create_vm(parts->kvm, err);
	if (machine->vm_fd < 0)
		return machine->vm_fd;
	ret = kvm_map_memory(machine->vm_fd, &machine->memory, err);
	if (!ret)
		ret = arch_vm_new(parts->kvm->fd, machine->vm_fd, cpus,
				  &machine->arch, err);
	if (!ret)
		ret = load_kernel(machine, &entry, err);
	if (!ret)
		ret = open_vcpus(machine, &entry, err);
	if (!ret)
		ret = arch_vm_start(machine->arch, err);
	return ret;
}

/* --- The whole ------------------------------------------------------------ */

static int build(struct machine *machine, struct err *err)
{
	int ret;

	ret = ending_init(&machine->ending, err);
	if (!ret)
		ret = build_computer(machine, err);
	if (!ret)
		ret = machine_devices_add(&machine->devices, machine->vm_fd,
					  err);
	return ret;
}

int machine_new(const struct machine_parts *parts, struct machine **ret_machine,
		struct err *err)
{
	struct machine *machine = calloc(1, sizeof(*machine));
	int ret;

	if (!machine)
		return err_set(err, ENOMEM, "no memory for the machine");
	machine->parts = parts;
	machine->vm_fd = -1;
	machine->ending.event_fd = -1;
	machine_devices_init(&machine->devices, parts, &machine->memory,
			     &machine->ending);
	ret = build(machine, err);
	if (ret)
		machine_free(machine);
	else
		*ret_machine = machine;
	return ret;
}

int machine_start(struct machine *machine, struct err *err)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < machine->vcpu_count; i++)
		ret = vcpu_start(&machine->vcpus[i], err);
	if (ret) /* lets those that run already end */
		ending_decide(&machine->ending, ENDING_HOST_FAILED,
			      (uint32_t)-ret);
	return ret;
}

void machine_stop(struct machine *machine)
{
	for (unsigned int i = 0; i < machine->vcpu_count; i++)
		vcpu_stop(&machine->vcpus[i]);
}

void machine_free(struct machine *machine)
{
	machine_stop(machine);
	machine_devices_fini(&machine->devices);
	for (unsigned int i = machine->vcpu_count; i-- > 0;)
		vcpu_close(&machine->vcpus[i]);
	free(machine->vcpus);
	arch_vm_free(machine->arch);
	fd_close(&machine->vm_fd);
	ram_unmap(&machine->memory);
	ending_fini(&machine->ending);
	free(machine);
}

struct ending *machine_ending(struct machine *machine)
{
	return &machine->ending;
}

struct serial *machine_serial(struct machine *machine)
{
	return machine->devices.serial;
}

void machine_trim_disks(struct machine *machine)
{
	const struct machine_parts *parts = machine->parts;

	for (unsigned int i = 0; i < parts->options->disk_count; i++)
		block_trim(parts->disks[i]);
}

void machine_press_power_button(struct machine *machine)
{
	machine_devices_press_power_button(&machine->devices);
}

void machine_add_statistics(struct machine *machine, struct statistics *sum)
{
	for (unsigned int i = 0; i < machine->vcpu_count; i++)
		vcpu_statistics_add(&sum->vcpus[i],
				    &machine->vcpus[i].statistics);
	machine_devices_add_statistics(&machine->devices, sum->disks);
}

void machine_report(const struct machine *machine, FILE *out)
{
	for (unsigned int i = 0; i < machine->vcpu_count; i++)
		if (machine->vcpus[i].report)
			fputs(machine->vcpus[i].report, out);
}

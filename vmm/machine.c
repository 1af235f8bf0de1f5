/*
 * vmm/machine.c - see machine.h. build() is the table of contents: it wires
 * what arch/ publishes to what devices/ offers, in start order.
 */
#include "vmm/machine.h"

#include <errno.h>
#include <linux/virtio_mmio.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/math.h"
#include "devices/bus.h"
#include "devices/debug_exit.h"
#include "devices/irq.h"
#include "devices/machine_event.h"
#include "devices/panic.h"
#include "devices/power.h"
#include "devices/virtio_blk.h"
#include "devices/virtio_input.h"
#include "devices/virtio_mmio.h"
#include "devices/virtio_rng.h"
#include "vmm/ram.h"
#include "vmm/vcpu.h"

#define VIRTIO_MAX (OPTIONS_DISKS_MAX + 2) /* entropy, power button */

/* A virtio transport in one of the architecture's slots. */
struct machine_virtio {
	struct virtio_mmio *mmio;
	struct irq_line irq;
};

struct machine {
	const struct machine_parts *parts;
	int vm_fd;
	struct guest_memory memory;
	struct arch_vm *arch;
	struct ending ending;
	struct machine_events events;
	struct bus bus;
	unsigned int vcpu_count; /* opened so far */
	struct vcpu *vcpus;

	struct irq_line serial_irq;
	struct serial *serial;
	struct power power;
	struct panic panic;
	struct debug_exit debug_exit;
	struct irq_line button_irq; /* fd -1: there is `input` instead */

	unsigned int virtio_count;
	struct machine_virtio virtio[VIRTIO_MAX];
	struct virtio_blk *blks[OPTIONS_DISKS_MAX];
	struct virtio_rng *rng;
	struct virtio_input *input;
};

/* --- Memory, vCPUs, interrupt controller ---------------------------------- */

/* Does the architecture's firmware interface have a power button? */
static bool has_button(void)
{
	return arch_map.power_button.gsi != 0;
}

static unsigned int count_virtio(const struct run_options *options)
{
	return options->disk_count + options->rng + !has_button();
}

static int load_kernel(struct machine *machine, struct arch_entry *ret_entry,
		       struct err *err)
{
	const struct machine_parts *parts = machine->parts;
	const struct arch_board board = {
		.memory = &machine->memory,
		.vm = machine->arch,
		.cpus = parts->options->cpus,
		.virtio_count = count_virtio(parts->options),
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
				&machine->bus, &machine->ending, err);
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

/* --- Devices ---------------------------------------------------------------
 */

static void on_device_event(void *context, enum machine_event event,
			    uint32_t value)
{
	static const enum ending_kind kinds[] = {
		[MACHINE_POWER_OFF] = ENDING_POWER_OFF,
		[MACHINE_RESET] = ENDING_RESET,
		[MACHINE_PANICKED] = ENDING_PANICKED,
		[MACHINE_DEBUG_EXIT] = ENDING_DEBUG_EXIT,
	};
	struct machine *machine = context;

	ending_decide(&machine->ending, kinds[event], value);
}

static int make_irq(const struct machine *machine, uint32_t gsi,
		    struct irq_line *ret_line, struct err *err)
{
	int fd = fd_event_new();

	if (fd < 0)
		return err_errno(err, -fd, "cannot make an eventfd");
	ret_line->fd = fd;
	return kvm_wire_irq(machine->vm_fd, fd, gsi, err);
}

static int add_serial(struct machine *machine, struct err *err)
{
	struct serial_options options = {
		.register_shift = arch_map.register_shift,
		.output = console_put,
		.context = machine->parts->console,
	};
	int ret;

	ret = make_irq(machine, arch_map.serial.gsi, &machine->serial_irq, err);
	if (ret)
		return ret;
	options.irq = machine->serial_irq;
	ret = serial_new(&options, &machine->serial, err);
	if (!ret)
		ret = bus_add(&machine->bus, &arch_map.serial.range,
			      &serial_bus_ops, machine->serial, err);
	return ret;
}

/* Where the architecture has no place for a device, it has another way. */
static int add_optional(struct machine *machine, const struct arch_slot *slot,
			const struct bus_ops *ops, void *device,
			struct err *err)
{
	if (!slot->range.size)
		return 0;
	return bus_add(&machine->bus, &slot->range, ops, device, err);
}

static int add_platform(struct machine *machine, struct err *err)
{
	int ret;

	power_init(&machine->power, &machine->events);
	panic_init(&machine->panic, &machine->events);
	debug_exit_init(&machine->debug_exit, &machine->events);
	ret = add_serial(machine, err);
	if (!ret)
		ret = add_optional(machine, &arch_map.power, &power_bus_ops,
				   &machine->power, err);
	if (!ret)
		ret = add_optional(machine, &arch_map.reset_port,
				   &power_reset_port_bus_ops, &machine->power,
				   err);
	if (!ret)
		ret = add_optional(machine, &arch_map.panic, &panic_bus_ops,
				   &machine->panic, err);
	if (!ret && machine->parts->options->debug_exit)
		ret = add_optional(machine, &arch_map.debug_exit,
				   &debug_exit_bus_ops, &machine->debug_exit,
				   err);
	if (!ret && has_button())
		ret = make_irq(machine, arch_map.power_button.gsi,
			       &machine->button_irq, err);
	return ret;
}

/* Each queue's doorbell raises its event in the kernel, without an exit. */
static int wire_doorbells(const struct machine *machine,
			  const struct virtio_mmio *mmio, gpa_t base,
			  struct err *err)
{
	int fd, ret = 0;

	for (unsigned int queue = 0;
	     !ret && queue < virtio_mmio_queue_count(mmio); queue++) {
		fd = virtio_mmio_kick_fd(mmio, queue);
		if (fd >= 0)
			ret = kvm_wire_doorbell(machine->vm_fd, fd,
						base + VIRTIO_MMIO_QUEUE_NOTIFY,
						queue, err);
	}
	return ret;
}

/* Gives the device the next slot. */
static int add_virtio(struct machine *machine, struct virtio_device *device,
		      struct err *err)
{
	struct arch_slot slot = arch_virtio_slot(machine->virtio_count);
	struct machine_virtio *virtio = &machine->virtio[machine->virtio_count];
	int ret;

	if (machine->virtio_count == arch_map.virtio_max)
		return err_set(err, ENOSPC, "more than %u virtio devices",
			       arch_map.virtio_max);
	virtio->irq.fd = -1;
	machine->virtio_count++;
	ret = make_irq(machine, slot.gsi, &virtio->irq, err);
	if (!ret)
		ret = virtio_mmio_new(device, &machine->memory, &virtio->irq,
				      &virtio->mmio, err);
	if (!ret)
		ret = bus_add(&machine->bus, &slot.range, &virtio_mmio_bus_ops,
			      virtio->mmio, err);
	if (!ret)
		ret = wire_doorbells(machine, virtio->mmio, slot.range.base,
				     err);
	return ret;
}

/* A queue per vCPU spares them each other's locks; more than 4 gain little. */
#define QUEUES_DEFAULT_MAX 4

static unsigned int count_queues(const struct disk_options *disk,
				 unsigned int vcpus)
{
	return disk->queues ? disk->queues
			    : (unsigned int)min_u64(vcpus, QUEUES_DEFAULT_MAX);
}

/* A CPU each for all vCPUs and queues? */
static bool has_cpus(unsigned int wanted)
{
	cpu_set_t set;

	return !sched_getaffinity(0, sizeof(set), &set) &&
	       (unsigned int)CPU_COUNT(&set) >= wanted;
}

/* Huge pages are the guest's alone: they may as well be pinned. */
static size_t pinned_memory(const struct machine *machine,
			    struct iovec ret_pieces[GUEST_REGIONS_MAX])
{
	const struct guest_memory *memory = &machine->memory;

	if (!machine->parts->options->hugepages)
		return 0;
	for (unsigned int i = 0; i < memory->count; i++)
		ret_pieces[i] = (struct iovec){
			.iov_base = memory->regions[i].host,
			.iov_len = memory->regions[i].size,
		};
	return memory->count;
}

static int add_disk(struct machine *machine, unsigned int index,
		    struct err *err)
{
	struct iovec pinned[GUEST_REGIONS_MAX];
	const struct disk_options *disk =
		&machine->parts->options->disks[index];
	unsigned int cpus = machine->parts->options->cpus;
	unsigned int queues = count_queues(disk, cpus);
	const struct virtio_blk_options options = {
		.disk = machine->parts->disks[index],
		.index = index,
		.queues = queues,
		.serial = disk->serial,
		.may_spin = has_cpus(cpus + queues),
		.pinned = pinned,
		.pinned_count = pinned_memory(machine, pinned),
	};
	int ret = virtio_blk_new(&options, &machine->blks[index], err);

	if (!ret)
		ret = add_virtio(machine,
				 virtio_blk_device(machine->blks[index]), err);
	return ret;
}

/* Disks first, in their order: kernels name them in the order of slots. */
static int add_virtio_devices(struct machine *machine, struct err *err)
{
	const struct run_options *options = machine->parts->options;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < options->disk_count; i++)
		ret = add_disk(machine, i, err);
	if (!ret && options->rng) {
		ret = virtio_rng_new(&machine->rng, err);
		if (!ret)
			ret = add_virtio(machine,
					 virtio_rng_device(machine->rng), err);
	}
	if (!ret && !has_button()) {
		ret = virtio_input_new(&machine->input, err);
		if (!ret)
			ret = add_virtio(machine,
					 virtio_input_device(machine->input),
					 err);
	}
	return ret;
}

/* --- The whole -------------------------------------------------------------
 */

static int build(struct machine *machine, struct err *err)
{
	int ret;

	ret = ending_init(&machine->ending, err);
	if (!ret)
		ret = build_computer(machine, err);
	if (!ret)
		ret = add_platform(machine, err);
	if (!ret)
		ret = add_virtio_devices(machine, err);
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
	machine->serial_irq.fd = -1;
	machine->button_irq.fd = -1;
	machine->ending.event_fd = -1;
	machine->events = (struct machine_events){on_device_event, machine};
	bus_init(&machine->bus);
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

static void free_devices(struct machine *machine)
{
	for (unsigned int i = machine->virtio_count; i-- > 0;) {
		if (machine->virtio[i].mmio)
			virtio_mmio_free(machine->virtio[i].mmio);
		fd_close(&machine->virtio[i].irq.fd);
	}
	if (machine->input)
		virtio_input_free(machine->input);
	if (machine->rng)
		virtio_rng_free(machine->rng);
	for (unsigned int i = OPTIONS_DISKS_MAX; i-- > 0;)
		if (machine->blks[i])
			virtio_blk_free(machine->blks[i]);
	if (machine->serial)
		serial_free(machine->serial);
	fd_close(&machine->button_irq.fd);
	fd_close(&machine->serial_irq.fd);
}

void machine_free(struct machine *machine)
{
	machine_stop(machine);
	free_devices(machine);
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
	return machine->serial;
}

void machine_trim_disks(struct machine *machine)
{
	const struct machine_parts *parts = machine->parts;

	for (unsigned int i = 0; i < parts->options->disk_count; i++)
		block_trim(parts->disks[i]);
}

void machine_press_power_button(struct machine *machine)
{
	if (machine->input)
		virtio_input_press_power(machine->input);
	else
		irq_raise(&machine->button_irq);
}

void machine_report(const struct machine *machine, FILE *out)
{
	for (unsigned int i = 0; i < machine->vcpu_count; i++)
		if (machine->vcpus[i].report)
			fputs(machine->vcpus[i].report, out);
}

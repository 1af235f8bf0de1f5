/*
 * vmm/machine_devices.c - see machine_devices.h. It wires what arch/ publishes
 * to what devices/ offers.
 */
#include "vmm/machine_devices.h"

#include <errno.h>
#include <linux/virtio_mmio.h>
#include <sched.h>

#include "base/fd.h"
#include "base/math.h"
#include "devices/virtio_blk.h"
#include "devices/virtio_input.h"
#include "devices/virtio_mmio.h"
#include "devices/virtio_rng.h"
#include "vmm/kvm.h"

/* Does the architecture's firmware interface have a power button? */
static bool has_button(void)
{
	return arch_map.power_button.gsi != 0;
}

unsigned int machine_devices_count_virtio(const struct run_options *options)
{
	return options->disk_count + options->rng + !has_button();
}

/* --- Platform devices ----------------------------------------------------- */

static void on_device_event(void *context, enum machine_event event,
			    uint32_t value)
{
	static const enum ending_kind kinds[] = {
		[MACHINE_POWER_OFF] = ENDING_POWER_OFF,
		[MACHINE_RESET] = ENDING_RESET,
		[MACHINE_PANICKED] = ENDING_PANICKED,
		[MACHINE_DEBUG_EXIT] = ENDING_DEBUG_EXIT,
	};
	struct machine_devices *devices = context;

	ending_decide(devices->ending, kinds[event], value);
}

static int add_serial(struct machine_devices *devices, struct err *err)
{
	struct serial_options options = {
		.register_shift = arch_map.register_shift,
		.output = console_put,
		.context = devices->parts->console,
		.irq = kvm_irq_init(&devices->serial_irq, devices->vm_fd,
				    arch_map.serial.gsi),
	};
	int ret;

	ret = serial_new(&options, &devices->serial, err);
	if (!ret)
		ret = bus_add(&devices->bus, &arch_map.serial.range,
			      &serial_bus_ops, devices->serial, err);
	return ret;
}

/* Where the architecture has no place for a device, it has another way. */
static int add_optional(struct machine_devices *devices,
			const struct arch_slot *slot, const struct bus_ops *ops,
			void *device, struct err *err)
{
	if (!slot->range.size)
		return 0;
	return bus_add(&devices->bus, &slot->range, ops, device, err);
}

static int add_platform(struct machine_devices *devices, struct err *err)
{
	int ret;

	power_init(&devices->power, &devices->events);
	panic_init(&devices->panic, &devices->events);
	debug_exit_init(&devices->debug_exit, &devices->events);
	ret = add_serial(devices, err);
	if (!ret)
		ret = add_optional(devices, &arch_map.power, &power_bus_ops,
				   &devices->power, err);
	if (!ret)
		ret = add_optional(devices, &arch_map.reset_port,
				   &power_reset_port_bus_ops, &devices->power,
				   err);
	if (!ret)
		ret = add_optional(devices, &arch_map.panic, &panic_bus_ops,
				   &devices->panic, err);
	if (!ret && devices->parts->options->debug_exit)
		ret = add_optional(devices, &arch_map.debug_exit,
				   &debug_exit_bus_ops, &devices->debug_exit,
				   err);
	if (!ret && has_button())
		devices->button = kvm_irq_init(&devices->button_irq,
					       devices->vm_fd,
					       arch_map.power_button.gsi);
	return ret;
}

/* --- Virtio devices ------------------------------------------------------- */

/* Each queue's doorbell raises its event in the kernel, without an exit. */
static int wire_doorbells(const struct machine_devices *devices,
			  const struct virtio_device *device, gpa_t base,
			  struct err *err)
{
	int ret = 0;

	for (unsigned int queue = 0; !ret && queue < device->queue_count;
	     queue++)
		if (device->kick_fds[queue] >= 0)
			ret = kvm_wire_doorbell(devices->vm_fd,
						device->kick_fds[queue],
						base + VIRTIO_MMIO_QUEUE_NOTIFY,
						queue, err);
	return ret;
}

/* Gives the device the next slot. */
static int add_virtio(struct machine_devices *devices,
		      struct virtio_device *device, struct err *err)
{
	unsigned int index = devices->virtio_count;
	struct arch_slot slot = arch_virtio_slot(index);
	struct machine_virtio *virtio = &devices->virtio[index];
	struct irq_line line;
	int ret;

	if (index == arch_map.virtio_max)
		return err_set(err, ENOSPC, "more than %u virtio devices",
			       arch_map.virtio_max);
	devices->virtio_count++;
	line = kvm_irq_init(&virtio->irq, devices->vm_fd, slot.gsi);
	ret = virtio_mmio_new(device, devices->memory, &line, &virtio->mmio,
			      err);
	if (!ret)
		ret = bus_add(&devices->bus, &slot.range, &virtio_mmio_bus_ops,
			      virtio->mmio, err);
	if (!ret)
		ret = wire_doorbells(devices, device, slot.range.base, err);
	if (!ret)
		kvm_map_readable(devices->vm_fd, index, slot.range.base,
				 virtio_mmio_page(virtio->mmio),
				 VIRTIO_MMIO_PAGE);
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
static size_t pinned_memory(const struct machine_devices *devices,
			    struct iovec ret_pieces[GUEST_REGIONS_MAX])
{
	const struct guest_memory *memory = devices->memory;

	if (!devices->parts->options->hugepages)
		return 0;
	for (unsigned int i = 0; i < memory->count; i++)
		ret_pieces[i] = (struct iovec){
			.iov_base = memory->regions[i].host,
			.iov_len = memory->regions[i].size,
		};
	return memory->count;
}

static int add_disk(struct machine_devices *devices, unsigned int index,
		    struct err *err)
{
	struct iovec pinned[GUEST_REGIONS_MAX];
	const struct disk_options *disk =
		&devices->parts->options->disks[index];
	unsigned int cpus = devices->parts->options->cpus;
	unsigned int queues = count_queues(disk, cpus);
	const struct virtio_blk_options options = {
		.disk = devices->parts->disks[index],
		.index = index,
		.queues = queues,
		.serial = disk->serial,
		.may_spin = has_cpus(cpus + queues),
		.pinned = pinned,
		.pinned_count = pinned_memory(devices, pinned),
	};
	int ret = virtio_blk_new(&options, &devices->blks[index], err);

	if (!ret)
		ret = add_virtio(devices,
				 virtio_blk_device(devices->blks[index]), err);
	return ret;
}

/* Disks first, in their order: kernels name them in the order of slots. */
static int add_virtio_devices(struct machine_devices *devices, struct err *err)
{
	const struct run_options *options = devices->parts->options;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < options->disk_count; i++)
		ret = add_disk(devices, i, err);
	if (!ret && options->rng) {
		ret = virtio_rng_new(&devices->rng, err);
		if (!ret)
			ret = add_virtio(devices,
					 virtio_rng_device(devices->rng), err);
	}
	if (!ret && !has_button()) {
		ret = virtio_input_new(&devices->input, err);
		if (!ret)
			ret = add_virtio(devices,
					 virtio_input_device(devices->input),
					 err);
	}
	return ret;
}

/* --- The whole ------------------------------------------------------------ */

void machine_devices_init(struct machine_devices *devices,
			  const struct machine_parts *parts,
			  const struct guest_memory *memory,
			  struct ending *ending)
{
	*devices = (struct machine_devices){
		.parts = parts,
		.memory = memory,
		.ending = ending,
		.vm_fd = -1,
		.events = {on_device_event, devices},
	};
	bus_init(&devices->bus);
}

int machine_devices_add(struct machine_devices *devices, int vm_fd,
			struct err *err)
{
	int ret;

	devices->vm_fd = vm_fd;
	ret = add_platform(devices, err);
	if (!ret)
		ret = add_virtio_devices(devices, err);
	return ret;
}

void machine_devices_fini(struct machine_devices *devices)
{
	for (unsigned int i = devices->virtio_count; i-- > 0;) {
		if (devices->virtio[i].mmio)
			virtio_mmio_free(devices->virtio[i].mmio);
	}
	if (devices->input)
		virtio_input_free(devices->input);
	if (devices->rng)
		virtio_rng_free(devices->rng);
	for (unsigned int i = OPTIONS_DISKS_MAX; i-- > 0;)
		if (devices->blks[i])
			virtio_blk_free(devices->blks[i]);
	if (devices->serial)
		serial_free(devices->serial);
}

void machine_devices_add_statistics(
	struct machine_devices *devices,
	struct virtio_blk_statistics sums[OPTIONS_DISKS_MAX])
{
	for (unsigned int i = 0; i < devices->virtio_count; i++)
		virtio_mmio_reset(devices->virtio[i].mmio);
	for (unsigned int i = 0; i < devices->parts->options->disk_count; i++)
		virtio_blk_add_statistics(devices->blks[i], &sums[i]);
}

void machine_devices_press_power_button(struct machine_devices *devices)
{
	if (devices->input)
		virtio_input_press_power(devices->input);
	else
		irq_raise(&devices->button);
}

/*
 * The PC of alcor and of QEMU's microvm: COM1, isa-debug-exit, pvpanic, the
 * ACPI sleep and reset registers, port 0x64.
 */
#include "runtime/machine.h"
#include "runtime/cpu.h"
#include "runtime/string.h"
#include "runtime/test.h"
#include "runtime/x86_64/apic.h"
#include "runtime/x86_64/io.h"
#include "runtime/x86_64/machine.h"

/* Where alcor puts its virtio devices. */
#define VIRTIO_BASE 0xd0000000UL
#define VIRTIO_SIZE 0x1000
#define VIRTIO_GSI  5
#define VIRTIO_MAX  19

#define FIFO_CHARS 16

/* Between the virtio devices and the I/O APIC, on both machines. */
#define HOLE 0xe8000000UL

struct hvm_start_info start_info;

void first_cpu_main(const struct hvm_start_info *info);

/* With the FIFOs on, and ready to receive: some hold input back until then. */
static void console_init(void)
{
	out8(COM1 + COM_FCR, COM_FCR_ENABLE);
	out8(COM1 + COM_MCR, COM_MCR_READY);
}

void console_put(char c)
{
	static unsigned int room;

	if (c == '\n')
		console_put('\r');
	for (; room == 0; room = FIFO_CHARS)
		while (!(in8(COM1 + COM_LSR) & COM_LSR_EMPTY))
			cpu_relax();
	out8(COM1, (uint8_t)c);
	room--;
}

int console_get(void)
{
	return in8(COM1 + COM_LSR) & COM_LSR_DATA ? in8(COM1) : -1;
}

/* One virtio_mmio.device=SIZE@BASE:IRQ word of the command line. */
static struct machine_virtio virtio_of_word(const char *word)
{
	struct machine_virtio device;

	while (*word && *word != '@')
		word++;
	word += *word == '@';
	device.base = text_number(&word);
	word += *word == ':';
	device.irq = (unsigned int)text_number(&word);
	return device;
}

static void find_virtio(void)
{
	unsigned int count = 0;
	const char *word;

	while (count < MACHINE_VIRTIO_MAX &&
	       (word = option_nth("virtio_mmio.device", count)))
		machine.virtio[count++] = virtio_of_word(word);
	machine.virtio_count = count;
	if (count)
		return;
	machine.virtio_count = VIRTIO_MAX;
	for (unsigned int i = 0; i < VIRTIO_MAX; i++)
		machine.virtio[i] =
			(struct machine_virtio){VIRTIO_BASE + i * VIRTIO_SIZE,
						VIRTIO_GSI + i};
}

static void find_memory(const struct hvm_start_info *info)
{
	const struct hvm_memory_map_entry *entry =
		(const void *)info->memory_map;

	for (uint32_t i = 0; i < info->memory_map_entries; i++, entry++)
		if (entry->type == HVM_MEMORY_RAM)
			machine_memory_add(entry->base, entry->size);
}

void first_cpu_main(const struct hvm_start_info *info)
{
	console_init();
	start_info = *info;
	options_set((const char *)info->command_line);
	machine.hole = HOLE;
	find_memory(info);
	find_virtio();
	interrupts_init();
	interrupts_init_cpu();
	guest_main();
	tests_finish();
}

void machine_exit(unsigned int value)
{
	out8(PORT_DEBUG_EXIT, (uint8_t)value);
	for (;;) /* no hlt: this may be ring 3 */
		cpu_relax();
}

void machine_power_off(void)
{
	out8(PORT_SLEEP_CONTROL, SLEEP_S5 << 2 | SLEEP_ENABLE);
}

void machine_reset(void)
{
	out8(PORT_RESET, 1);
}

void machine_panic(void)
{
	out8(PORT_PANIC, 1);
}

/* A triple fault: an interrupt without an IDT. */
void machine_crash(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) nothing;

	asm volatile("lidt %0; int3" : : "m"(nothing));
}

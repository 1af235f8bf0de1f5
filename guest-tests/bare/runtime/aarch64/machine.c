/*
 * The machine of the device tree: console, virtio-mmio, GIC, PSCI, pvpanic and
 * alcor's debug exit.
 */
#include "runtime/aarch64/machine.h"
#include "runtime/aarch64/fdt.h"
#include "runtime/aarch64/gic.h"
#include "runtime/aarch64/sysreg.h"
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/string.h"
#include "runtime/test.h"

/* Between alcor's and QEMU's devices and memory, which starts at 1 GiB. */
#define HOLE 0x38000000UL

/* 16550 */
#define NS_FCR	      2
#define NS_MCR	      4
#define NS_LSR	      5
#define NS_FCR_ENABLE 0x01
#define NS_MCR_READY  0x03 /* DTR, RTS */
#define NS_LSR_DATA   0x01
#define NS_LSR_EMPTY  0x20
/* PL011 */
#define PL_DATA	      0x00
#define PL_FLAGS      0x18
#define PL_FLAG_EMPTY (1 << 4) /* nothing received */
#define PL_FLAG_FULL  (1 << 5) /* no room to send */

static uint64_t ns16550, ns16550_shift, pl011, pvpanic, debug_exit;
static uint64_t mpidrs[MACHINE_CPUS_MAX];
static unsigned int cpus;
static bool psci_by_smc;

void first_cpu_main(const void *fdt);

static volatile uint8_t *ns_register(unsigned int index)
{
	return (volatile uint8_t *)(ns16550 + (index << ns16550_shift));
}

/* With the FIFOs on, and ready to receive: some hold input back until then. */
static void console_init(void)
{
	if (!ns16550)
		return;
	*ns_register(NS_FCR) = NS_FCR_ENABLE;
	*ns_register(NS_MCR) = NS_MCR_READY;
}

void console_put(char c)
{
	volatile uint32_t *flags = (volatile uint32_t *)(pl011 + PL_FLAGS);

	if (c == '\n')
		console_put('\r');
	if (ns16550) {
		while (!(*ns_register(NS_LSR) & NS_LSR_EMPTY))
			cpu_relax();
		*ns_register(0) = (uint8_t)c;
	} else if (pl011) {
		while (*flags & PL_FLAG_FULL)
			cpu_relax();
		*(volatile uint32_t *)(pl011 + PL_DATA) = (uint8_t)c;
	}
}

int console_get(void)
{
	if (ns16550)
		return *ns_register(NS_LSR) & NS_LSR_DATA ? *ns_register(0)
							  : -1;
	if (!pl011 || *(volatile uint32_t *)(pl011 + PL_FLAGS) & PL_FLAG_EMPTY)
		return -1;
	return *(volatile uint8_t *)(pl011 + PL_DATA);
}

static void visit_console(const struct fdt_node *node, uint64_t base)
{
	if (fdt_compatible(node, "ns16550a")) {
		ns16550 = base;
		ns16550_shift = fdt_cell(&node->reg_shift, 0);
	}
	if (fdt_compatible(node, "arm,pl011") &&
	    !fdt_text_is(&node->status, "disabled"))
		pl011 = base;
}

static void visit_gic(const struct fdt_node *node, uint64_t base)
{
	if (fdt_compatible(node, "arm,gic-v3"))
		gic.ops = &gic_v3;
	else if (fdt_compatible(node, "arm,cortex-a15-gic") ||
		 fdt_compatible(node, "arm,gic-400"))
		gic.ops = &gic_v2;
	else
		return;
	gic.distributor = base;
	fdt_reg(node, 1, &gic.second, &gic.second_size);
}

/* Keeps the list in the order of addresses. */
static void visit_virtio(const struct fdt_node *node, uint64_t base)
{
	unsigned int at = machine.virtio_count;

	if (!fdt_compatible(node, "virtio,mmio") || at == MACHINE_VIRTIO_MAX)
		return;
	for (; at && machine.virtio[at - 1].base > base; at--)
		machine.virtio[at] = machine.virtio[at - 1];
	machine.virtio[at] = (struct machine_virtio){base,
						     fdt_interrupt(node, 0)};
	machine.virtio_count++;
}

static void visit(const struct fdt_node *node)
{
	uint64_t base, size;

	if (node->bootargs.data)
		options_set(node->bootargs.data);
	if (fdt_text_is(&node->method, "smc"))
		psci_by_smc = true;
	if (!fdt_reg(node, 0, &base, &size))
		return;
	if (fdt_text_is(&node->device_type, "cpu") && cpus < MACHINE_CPUS_MAX)
		mpidrs[cpus++] = base;
	if (fdt_text_is(&node->device_type, "memory"))
		machine_memory_add(base, size);
	visit_console(node, base);
	visit_gic(node, base);
	visit_virtio(node, base);
	if (fdt_compatible(node, "qemu,pvpanic-mmio"))
		pvpanic = base;
	if (fdt_compatible(node, "alcor,debug-exit"))
		debug_exit = base;
}

void first_cpu_main(const void *fdt)
{
	machine.hole = HOLE;
	fdt_walk(fdt, visit);
	console_init();
	cpu_set_index(0);
	interrupts_init();
	interrupts_init_cpu();
	guest_main();
	tests_finish();
}

unsigned int cpu_count(void)
{
	return cpus;
}

uint64_t cpu_mpidr(unsigned int index)
{
	return index < cpus ? mpidrs[index] : index;
}

int64_t psci(uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
	register uint64_t x0 asm("x0") = function;
	register uint64_t x1 asm("x1") = a;
	register uint64_t x2 asm("x2") = b;
	register uint64_t x3 asm("x3") = c;

	if (psci_by_smc)
		asm volatile("smc #0"
			     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
			     :
			     : "memory");
	else
		asm volatile("hvc #0"
			     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
			     :
			     : "memory");
	return (int64_t)x0;
}

void machine_exit(unsigned int value)
{
	if (debug_exit)
		*(volatile uint32_t *)debug_exit = value;
	machine_power_off();
	for (;;)
		asm volatile("wfi");
}

void machine_power_off(void)
{
	psci(PSCI_SYSTEM_OFF, 0, 0, 0);
}

void machine_reset(void)
{
	psci(PSCI_SYSTEM_RESET, 0, 0, 0);
}

void machine_panic(void)
{
	if (pvpanic)
		*(volatile uint8_t *)pvpanic = 1;
}

/* There is no triple fault here. */
void machine_crash(void)
{
}

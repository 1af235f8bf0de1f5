/*
 * runtime/x86_64/machine.h - the PC's ports, and what PVH tells of it.
 */
#ifndef RUNTIME_X86_64_MACHINE_H
#define RUNTIME_X86_64_MACHINE_H

#include <stdint.h>

#define COM1	       0x3f8
#define COM_IER	       1
#define COM_IIR	       2
#define COM_FCR	       2
#define COM_LCR	       3
#define COM_MCR	       4
#define COM_LSR	       5
#define COM_SCR	       7
#define COM_FCR_ENABLE 0x01
#define COM_MCR_READY  0x03 /* DTR, RTS */
#define COM_LSR_DATA   0x01
#define COM_LSR_EMPTY  0x20
#define COM_GSI	       4

#define PORT_DEBUG_EXIT	   0xf4
#define PORT_PANIC	   0x505
#define PORT_SLEEP_CONTROL 0x600
#define PORT_RESET	   0x602
#define PORT_KEYBOARD	   0x64

/* ACPI 6.4, 4.8.3.7: the sleep control register; alcor's _S5 says 5. */
#define SLEEP_ENABLE (1 << 5)
#define SLEEP_S5     5

#define HVM_START_MAGIC 0x336ec578
#define HVM_MEMORY_RAM	1

/* The PVH start info, version 1 (Xen's public/arch-x86/hvm/start_info.h). */
struct hvm_start_info {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, command_line, rsdp, memory_map;
	uint32_t memory_map_entries, reserved;
};

struct hvm_memory_map_entry {
	uint64_t base, size;
	uint32_t type, reserved;
};

/* As the VMM left it. */
extern struct hvm_start_info start_info;

#endif

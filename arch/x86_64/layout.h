/*
 * arch/x86_64/layout.h - where things lie in guest physical memory.
 *
 *   0x00006000  PVH start info, module list and memory map
 *   0x00007000  zero page (struct boot_params)
 *   0x00008000  GDT
 *   0x00009000  page tables: PML4, PDPT, 4 page directories (identity, 4 GiB)
 *   0x00010000  command line
 *   0x000a0000  hole: no RAM is announced up to 1 MiB
 *   0x000e0000  ACPI tables, the RSDP first
 *   0x000ffff0  the reset vector, all that we have of a BIOS
 *   0x00100000  kernels from here on; initrd as high as allowed
 *   0xc0000000  end of low RAM; device windows up to 4 GiB
 *   0xd0000000  virtio-mmio, one page per device
 *   0xfec00000  IOAPIC; 0xfee00000 LAPIC; 0xfeffc000 KVM's own pages
 *  0x100000000  high RAM
 */
#ifndef ARCH_X86_64_LAYOUT_H
#define ARCH_X86_64_LAYOUT_H

#include "base/math.h"

#define LAYOUT_START_INFO   0x6000
#define LAYOUT_ZERO_PAGE    0x7000
#define LAYOUT_GDT	    0x8000
#define LAYOUT_PAGE_TABLES  0x9000
#define LAYOUT_CMDLINE	    0x10000
#define LAYOUT_CMDLINE_MAX  0x10000 /* bytes, with the final NUL */
#define LAYOUT_LOW_RAM_END  0xa0000 /* of what e820 announces below 1 MiB */
#define LAYOUT_ACPI	    0xe0000
#define LAYOUT_ACPI_MAX	    0x1fff0
#define LAYOUT_RESET_VECTOR 0xffff0 /* 16 bytes */
#define LAYOUT_KERNEL	    0x100000
#define LAYOUT_HOLE	    (3 * GIB)
#define LAYOUT_HIGH_RAM	    (4 * GIB)
#define LAYOUT_VIRTIO	    0xd0000000
#define LAYOUT_IOAPIC	    0xfec00000
#define LAYOUT_LAPIC	    0xfee00000
#define LAYOUT_KVM_IDENTITY 0xfeffc000 /* one page, for real mode on Intel */
#define LAYOUT_KVM_TSS	    0xfeffd000 /* three pages */

/* Selectors of the boot protocol: __BOOT_CS and __BOOT_DS. */
#define LAYOUT_BOOT_CS 0x10
#define LAYOUT_BOOT_DS 0x18

/* The kernel's e820 types (Documentation/x86/boot.rst, ACPI 6.4 15.). */
#define E820_RAM      1
#define E820_RESERVED 2

#endif

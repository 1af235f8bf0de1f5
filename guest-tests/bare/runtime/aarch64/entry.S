/*
 * Entry of the first CPU by the arm64 boot protocol (x0: the FDT, MMU off, at
 * EL1 or EL2) and of the others by PSCI CPU_ON, both to EL1 on one identity
 * map; and the exception vectors.
 *
 * Nothing writes memory before the MMU is on, so that caches and memory agree.
 */
#include "runtime/aarch64/layout.h"

#define SCTLR_RES1   0x30d00800
#define SCTLR_ON     0x1005 /* caches and MMU */
#define HCR_RW	     (1 << 31)
#define SPSR_EL1H    0x3c5 /* interrupts masked */
#define R_RELATIVE   1027

/* Memory attributes 0: device, 1: normal, write-back. */
#define MAIR	     0xff00
#define BLOCK_DEVICE ((3 << 53) | (1 << 10) | (0 << 2) | 1)
#define BLOCK_NORMAL ((1 << 10) | (3 << 8) | (1 << 2) | 1)
/* 39 bits of addresses from one table of 1 GiB blocks, inner shareable. */
#define TCR	     (25 | (1 << 8) | (1 << 10) | (3 << 12) | (1 << 23))

	.section .text.header, "ax"
	.globl image_header
image_header:
	b first_start
	.long 0
	.quad 0 /* text_offset */
	.quad image_size
	.quad 0xa /* little endian, 4 KiB pages, anywhere in memory */
	.quad 0, 0, 0
	.ascii "ARM\x64"
	.long 0

	.text
first_start:
	mov x19, x0
	bl enter_el1
	bl mmu_on
	adrp x0, first_stack_end
	add x0, x0, :lo12:first_stack_end
	mov sp, x0
	bl relocate
	bl clear_bss
	adrp x0, vectors
	add x0, x0, :lo12:vectors
	msr vbar_el1, x0
	isb
	mov x0, x19
	bl first_cpu_main
1:	wfi
	b 1b

	/* x0: the top of this CPU's stack. */
	.globl secondary_start
secondary_start:
	mov x19, x0
	bl enter_el1
	bl mmu_on
	mov sp, x19
	adrp x0, vectors
	add x0, x0, :lo12:vectors
	msr vbar_el1, x0
	isb
	bl secondary_cpu_main
1:	wfi
	b 1b

	/* Goes on at its caller, at EL1. */
enter_el1:
	mrs x1, CurrentEL
	cmp x1, #(2 << 2)
	b.ne 2f
	mov x1, #HCR_RW
	msr hcr_el2, x1
	msr cntvoff_el2, xzr
	mov x1, #3
	msr cnthctl_el2, x1
	mov x1, #0x33ff
	msr cptr_el2, x1
	msr hstr_el2, xzr
	mrs x1, midr_el1
	msr vpidr_el2, x1
	mrs x1, mpidr_el1
	msr vmpidr_el2, x1
	mrs x1, id_aa64pfr0_el1
	ubfx x1, x1, #24, #4
	cbz x1, 1f
	mov x1, #0xf
	msr S3_4_C12_C9_5, x1 /* ICC_SRE_EL2 */
	isb
1:	mov x1, #SPSR_EL1H
	msr spsr_el2, x1
	msr elr_el2, x30
	ldr x1, =SCTLR_RES1
	msr sctlr_el1, x1
	eret
2:	ret

mmu_on:
	ldr x1, =MAIR
	msr mair_el1, x1
	ldr x1, =TCR
	mrs x2, id_aa64mmfr0_el1
	and x2, x2, #7
	orr x1, x1, x2, lsl #32
	msr tcr_el1, x1
	adrp x1, page_map
	msr ttbr0_el1, x1
	isb
	tlbi vmalle1
	ic iallu
	dsb sy
	isb
	ldr x1, =(SCTLR_RES1 | SCTLR_ON)
	msr sctlr_el1, x1
	isb
	ret

	/* Words that hold addresses: R_AARCH64_RELATIVE and nothing else. */
relocate:
	adrp x0, image_start
	add x0, x0, :lo12:image_start
	adrp x1, relocations_start
	add x1, x1, :lo12:relocations_start
	adrp x2, relocations_end
	add x2, x2, :lo12:relocations_end
1:	cmp x1, x2
	b.hs 2f
	ldp x3, x4, [x1], #16
	ldr x5, [x1], #8
	cmp x4, #R_RELATIVE
	b.ne 1b
	add x5, x5, x0
	str x5, [x0, x3]
	b 1b
2:	ret

clear_bss:
	adrp x0, bss_start
	add x0, x0, :lo12:bss_start
	adrp x1, bss_end
	add x1, x1, :lo12:bss_end
1:	cmp x0, x1
	b.hs 2f
	str xzr, [x0], #8
	b 1b
2:	ret

	.macro save_registers
	sub sp, sp, #272
	stp x0, x1, [sp, #0]
	stp x2, x3, [sp, #16]
	stp x4, x5, [sp, #32]
	stp x6, x7, [sp, #48]
	stp x8, x9, [sp, #64]
	stp x10, x11, [sp, #80]
	stp x12, x13, [sp, #96]
	stp x14, x15, [sp, #112]
	stp x16, x17, [sp, #128]
	stp x18, x19, [sp, #144]
	stp x20, x21, [sp, #160]
	stp x22, x23, [sp, #176]
	stp x24, x25, [sp, #192]
	stp x26, x27, [sp, #208]
	stp x28, x29, [sp, #224]
	mrs x21, elr_el1
	mrs x22, spsr_el1
	stp x30, x21, [sp, #240]
	str x22, [sp, #256]
	.endm

	.macro vector handler
	.balign 0x80
	b \handler
	.endm

	.balign 0x800
vectors:
	.rept 4 /* with SP_EL0: never */
	vector exception
	.endr
	vector exception
	vector interrupt
	vector exception
	vector exception
	.rept 8 /* from EL0: never */
	vector exception
	.endr

exception:
	save_registers
	mov x0, sp
	bl exception_die

interrupt:
	save_registers
	bl interrupt_dispatch
	ldp x30, x21, [sp, #240]
	ldr x22, [sp, #256]
	msr elr_el1, x21
	msr spsr_el1, x22
	ldp x0, x1, [sp, #0]
	ldp x2, x3, [sp, #16]
	ldp x4, x5, [sp, #32]
	ldp x6, x7, [sp, #48]
	ldp x8, x9, [sp, #64]
	ldp x10, x11, [sp, #80]
	ldp x12, x13, [sp, #96]
	ldp x14, x15, [sp, #112]
	ldp x16, x17, [sp, #128]
	ldp x18, x19, [sp, #144]
	ldp x20, x21, [sp, #160]
	ldp x22, x23, [sp, #176]
	ldp x24, x25, [sp, #192]
	ldp x26, x27, [sp, #208]
	ldp x28, x29, [sp, #224]
	add sp, sp, #272
	eret

	/* Identity: devices in the first GiB, memory in all others. */
	.data
	.balign 4096
page_map:
	.quad BLOCK_DEVICE
index = 1
	.rept 511
	.quad (index << 30) | BLOCK_NORMAL
index = index + 1
	.endr

	.section .noinit, "aw", @nobits
	.balign 16
	.skip STACK_SIZE
first_stack_end:

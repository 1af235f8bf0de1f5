/*
 * Entry of the first CPU by the PVH protocol (32 bits, paging off, ebx points
 * to hvm_start_info) and of the others by SIPI (real mode, at TRAMPOLINE),
 * both to long mode on one identity map; and the interrupt stubs.
 */
#include "runtime/x86_64/layout.h"

#define CR0_PE	     1
#define CR0_PG	     (1 << 31)
#define CR4_PAE	     (1 << 5)
#define MSR_EFER     0xc0000080
#define EFER_LME     (1 << 8)
#define PAGE_TABLE   0x07 /* present, writable, user */
#define PAGE_LARGE   0x87
#define GIBIBYTES    8

#define XEN_ELFNOTE_PHYS32_ENTRY 18

	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 4, XEN_ELFNOTE_PHYS32_ENTRY
	.asciz "Xen"
	.long pvh_start

	.text
	.code32
	.globl pvh_start
pvh_start:
	cld
	mov %ebx, %esi
	mov $bss_start, %edi
	mov $bss_end, %ecx
	sub %edi, %ecx
	shr $2, %ecx
	xor %eax, %eax
	rep stosl
	mov $first_stack_end, %esp
	lgdt gdt_pointer
	mov $first_start64, %edx
	jmp enter_long_mode

	/* An AP, out of the trampoline. */
secondary_start32:
	mov $SELECTOR_DATA, %eax
	mov %eax, %ds
	mov %eax, %ss
	mov secondary_stack, %esp
	mov $secondary_start64, %edx

	/* edx: where to go on. Keeps esi. */
enter_long_mode:
	mov %edx, %edi
	mov %cr4, %eax
	or $CR4_PAE, %eax
	mov %eax, %cr4
	mov $page_map, %eax
	mov %eax, %cr3
	mov $MSR_EFER, %ecx
	rdmsr
	or $EFER_LME, %eax
	wrmsr
	mov %cr0, %eax
	or $(CR0_PG | CR0_PE), %eax
	mov %eax, %cr0
	ljmp $SELECTOR_CODE64, $long_mode

	.code64
long_mode:
	mov $SELECTOR_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov %esp, %esp
	jmp *%rdi

first_start64:
	mov %esi, %edi
	call first_cpu_main
1:	hlt
	jmp 1b

secondary_start64:
	call secondary_cpu_main
1:	hlt
	jmp 1b

	/* Copied to TRAMPOLINE by smp.c. */
	.code16
	.globl trampoline_start, trampoline_end
trampoline_start:
	cli
	mov %cs, %ax
	mov %ax, %ds
	lgdtl trampoline_gdt_pointer - trampoline_start
	mov %cr0, %eax
	or $CR0_PE, %al
	mov %eax, %cr0
	ljmpl $SELECTOR_CODE32, $secondary_start32
	.balign 4
trampoline_gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt
trampoline_end:

	/* A stub per vector: the vector's number, below it an error code. */
	.code64
	.globl interrupt_stubs
	.balign 16
interrupt_stubs:
vector = 0
	.rept VECTORS
	.balign 16
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
	push $0
	.endif
	push $vector
	jmp interrupt_common
vector = vector + 1
	.endr

interrupt_common:
	push %rax
	push %rcx
	push %rdx
	push %rbx
	push %rbp
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, %rdi
	mov %rsp, %rbp
	and $-16, %rsp
	cld
	call interrupt_dispatch
	mov %rbp, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rbp
	pop %rbx
	pop %rdx
	pop %rcx
	pop %rax
	add $16, %rsp
	iretq

	.data
	.balign 8
	.globl gdt, gdt_end
gdt:
	.quad 0
	.quad 0x00cf9b000000ffff /* SELECTOR_CODE32 */
	.quad 0x00af9b000000ffff /* SELECTOR_CODE64 */
	.quad 0x00cf93000000ffff /* SELECTOR_DATA */
	.quad 0x00cff3000000ffff /* SELECTOR_USER_DATA */
	.quad 0x00affb000000ffff /* SELECTOR_USER_CODE */
	.quad 0, 0		 /* SELECTOR_TSS, by user.c */
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt, 0

	/* Identity map of the first GIBIBYTES in 2 MiB pages, made here. */
	.balign 4096
page_map:
	.quad page_directory_pointers + PAGE_TABLE
	.fill 511, 8, 0
page_directory_pointers:
index = 0
	.rept GIBIBYTES
	.quad page_directories + index * 4096 + PAGE_TABLE
index = index + 1
	.endr
	.fill 512 - GIBIBYTES, 8, 0
page_directories:
index = 0
	.rept GIBIBYTES * 512
	.quad index * 0x200000 + PAGE_LARGE
index = index + 1
	.endr

	.section .noinit, "aw", @nobits
	.balign 16
	.skip STACK_SIZE
first_stack_end:

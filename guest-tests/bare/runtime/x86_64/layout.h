/*
 * runtime/x86_64/layout.h - what assembler and C share: selectors, the
 * stacks' size, vectors.
 */
#ifndef RUNTIME_X86_64_LAYOUT_H
#define RUNTIME_X86_64_LAYOUT_H

#define SELECTOR_CODE32	   0x08
#define SELECTOR_CODE64	   0x10
#define SELECTOR_DATA	   0x18
#define SELECTOR_USER_DATA 0x23 /* 0x20, level 3 */
#define SELECTOR_USER_CODE 0x2b /* 0x28, level 3 */
#define SELECTOR_TSS	   0x30

#define STACK_SIZE 0x4000

/* The real-mode page that a SIPI starts at; its vector is the page number. */
#define TRAMPOLINE 0x8000

#define VECTORS 64

#endif

/*
 * runtime/aarch64/layout.h - what assembler and C share.
 */
#ifndef RUNTIME_AARCH64_LAYOUT_H
#define RUNTIME_AARCH64_LAYOUT_H

#define STACK_SIZE 0x4000

#endif

/*
 * arch/kernel_form.h - what kind of kernel a file is, for the sentence that
 * refuses it: "kernel FILE is an x86 bzImage; ...".
 *
 * A look at magic numbers only. Pure; any thread.
 */
#ifndef ARCH_KERNEL_FORM_H
#define ARCH_KERNEL_FORM_H

#include <stddef.h>
#include <stdint.h>

/* A name with its article; "not a kernel of a known form" for the rest. */
const char *kernel_form_name(const uint8_t *data, size_t size);

#endif

/*
 * arch/cmdline.h - the kernel's command line as the guest gets it.
 *
 * Pure; on main.
 */
#ifndef ARCH_CMDLINE_H
#define ARCH_CMDLINE_H

#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

/*
 * Writes the board's command line and its NUL into @ret_text of @capacity
 * bytes, which is what the kernel reads at most. Where the kernel is to learn
 * of the virtio devices there (ARCH_DISCOVERY_CMDLINE), a virtio_mmio.device=
 * for each follows, with @irq_base + GSI as its interrupt. -E2BIG, with a
 * sentence, if it does not fit: kernels cut a long one silently.
 */
int cmdline_build(const struct arch_board *board, uint32_t irq_base,
		  char *ret_text, size_t capacity, struct err *err);

#endif

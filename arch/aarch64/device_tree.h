/*
 * arch/aarch64/device_tree.h - the machine as the guest reads it (Devicetree
 * Specification 0.4, and Linux' bindings for each node).
 *
 * On main.
 */
#ifndef ARCH_AARCH64_DEVICE_TREE_H
#define ARCH_AARCH64_DEVICE_TREE_H

#include "arch/aarch64/gic.h"
#include "arch/aarch64/placement.h"
#include "arch/arch.h"

/* What an arm64 kernel reads of its command line, with the final NUL. */
#define DEVICE_TREE_CMDLINE_MAX 2048

/*
 * Writes the flattened tree into @buffer, which is 8-byte aligned;
 * PLACEMENT_FDT_SPACE is enough for any board. Each call has fresh seeds for
 * the guest's randomness. -E2BIG for a command line that a kernel would cut.
 */
int device_tree_build(const struct arch_board *board, enum gic_version gic,
		      const struct placement *placement, void *buffer,
		      size_t capacity, struct err *err);

#endif

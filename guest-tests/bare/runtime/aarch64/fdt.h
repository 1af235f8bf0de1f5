/*
 * runtime/aarch64/fdt.h - a walk over a flattened device tree (Devicetree
 * Specification 0.4, chapter 5): each node once, with the properties that a
 * guest cares for. Trusts the tree.
 */
#ifndef RUNTIME_AARCH64_FDT_H
#define RUNTIME_AARCH64_FDT_H

#include <stdbool.h>
#include <stdint.h>

struct fdt_property {
	const void *data; /* NULL: the node has no such property */
	uint32_t length;
};

struct fdt_node {
	const char *name;
	struct fdt_property compatible, reg, interrupts, device_type, method;
	struct fdt_property bootargs, reg_shift, status;
	unsigned int address_cells, size_cells; /* of its parent, for reg */
};

void fdt_walk(const void *fdt, void (*visit)(const struct fdt_node *node));

bool fdt_compatible(const struct fdt_node *node, const char *with);
bool fdt_text_is(const struct fdt_property *property, const char *text);

/* Entry @nth of reg; false: there is none. */
bool fdt_reg(const struct fdt_node *node, unsigned int nth, uint64_t *ret_base,
	     uint64_t *ret_size);

/* Cell @nth of a property, or 0. */
uint32_t fdt_cell(const struct fdt_property *property, unsigned int nth);

/* The GIC's interrupt id in interrupts' entry @nth (three cells), or 0. */
unsigned int fdt_interrupt(const struct fdt_node *node, unsigned int nth);

#endif

/*
 * devices/bus.h - register accesses of the guest find their device.
 *
 * One bus per machine holds both spaces, MMIO and (x86) I/O ports. Devices are
 * added before the vCPUs start; after that the bus is constant, so that any
 * vCPU thread looks up without a lock. Each device guards its own state.
 */
#ifndef DEVICES_BUS_H
#define DEVICES_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/io_range.h"

/*
 * An access of @size bytes (1 to 8; KVM cuts at pages) at @offset from the
 * range's base, wholly inside the range. Values are in the host's byte order,
 * zero-extended. Called on vCPU threads.
 */
struct bus_ops {
	uint64_t (*read)(void *device, uint64_t offset, unsigned int size);
	void (*write)(void *device, uint64_t offset, unsigned int size,
		      uint64_t value);
};

#define BUS_ENTRIES_MAX 64

struct bus_entry {
	struct io_range range;
	const struct bus_ops *ops;
	void *device;
};

struct bus {
	unsigned int count;
	struct bus_entry entries[BUS_ENTRIES_MAX]; /* by space, then base */
};

void bus_init(struct bus *bus);

/* -EEXIST where the range overlaps another device's, -ENOSPC when full. */
int bus_add(struct bus *bus, const struct io_range *range,
	    const struct bus_ops *ops, void *device, struct err *err);

/*
 * The guest's access. Where no device answers, reads give all ones and writes
 * are dropped; the return value says whether a device answered.
 */
bool bus_read(const struct bus *bus, enum io_space space, uint64_t address,
	      unsigned int size, uint64_t *ret_value);
bool bus_write(const struct bus *bus, enum io_space space, uint64_t address,
	       unsigned int size, uint64_t value);

#endif

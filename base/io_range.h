/*
 * base/io_range.h - where a device's registers are: the one term that the
 * architecture (which chooses the place) and the devices (which answer there)
 * have in common.
 */
#ifndef BASE_IO_RANGE_H
#define BASE_IO_RANGE_H

#include <stdint.h>

enum io_space {
	IO_MMIO, /* guest physical addresses */
	IO_PIO,	 /* x86 I/O ports */
};

struct io_range {
	enum io_space space;
	uint64_t base;
	uint64_t size;
};

#endif

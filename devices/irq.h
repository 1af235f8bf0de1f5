/*
 * devices/irq.h - an edge-triggered interrupt line: an eventfd whose every
 * write becomes one interrupt (KVM's irqfd, wired by the machine).
 *
 * The fd is owned by the machine; devices hold copies of the struct. A line
 * whose fd is -1 goes nowhere (unit tests). Any thread.
 */
#ifndef DEVICES_IRQ_H
#define DEVICES_IRQ_H

#include "base/fd.h"

struct irq_line {
	int fd;
};

static inline void irq_raise(const struct irq_line *line)
{
	if (line->fd >= 0)
		fd_event_raise(line->fd);
}

#endif

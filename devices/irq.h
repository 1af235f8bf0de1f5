/*
 * devices/irq.h - an edge-triggered interrupt line: each raise is an interrupt,
 * or part of one that the guest has not taken yet. Any thread; the machine says
 * how (vmm/kvm.h), and devices hold copies of the struct.
 */
#ifndef DEVICES_IRQ_H
#define DEVICES_IRQ_H

struct irq_line {
	void (*raise)(void *context); /* NULL: goes nowhere */
	void *context;
};

static inline void irq_raise(const struct irq_line *line)
{
	if (line->raise)
		line->raise(line->context);
}

#endif

/* devices/test_irq.h - for tests: an interrupt line that is an eventfd. */
#ifndef DEVICES_TEST_IRQ_H
#define DEVICES_TEST_IRQ_H

#include "base/fd.h"
#include "devices/irq.h"

/* For struct irq_line; @context points to the eventfd. */
static inline void test_irq_raise(void *context)
{
	fd_event_raise(*(const int *)context);
}

#endif

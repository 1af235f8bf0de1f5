/*
 * vmm/status.h - exit statuses, as alcor(1) documents them. A guest's own
 * status ((v << 1) | 1) and 128 + signal are made in ending.c.
 */
#ifndef VMM_STATUS_H
#define VMM_STATUS_H

enum status {
	STATUS_OK = 0,		/* the guest powered off */
	STATUS_HOST_FAILED = 1, /* the host failed us while running */
	STATUS_USAGE = 2,	/* nothing was started, nothing was written */
	STATUS_RESET = 3,	/* the guest reset itself, with --no-reboot */
	STATUS_PANICKED = 4,
	STATUS_CRASHED = 5,
	STATUS_TIMEOUT = 124,
	STATUS_SIGNAL = 128,
};

#endif

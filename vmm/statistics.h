/*
 * vmm/statistics.h - what --stats writes: what a machine did in all its lives,
 * for people who look for where time goes.
 *
 * Threads: main.
 */
#ifndef VMM_STATISTICS_H
#define VMM_STATISTICS_H

#include <stdio.h>

#include "block/block.h"
#include "devices/virtio_blk_statistics.h"
#include "vmm/options.h"
#include "vmm/vcpu.h"

struct statistics {
	unsigned int lives;
	uint64_t wall_nsec; /* of all lives */
	uint64_t cpu_nsec;  /* of the whole process, the kernel's included */
	struct vcpu_statistics vcpus[OPTIONS_CPUS_MAX];
	struct virtio_blk_statistics disks[OPTIONS_DISKS_MAX];
	struct block_statistics tables[OPTIONS_DISKS_MAX];
};

/*
 * For writing, later: what is in the file stays there until then. A descriptor
 * or -errno.
 */
int statistics_open(const char *path, struct err *err);

/*
 * One JSON object takes the place of what the file held. 0 or -errno; @fd is
 * closed in every case.
 */
int statistics_save(const struct statistics *statistics,
		    const struct run_options *options, int fd);

void statistics_print(const struct statistics *statistics,
		      const struct run_options *options, FILE *out);

#endif

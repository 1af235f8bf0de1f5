/*
 * vmm/partition.h - where a disk's file systems begin and end.
 *
 * Reads a GPT (UEFI Specification, chapter 5), an MBR with its logical
 * partitions, or takes a disk without either as one file system. The tables
 * may be hostile: counts are bounded, every partition that is answered lies
 * within the disk, and a chain of logical partitions ends.
 *
 * Left out: the backup GPT (who needs it should repair the disk first), and
 * sectors other than 512 bytes, as our disks have no others. On main.
 */
#ifndef VMM_PARTITION_H
#define VMM_PARTITION_H

#include <stdint.h>

#include "base/err.h"
#include "vmm/disk_view.h"

#define PARTITIONS_MAX	   64
#define PARTITION_UUID_MAX 37 /* with the NUL */

struct partition {
	unsigned int number; /* as in /dev/vdaN; 0: the disk itself */
	uint64_t offset;     /* bytes, as is the size; multiples of 512 */
	uint64_t size;
	/* What the kernel takes as root=PARTUUID=; empty if there is none */
	char uuid[PARTITION_UUID_MAX];
};

struct partition_table {
	unsigned int count;
	struct partition partitions[PARTITIONS_MAX];
};

/*
 * Partitions that are empty or leave the disk are left out, and those past
 * PARTITIONS_MAX. -EUCLEAN with a sentence for a damaged GPT; the disk's own
 * -errno.
 */
int partition_table_read(const struct disk_view *disk,
			 struct partition_table *ret_table, struct err *err);

/*
 * For partition_gpt.c: takes the partition into the table, unless it is one of
 * those to be left out.
 */
void partition_table_add(struct partition_table *table,
			 const struct disk_view *disk, struct partition part);

#endif

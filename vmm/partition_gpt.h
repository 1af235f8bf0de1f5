/*
 * vmm/partition_gpt.h - the GUID partition table (UEFI Specification, 5.3).
 */
#ifndef VMM_PARTITION_GPT_H
#define VMM_PARTITION_GPT_H

#include "vmm/partition.h"

/* As partition_table_read(), for a disk whose MBR says that it has a GPT. */
int partition_gpt_read(const struct disk_view *disk,
		       struct partition_table *table, struct err *err);

#endif

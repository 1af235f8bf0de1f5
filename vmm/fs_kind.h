/*
 * vmm/fs_kind.h - what a partition holds, by its magic numbers: to tell a
 * person what was found. On main.
 */
#ifndef VMM_FS_KIND_H
#define VMM_FS_KIND_H

#include <stdint.h>

#include "vmm/disk_view.h"

enum fs_kind {
	FS_UNKNOWN,
	FS_EXT, /* ext2, ext3 or ext4 */
	FS_XFS,
	FS_BTRFS,
	FS_VFAT,
	FS_SWAP,
	FS_LVM,
	FS_LUKS,
};

/* What cannot be read is unknown. */
enum fs_kind fs_kind_read(const struct disk_view *disk, uint64_t offset);

/* "vfat", "LVM", "nothing known", ... */
const char *fs_kind_name(enum fs_kind kind);

#endif

/* vmm/fs_kind.c - see fs_kind.h. */
#include "vmm/fs_kind.h"

#include <stdbool.h>
#include <string.h>

#include "base/math.h"

struct magic {
	enum fs_kind kind;
	uint32_t offset; /* no magic crosses a sector's end */
	uint32_t length;
	const char *bytes;
};

/* In the order of trust: the short ones last. */
static const struct magic magics[] = {
	{FS_LUKS, 0, 6, "LUKS\xba\xbe"},
	{FS_XFS, 0, 4, "XFSB"},
	{FS_BTRFS, 0x10040, 8, "_BHRfS_M"},
	{FS_LVM, 512, 8, "LABELONE"},
	{FS_SWAP, 4096 - 10, 10, "SWAPSPACE2"},
	{FS_EXT, 1024 + 56, 2, "\x53\xef"},
	{FS_VFAT, 82, 5, "FAT32"},
	{FS_VFAT, 54, 3, "FAT"},
};

static bool has_magic(const struct disk_view *disk, uint64_t offset,
		      const struct magic *magic)
{
	uint64_t skip = magic->offset % BLOCK_SECTOR;
	uint8_t sector[BLOCK_SECTOR];

	return !disk_view_read(disk, offset + magic->offset - skip, sector,
			       sizeof(sector)) &&
	       !memcmp(sector + skip, magic->bytes, magic->length);
}

enum fs_kind fs_kind_read(const struct disk_view *disk, uint64_t offset)
{
	for (size_t i = 0; i < ARRAY_LENGTH(magics); i++)
		if (has_magic(disk, offset, &magics[i]))
			return magics[i].kind;
	return FS_UNKNOWN;
}

const char *fs_kind_name(enum fs_kind kind)
{
	static const char *const names[] = {
		[FS_UNKNOWN] = "nothing known",
		[FS_EXT] = "ext2/3/4",
		[FS_XFS] = "xfs",
		[FS_BTRFS] = "btrfs",
		[FS_VFAT] = "vfat",
		[FS_SWAP] = "swap",
		[FS_LVM] = "LVM",
		[FS_LUKS] = "LUKS",
	};

	return names[kind];
}

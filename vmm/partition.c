/*
 * vmm/partition.c - MBR and logical partitions, and the choice between them,
 * a GPT (partition_gpt.c) and a bare file system. See partition.h.
 */
#include "vmm/partition.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/endian.h"
#include "base/math.h"
#include "vmm/partition_gpt.h"

#define MBR_MAGIC     0xaa55
#define MBR_PRIMARIES 4
#define MBR_LOGICAL   5 /* the number of the first logical partition */
#define MBR_CHAIN_MAX 100
#define MBR_TYPE_NONE 0x00
#define MBR_TYPE_GPT  0xee
#define MBR_BOOTABLE  0x80

struct mbr_entry {
	uint8_t bootable; /* 0 or MBR_BOOTABLE */
	uint8_t first_chs[3];
	uint8_t type;
	uint8_t last_chs[3];
	le32 first_sector;
	le32 sectors;
};

struct mbr {
	uint8_t code[440];
	le32 signature; /* of the disk */
	uint8_t reserved[2];
	struct mbr_entry entries[MBR_PRIMARIES];
	le16 magic;
};

_Static_assert(sizeof(struct mbr) == BLOCK_SECTOR, "an MBR is a sector");

/*
 * The boot sector of a file system has the magic as well, with code or text
 * where a table would be: then the first bytes are not those of an entry.
 */
static bool mbr_is_valid(const struct mbr *mbr)
{
	bool any = false;

	if (le16_get(mbr->magic) != MBR_MAGIC)
		return false;
	for (int i = 0; i < MBR_PRIMARIES; i++) {
		const struct mbr_entry *entry = &mbr->entries[i];

		if (entry->bootable & ~MBR_BOOTABLE)
			return false;
		any |= entry->type != MBR_TYPE_NONE && le32_get(entry->sectors);
	}
	return any;
}

static bool mbr_has_type(const struct mbr *mbr, uint8_t type)
{
	for (int i = 0; i < MBR_PRIMARIES; i++)
		if (mbr->entries[i].type == type)
			return true;
	return false;
}

static bool is_extended(const struct mbr_entry *entry)
{
	return entry->type == 0x05 || entry->type == 0x0f ||
	       entry->type == 0x85;
}

void partition_table_add(struct partition_table *table,
			 const struct disk_view *disk, struct partition part)
{
	if (table->count == PARTITIONS_MAX || !part.size ||
	    !range_fits(part.offset, part.size, disk->size))
		return;
	table->partitions[table->count++] = part;
}

/* @base: the sector that the entry counts from. */
static void add_mbr(struct partition_table *table, const struct disk_view *disk,
		    const struct mbr_entry *entry, uint64_t base,
		    unsigned int number, uint32_t signature)
{
	uint64_t first = base + le32_get(entry->first_sector);
	struct partition part = {
		.number = number,
		.offset = first * BLOCK_SECTOR,
		.size = (uint64_t)le32_get(entry->sectors) * BLOCK_SECTOR,
	};

	/* As Linux makes them (block/partitions/msdos.c): none if unsigned. */
	if (signature)
		snprintf(part.uuid, sizeof(part.uuid), "%08x-%02x", signature,
			 number);
	partition_table_add(table, disk, part);
}

/*
 * A chain of sectors, each with a table of two: a logical partition, counted
 * from this sector, and the next link, counted from the extended partition's
 * start @base. A chain that is damaged, or bites its tail, ends there.
 */
static int add_logical(struct partition_table *table,
		       const struct disk_view *disk, uint64_t base,
		       uint32_t signature)
{
	uint64_t at = base;
	unsigned int number = MBR_LOGICAL;
	struct mbr link;
	int ret;

	for (int i = 0; i < MBR_CHAIN_MAX; i++) {
		const struct mbr_entry *here = &link.entries[0];
		const struct mbr_entry *next = &link.entries[1];

		if (!range_fits(at, 1, disk->size / BLOCK_SECTOR))
			return 0;
		ret = disk_view_read(disk, at * BLOCK_SECTOR, &link,
				     sizeof(link));
		if (ret)
			return ret;
		if (le16_get(link.magic) != MBR_MAGIC)
			return 0;
		if (here->type != MBR_TYPE_NONE)
			add_mbr(table, disk, here, at, number++, signature);
		if (!is_extended(next) || !le32_get(next->first_sector))
			return 0;
		at = base + le32_get(next->first_sector);
	}
	return 0;
}

static int read_mbr(const struct disk_view *disk, const struct mbr *mbr,
		    struct partition_table *table)
{
	uint32_t signature = le32_get(mbr->signature);
	uint64_t extended = 0;

	for (unsigned int i = 0; i < MBR_PRIMARIES; i++) {
		const struct mbr_entry *entry = &mbr->entries[i];

		if (is_extended(entry))
			extended = le32_get(entry->first_sector);
		else if (entry->type != MBR_TYPE_NONE)
			add_mbr(table, disk, entry, 0, i + 1, signature);
	}
	return extended ? add_logical(table, disk, extended, signature) : 0;
}

static void take_whole(const struct disk_view *disk,
		       struct partition_table *table)
{
	struct partition whole = {
		.size = align_down(disk->size, BLOCK_SECTOR),
	};

	partition_table_add(table, disk, whole);
}

int partition_table_read(const struct disk_view *disk,
			 struct partition_table *ret_table, struct err *err)
{
	struct mbr mbr;
	int ret;

	*ret_table = (struct partition_table){0};
	ret = disk_view_read(disk, 0, &mbr, sizeof(mbr));
	if (ret)
		return err_errno(err, -ret, "cannot read its first sector");
	if (!mbr_is_valid(&mbr)) {
		take_whole(disk, ret_table);
		return 0;
	}
	if (mbr_has_type(&mbr, MBR_TYPE_GPT))
		return partition_gpt_read(disk, ret_table, err);
	ret = read_mbr(disk, &mbr, ret_table);
	if (ret)
		return err_errno(err, -ret, "cannot read its partition table");
	return 0;
}

/*
 * vmm/partition_gpt.c - see partition_gpt.h. Both checksums are verified
 * before anything else of what they cover is believed.
 */
#include "vmm/partition_gpt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/endian.h"
#include "base/math.h"

#define GPT_SECTOR    1
#define GPT_TABLE_MAX (1 * MIB) /* usual: 128 entries of 128 bytes */

struct gpt_guid {
	le32 time_low;
	le16 time_mid;
	le16 time_high;
	uint8_t clock[2];
	uint8_t node[6];
};

struct gpt_header {
	char signature[8];
	le32 revision;
	le32 header_size;
	le32 header_crc32; /* of header_size bytes, with this field zero */
	le32 reserved;
	le64 my_sector;
	le64 other_sector;
	le64 first_usable;
	le64 last_usable;
	struct gpt_guid disk;
	le64 entries_sector;
	le32 entry_count;
	le32 entry_size;
	le32 entries_crc32;
	uint8_t unused[BLOCK_SECTOR - 92];
};

struct gpt_entry {
	struct gpt_guid type; /* zero: not used */
	struct gpt_guid uuid;
	le64 first_sector;
	le64 last_sector; /* inclusive */
	le64 attributes;
	uint8_t name[72];
};

_Static_assert(sizeof(struct gpt_header) == BLOCK_SECTOR, "one sector");
_Static_assert(sizeof(struct gpt_entry) == 128, "the least entry_size");

static uint32_t crc_of(const void *data, size_t length)
{
	return (uint32_t)crc32(0, data, (uInt)length);
}

static bool header_is_valid(struct gpt_header *header)
{
	uint32_t size = le32_get(header->header_size);
	uint32_t crc = le32_get(header->header_crc32);

	if (memcmp(header->signature, "EFI PART", 8) ||
	    size < offsetof(struct gpt_header, unused) || size > BLOCK_SECTOR)
		return false;
	header->header_crc32 = le32_make(0);
	return crc_of(header, size) == crc &&
	       le64_get(header->my_sector) == GPT_SECTOR;
}

/* Where the entries are. False if that is nowhere, or more than is sane. */
static bool table_range(const struct gpt_header *header, uint64_t *ret_offset,
			uint64_t *ret_size)
{
	uint32_t entry_size = le32_get(header->entry_size);

	*ret_size = (uint64_t)le32_get(header->entry_count) * entry_size;
	return entry_size >= sizeof(struct gpt_entry) &&
	       *ret_size <= GPT_TABLE_MAX &&
	       mul_fits(le64_get(header->entries_sector), BLOCK_SECTOR,
			ret_offset);
}

static int error_damaged(struct err *err, const char *what)
{
	return err_set(err, EUCLEAN,
		       "its GPT partition table is damaged (%s); gdisk can "
		       "restore it from its backup, and --kernel needs none",
		       what);
}

/* The mixed byte order is the specification's (appendix A). */
static void format_uuid(const struct gpt_guid *guid, char *ret_text)
{
	const uint8_t *node = guid->node;

	snprintf(ret_text, PARTITION_UUID_MAX,
		 "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 le32_get(guid->time_low), le16_get(guid->time_mid),
		 le16_get(guid->time_high), guid->clock[0], guid->clock[1],
		 node[0], node[1], node[2], node[3], node[4], node[5]);
}

static void add_entry(struct partition_table *table,
		      const struct disk_view *disk,
		      const struct gpt_entry *entry, unsigned int number)
{
	static const struct gpt_guid unused;
	uint64_t first = le64_get(entry->first_sector);
	uint64_t last = le64_get(entry->last_sector);
	uint64_t sectors = disk->size / BLOCK_SECTOR;
	struct partition part = {.number = number};

	if (!memcmp(&entry->type, &unused, sizeof(unused)) || first > last ||
	    last >= sectors)
		return;
	part.offset = first * BLOCK_SECTOR;
	part.size = (last - first + 1) * BLOCK_SECTOR;
	format_uuid(&entry->uuid, part.uuid);
	partition_table_add(table, disk, part);
}

/* @entries has room for @size bytes, which are whole sectors. */
static int read_entries(const struct disk_view *disk,
			const struct gpt_header *header, uint64_t offset,
			uint8_t *entries, uint64_t size,
			struct partition_table *table, struct err *err)
{
	uint32_t count = le32_get(header->entry_count);
	uint32_t entry_size = le32_get(header->entry_size);
	int ret = disk_view_read(disk, offset, entries, size);

	if (ret == -EINVAL)
		return error_damaged(err,
				     "its entries lie past the disk's end");
	if (ret)
		return err_errno(err, -ret, "cannot read its partition table");
	if (crc_of(entries, (size_t)count * entry_size) !=
	    le32_get(header->entries_crc32))
		return error_damaged(err, "wrong checksum of its entries");
	for (uint32_t i = 0; i < count; i++) {
		struct gpt_entry entry;

		memcpy(&entry, entries + (size_t)i * entry_size, sizeof(entry));
		add_entry(table, disk, &entry, i + 1);
	}
	return 0;
}

int partition_gpt_read(const struct disk_view *disk,
		       struct partition_table *table, struct err *err)
{
	struct gpt_header header;
	uint64_t offset, size;
	uint8_t *entries;
	int ret;

	ret = disk_view_read(disk, GPT_SECTOR * BLOCK_SECTOR, &header,
			     sizeof(header));
	if (ret && ret != -EINVAL)
		return err_errno(err, -ret, "cannot read its GPT");
	if (ret || !header_is_valid(&header))
		return error_damaged(err, "no valid header");
	if (!table_range(&header, &offset, &size))
		return error_damaged(err, "too many or too small entries");

	size = align_up(size, BLOCK_SECTOR);
	entries = malloc(size + 1);
	if (!entries)
		return err_set(err, ENOMEM, "no memory for a partition table");
	ret = read_entries(disk, &header, offset, entries, size, table, err);
	free(entries);
	return ret;
}

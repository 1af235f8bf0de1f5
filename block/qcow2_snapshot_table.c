/*
 * block/qcow2_snapshot_table.c - the list of internal snapshots, as bytes; see
 * qcow2_tables.h.
 *
 * Entries are kept as they were read, with whatever a later version of the
 * format puts into them; only what is added is made here.
 */
#include "block/qcow2_tables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The part of an entry that this version of the format knows. */
struct entry {
	struct qcow2_snapshot_header header;
	be64 vm_state_size;
	be64 disk_size;
	be64 icount;
};

_Static_assert(sizeof(struct entry) == 64, "no gaps on disk");

#define EXTRA_SIZE (sizeof(struct entry) - sizeof(struct qcow2_snapshot_header))

static struct qcow2_snapshot_header *header_at(
	const struct qcow2_snapshot_table *table, uint64_t index)
{
	return (struct qcow2_snapshot_header *)(table->bytes +
						table->starts[index]);
}

static uint64_t entry_length(const struct qcow2_snapshot_header *header)
{
	return align_up(sizeof(*header) + be32_get(header->extra_size) +
				be16_get(header->id_length) +
				be16_get(header->name_length),
			8);
}

/* Finds where entries begin, and how long all of them are. */
static int find_starts(struct file *file, uint64_t offset, uint64_t count,
		       struct qcow2_snapshot_table *table)
{
	struct qcow2_snapshot_header header;
	int ret;

	for (uint64_t i = 0; i < count; i++) {
		if (!range_fits(offset + table->length, sizeof(header),
				file_size(file)))
			return -EUCLEAN;
		ret = file_read(file, &header, sizeof(header),
				offset + table->length);
		if (ret)
			return ret;
		if (be32_get(header.extra_size) > QCOW2_SNAPSHOT_EXTRA_MAX)
			return -EUCLEAN;
		table->starts[i] = table->length;
		table->length += entry_length(&header);
		if (table->length > QCOW2_SNAPSHOT_BYTES_MAX)
			return -EUCLEAN;
	}
	table->count = count;
	return 0;
}

/* The padding of the last entry need not be in the file. */
int qcow2_snapshot_table_read(struct file *file, uint64_t offset,
			      uint64_t count,
			      struct qcow2_snapshot_table *ret_table)
{
	struct qcow2_snapshot_table *table = ret_table;
	int ret;

	*table = (struct qcow2_snapshot_table){
		.starts = calloc(count + 1, sizeof(*table->starts)),
	};
	if (!table->starts)
		return -ENOMEM;
	ret = find_starts(file, offset, count, table);
	if (ret)
		return ret;
	table->bytes = calloc(1, table->length + 1);
	if (!table->bytes)
		return -ENOMEM;
	return file_read(file, table->bytes, table->length, offset);
}

void qcow2_snapshot_table_fini(struct qcow2_snapshot_table *table)
{
	free(table->bytes);
	free(table->starts);
	*table = (struct qcow2_snapshot_table){0};
}

struct qcow2_snapshot_entry qcow2_snapshot_table_get(
	const struct qcow2_snapshot_table *table, uint64_t index)
{
	const struct qcow2_snapshot_header *header = header_at(table, index);
	const struct entry *entry = (const struct entry *)header;
	uint64_t extra = be32_get(header->extra_size);
	const char *texts = (const char *)(header + 1) + extra;

	return (struct qcow2_snapshot_entry){
		.l1_offset = be64_get(header->l1_table_offset),
		.l1_size = be32_get(header->l1_size),
		.disk_size = extra < 2 * sizeof(be64)
				     ? 0
				     : be64_get(entry->disk_size),
		.id = texts,
		.id_length = be16_get(header->id_length),
		.name = texts + be16_get(header->id_length),
		.name_length = be16_get(header->name_length),
	};
}

void qcow2_snapshot_table_set_l1(struct qcow2_snapshot_table *table,
				 uint64_t index, uint64_t l1_offset,
				 uint64_t l1_size)
{
	struct qcow2_snapshot_header *header = header_at(table, index);

	header->l1_table_offset = be64_make(l1_offset);
	header->l1_size = be32_make((uint32_t)l1_size);
}

static bool is_text(const char *text, size_t length, const char *wanted)
{
	return strlen(wanted) == length && !memcmp(text, wanted, length);
}

uint64_t qcow2_snapshot_table_find_id(const struct qcow2_snapshot_table *table,
				      const char *id)
{
	struct qcow2_snapshot_entry entry;
	uint64_t i;

	for (i = 0; i < table->count; i++) {
		entry = qcow2_snapshot_table_get(table, i);
		if (is_text(entry.id, entry.id_length, id))
			break;
	}
	return i;
}

uint64_t qcow2_snapshot_table_find_name(
	const struct qcow2_snapshot_table *table, const char *name)
{
	struct qcow2_snapshot_entry entry;
	uint64_t i;

	for (i = 0; i < table->count; i++) {
		entry = qcow2_snapshot_table_get(table, i);
		if (is_text(entry.name, entry.name_length, name))
			break;
	}
	return i;
}

uint64_t qcow2_snapshot_table_find(const struct qcow2_snapshot_table *table,
				   const char *id_or_name)
{
	uint64_t index = qcow2_snapshot_table_find_id(table, id_or_name);

	return index < table->count
		       ? index
		       : qcow2_snapshot_table_find_name(table, id_or_name);
}

/* One more than the largest id that begins as a number. */
static uint64_t next_id(const struct qcow2_snapshot_table *table)
{
	struct qcow2_snapshot_entry entry;
	uint64_t largest = 0;
	char id[16];

	for (uint64_t i = 0; i < table->count; i++) {
		entry = qcow2_snapshot_table_get(table, i);
		snprintf(id, sizeof(id), "%.*s", (int)entry.id_length,
			 entry.id);
		largest = max_u64(largest, strtoul(id, NULL, 10));
	}
	return largest + 1;
}

static struct entry make_entry(uint64_t disk_size, size_t id_length,
			       size_t name_length)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (struct entry){
		.header =
			{
				.id_length = be16_make((uint16_t)id_length),
				.name_length = be16_make((uint16_t)name_length),
				.seconds = be32_make((uint32_t)now.tv_sec),
				.nanoseconds = be32_make((uint32_t)now.tv_nsec),
				.extra_size = be32_make(EXTRA_SIZE),
			},
		.disk_size = be64_make(disk_size),
		.icount = be64_make(UINT64_MAX), /* not known */
	};
}

/* Room for one more entry. */
static int make_room(struct qcow2_snapshot_table *table, uint64_t length)
{
	uint64_t *starts;
	uint8_t *bytes;

	if (table->count == QCOW2_SNAPSHOTS_MAX ||
	    table->length + length > QCOW2_SNAPSHOT_BYTES_MAX)
		return -EFBIG;
	bytes = realloc(table->bytes, table->length + length);
	if (!bytes)
		return -ENOMEM;
	table->bytes = bytes;
	starts = realloc(table->starts, (table->count + 1) * sizeof(*starts));
	if (!starts)
		return -ENOMEM;
	table->starts = starts;
	return 0;
}

int qcow2_snapshot_table_append(struct qcow2_snapshot_table *table,
				const char *name, uint64_t disk_size)
{
	size_t id_length, name_length = strlen(name);
	struct entry entry;
	char id[24];
	uint8_t *to;
	int ret;

	if (name_length > UINT16_MAX)
		return -ENAMETOOLONG;
	id_length = (size_t)snprintf(id, sizeof(id), "%llu",
				     (unsigned long long)next_id(table));
	entry = make_entry(disk_size, id_length, name_length);
	ret = make_room(table, entry_length(&entry.header));
	if (ret)
		return ret;
	to = table->bytes + table->length;
	memset(to, 0, entry_length(&entry.header));
	memcpy(to, &entry, sizeof(entry));
	memcpy(to + sizeof(entry), id, id_length);
	memcpy(to + sizeof(entry) + id_length, name, name_length);
	table->starts[table->count++] = table->length;
	table->length += entry_length(&entry.header);
	return 0;
}

void qcow2_snapshot_table_remove(struct qcow2_snapshot_table *table,
				 uint64_t index)
{
	uint64_t start = table->starts[index];
	uint64_t length = entry_length(header_at(table, index));

	memmove(table->bytes + start, table->bytes + start + length,
		table->length - start - length);
	table->length -= length;
	table->count--;
	for (uint64_t i = index; i < table->count; i++)
		table->starts[i] = table->starts[i + 1] - length;
}

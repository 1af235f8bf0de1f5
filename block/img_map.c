/* block/img_map.c - `alcor img map`. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/math.h"
#include "block/img_command.h"
#include "block/img_size.h"
#include "block/img_status.h"

static const struct img_option options[] = {
	IMG_OPTIONS_COMMON,
	{'f', "format", true},
	{'l', "max-length", true},
	{'s', "start-offset", true},
	{'U', "force-share", false},
	{IMG_OPTION_OUTPUT, "output", true},
	{0},
};

/* What is printed: pieces that say the same are one. */
struct map {
	struct img_disk disk;
	uint64_t offset;
	uint64_t end;
	bool json;
	uint64_t start;		  /* of the piece that grows */
	struct img_status status; /* and what it is; length 0: there is none */
	bool is_first;
};

/* Does @next go on with what @status says? */
static bool continues(const struct img_status *status,
		      const struct img_status *next)
{
	return status->depth == next->depth &&
	       status->present == next->present && status->zero == next->zero &&
	       status->data == next->data &&
	       status->compressed == next->compressed &&
	       status->has_offset == next->has_offset &&
	       (!next->has_offset ||
		(status->file == next->file &&
		 status->offset + status->length == next->offset));
}

static const char *yes(bool value)
{
	return value ? "true" : "false";
}

static void print_json(struct map *map)
{
	const struct img_status *status = &map->status;

	printf("%s{ \"start\": %" PRIu64 ", \"length\": %" PRIu64
	       ", \"depth\": %u, \"present\": %s, \"zero\": %s, \"data\": %s",
	       map->is_first ? "[" : ",\n", map->start, status->length,
	       status->depth, yes(status->present), yes(status->zero),
	       yes(status->data));
	if (status->has_offset)
		printf(", \"offset\": %" PRIu64, status->offset);
	printf("}");
	map->is_first = false;
}

/* The table has no words for data that lies nowhere in a file. */
static int print_row(struct map *map)
{
	const struct img_status *status = &map->status;

	if (status->data && !status->has_offset)
		return img_failed("File contains external, encrypted or "
				  "compressed clusters.");
	if (status->data && !status->zero)
		printf("%#-16" PRIx64 "%#-16" PRIx64 "%#-16" PRIx64 "%s\n",
		       map->start, status->length, status->offset,
		       status->file);
	return 0;
}

static int print_piece(struct map *map)
{
	if (!map->status.length)
		return 0;
	if (!map->json)
		return print_row(map);
	print_json(map);
	return 0;
}

static int map_all(struct map *map)
{
	struct img_status next;
	int ret;

	for (; map->offset < map->end; map->offset += next.length) {
		ret = img_status_get(&map->disk, map->offset,
				     map->end - map->offset, &next);
		if (ret)
			return img_failed("Failed to read image metadata: %s",
					  strerror(-ret));
		if (map->status.length && continues(&map->status, &next)) {
			map->status.length += next.length;
			continue;
		}
		ret = print_piece(map);
		if (ret)
			return ret;
		map->start = map->offset;
		map->status = next;
	}
	return print_piece(map);
}

/* The tables' unit is a sector, and so is ours. */
static int parse_range(struct map *map, const struct img_args *args)
{
	const char *start = img_args_value(args, 's');
	const char *length = img_args_value(args, 'l');
	uint64_t offset = 0, bytes = INT64_MAX;

	if (start && !img_size_parse(start, &offset))
		return img_bad_size("start offset");
	if (length && !img_size_parse(length, &bytes))
		return img_bad_size("max length");
	map->offset = align_down(min_u64(offset, map->disk.size), BLOCK_SECTOR);
	map->end = map->offset + min_u64(bytes, map->disk.size - map->offset);
	map->end = align_up(map->end, BLOCK_SECTOR);
	return 0;
}

static int map_disk(struct map *map, const struct img_args *args)
{
	int ret = parse_range(map, args);

	if (ret)
		return ret;
	if (!map->json)
		printf("%-16s%-16s%-16s%s\n", "Offset", "Length", "Mapped to",
		       "File");
	ret = map_all(map);
	if (map->json && !ret)
		printf("%s]\n", map->is_first ? "[" : "");
	return ret;
}

static int map_run(const struct img_args *args)
{
	struct map map = {.is_first = true};
	struct img_open open;

	if (img_output_is_json(args, &map.json) ||
	    img_open_operand(&open, args, 0, 0) ||
	    img_disk_begin(&map.disk, &open))
		return IMG_FAILED;
	return img_disk_finish(&map.disk, open.path, map_disk(&map, args));
}

const struct img_command img_map_command = {
	.name = "map",
	.synopsis = "[-f FORMAT] [--start-offset OFFSET] [--max-length LENGTH] "
		    "[--output human|json] [-U] FILE",
	.options = options,
	.operands_min = 1,
	.operands_max = 1,
	.operands_wanted = "Expecting one image file name",
	.run = map_run,
};

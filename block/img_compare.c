/*
 * block/img_compare.c - `alcor img compare`.
 *
 * The exit status says it all: 0 the disks are the same, 1 they differ or the
 * command was wrong, 2 an image cannot be opened, 3 its tables and 4 its data
 * cannot be read.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "block/img_command.h"
#include "block/img_progress.h"
#include "block/img_status.h"

static const struct img_option options[] = {
	IMG_OPTIONS_COMMON,
	{'f', "a-format", true},
	{'F', "b-format", true},
	{'T', NULL, true},
	{'p', "progress", false},
	{'q', "quiet", false},
	{'s', "strict", false},
	{'U', "force-share", false},
	{0},
};

enum compare_status {
	COMPARE_SAME = 0,
	COMPARE_DIFFERENT = 1,
	COMPARE_CANNOT_OPEN = 2,
	COMPARE_CANNOT_MAP = 3,
	COMPARE_CANNOT_READ = 4,
};

#define BUFFER_SIZE (2 * MIB)

struct side {
	struct img_disk disk;
	struct img_status status;
	uint8_t *buffer; /* BUFFER_SIZE */
};

struct compare {
	struct side sides[2];
	bool strict;
	bool quiet;
	struct img_progress progress;
};

__attribute__((format(printf, 2, 3))) static void say(struct compare *compare,
						      const char *format, ...)
{
	va_list args;

	if (compare->quiet)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
}

static int differ_at(struct compare *compare, uint64_t offset)
{
	say(compare, "Content mismatch at offset %" PRIu64 "!\n", offset);
	return COMPARE_DIFFERENT;
}

static int cannot_read(const struct side *side, uint64_t offset, int error)
{
	img_error("Error while reading offset %" PRIu64 " of %s: %s", offset,
		  side->disk.top->name, strerror(-error));
	return COMPARE_CANNOT_READ;
}

static int read_side(struct side *side, uint64_t offset, size_t length)
{
	int ret = img_disk_read(&side->disk, offset, side->buffer, length);

	return ret ? cannot_read(side, offset, ret) : 0;
}

/* Where two buffers begin to differ, in whole sectors; @length if nowhere. */
static size_t find_difference(const uint8_t *a, const uint8_t *b, size_t length)
{
	size_t at = 0;

	while (at < length &&
	       !memcmp(a + at, b + at, min_u64(BLOCK_SECTOR, length - at)))
		at += BLOCK_SECTOR;
	return min_u64(at, length);
}

/* Where something else than zeroes begins, in whole sectors; @length if
 * nowhere.
 */
static size_t find_data(const uint8_t *data, size_t length)
{
	static const uint8_t zeroes[BLOCK_SECTOR];
	size_t at = 0;

	while (at < length &&
	       !memcmp(data + at, zeroes, min_u64(BLOCK_SECTOR, length - at)))
		at += BLOCK_SECTOR;
	return min_u64(at, length);
}

static int compare_data(struct compare *compare, uint64_t offset,
			uint64_t length)
{
	struct side *sides = compare->sides;
	size_t part, at;
	int ret;

	for (; length; offset += part, length -= part) {
		part = min_u64(length, BUFFER_SIZE);
		ret = read_side(&sides[0], offset, part);
		if (!ret)
			ret = read_side(&sides[1], offset, part);
		if (ret)
			return ret;
		at = find_difference(sides[0].buffer, sides[1].buffer, part);
		if (at < part)
			return differ_at(compare, offset + at);
	}
	return COMPARE_SAME;
}

static int check_zero(struct compare *compare, struct side *side,
		      uint64_t offset, uint64_t length)
{
	size_t part, at;
	int ret;

	for (; length; offset += part, length -= part) {
		part = min_u64(length, BUFFER_SIZE);
		ret = read_side(side, offset, part);
		if (ret)
			return ret;
		at = find_data(side->buffer, part);
		if (at < part)
			return differ_at(compare, offset + at);
	}
	return COMPARE_SAME;
}

static int get_status(struct side *side, uint64_t offset, uint64_t length)
{
	int ret = img_status_get(&side->disk, offset, length, &side->status);

	if (!ret)
		return 0;
	img_error("Sector allocation test failed for %s", side->disk.top->name);
	return COMPARE_CANNOT_MAP;
}

/* The strict mode's question: does it matter where the zeroes come from? */
static bool is_allocated_alike(const struct side *sides)
{
	const struct img_status *a = &sides[0].status, *b = &sides[1].status;

	return a->zero == b->zero && a->data == b->data;
}

/* The front of what both have; *ret_length: how much that was. */
static int compare_piece(struct compare *compare, uint64_t offset,
			 uint64_t length, uint64_t *ret_length)
{
	struct side *a = &compare->sides[0], *b = &compare->sides[1];
	int ret = get_status(a, offset, length);

	if (!ret)
		ret = get_status(b, offset, length);
	if (ret)
		return ret;
	length = min_u64(a->status.length, b->status.length);
	*ret_length = length;
	if (compare->strict && !is_allocated_alike(compare->sides)) {
		say(compare,
		    "Strict mode: Offset %" PRIu64 " block status mismatch!\n",
		    offset);
		return COMPARE_DIFFERENT;
	}
	if (a->status.zero && b->status.zero)
		return COMPARE_SAME;
	if (a->status.zero)
		return check_zero(compare, b, offset, length);
	if (b->status.zero)
		return check_zero(compare, a, offset, length);
	return compare_data(compare, offset, length);
}

static int compare_common(struct compare *compare, uint64_t size)
{
	uint64_t length;
	int ret;

	for (uint64_t offset = 0; offset < size; offset += length) {
		ret = compare_piece(compare, offset, size - offset, &length);
		if (ret)
			return ret;
		img_progress_show(&compare->progress, offset + length);
	}
	return COMPARE_SAME;
}

/* What the longer one has more must be zeroes. */
static int compare_rest(struct compare *compare, uint64_t offset)
{
	struct side *sides = compare->sides;
	struct side *longer = sides[0].disk.size > offset ? &sides[0]
							  : &sides[1];
	uint64_t size = longer->disk.size;
	int ret;

	if (size == offset)
		return COMPARE_SAME;
	say(compare, "Warning: Image size mismatch!\n");
	for (; offset < size; offset += longer->status.length) {
		ret = get_status(longer, offset, size - offset);
		if (!ret && !longer->status.zero)
			ret = check_zero(compare, longer, offset,
					 longer->status.length);
		if (ret)
			return ret;
		img_progress_show(&compare->progress,
				  offset + longer->status.length);
	}
	return COMPARE_SAME;
}

static int compare_disks(struct compare *compare)
{
	uint64_t a = compare->sides[0].disk.size;
	uint64_t b = compare->sides[1].disk.size;
	int ret;

	if (compare->strict && a != b) {
		say(compare, "Strict mode: Image size mismatch!\n");
		return COMPARE_DIFFERENT;
	}
	ret = compare_common(compare, min_u64(a, b));
	if (!ret)
		ret = compare_rest(compare, min_u64(a, b));
	if (!ret)
		say(compare, "Images are identical.\n");
	return ret;
}

static int open_side(struct side *side, const struct img_args *args,
		     size_t index)
{
	struct img_open open;

	if (img_open_operand(&open, args, index, 'T'))
		return COMPARE_CANNOT_OPEN;
	open.format = img_args_value(args, index ? 'F' : 'f');
	if (img_disk_begin(&side->disk, &open))
		return COMPARE_CANNOT_OPEN;
	side->buffer = malloc(BUFFER_SIZE);
	if (side->buffer)
		return 0;
	img_error("out of memory");
	return COMPARE_CANNOT_READ;
}

static int compare_run(const struct img_args *args)
{
	struct compare compare = {
		.strict = img_args_has(args, 's'),
		.quiet = img_args_has(args, 'q'),
	};
	struct side *sides = compare.sides;
	int ret = open_side(&sides[0], args, 0);

	if (!ret)
		ret = open_side(&sides[1], args, 1);
	if (!ret) {
		img_progress_start(&compare.progress, args,
				   max_u64(sides[0].disk.size,
					   sides[1].disk.size));
		ret = compare_disks(&compare);
		img_progress_stop(&compare.progress);
	}
	for (size_t i = 0; i < 2; i++) {
		img_disk_close(&sides[i].disk);
		free(sides[i].buffer);
	}
	return ret;
}

const struct img_command img_compare_command = {
	.name = "compare",
	.synopsis = "[-f FORMAT] [-F FORMAT] [-T CACHE] [-p] [-q] [-s] [-U] "
		    "FILE FILE",
	.options = options,
	.operands_min = 2,
	.operands_max = 2,
	.operands_wanted = "Expecting two image file names",
	.run = compare_run,
};

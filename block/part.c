/* block/part.c - see part.h. */
#include "block/part.h"

#include <errno.h>

#include "base/math.h"

/* Is it the way that was wrong, rather than the file or the disk? */
static bool is_refusal(int64_t error)
{
	switch (error) {
	case -EAGAIN:
	case -EINTR:
	case -EINVAL:
	case -EACCES:
	case -ECANCELED:
	case -EOPNOTSUPP:
		return true;
	default:
		return false;
	}
}

static enum part_state part_end(struct part *part, int result)
{
	part->result = result;
	return PART_ENDED;
}

/*
 * A part goes on at whole sectors, and where O_DIRECT can. What ends elsewhere,
 * as the last sector of an odd file does, is for those who take any length.
 */
enum part_state part_moved(struct part *part, int64_t moved)
{
	uint64_t whole;

	if (is_refusal(moved))
		return PART_REFUSED;
	if (moved < 0)
		return part_end(part, (int)moved);
	if (!moved && part_is_write(part))
		return part_end(part, -EIO);
	if (!moved) {
		cursor_zero(&part->cursor, part->left);
		return part_end(part, 0);
	}
	whole = align_down((uint64_t)moved,
			   max_u64(BLOCK_SECTOR, part->file->alignment));
	if ((uint64_t)moved == part->left)
		whole = part->left;
	cursor_skip(&part->cursor, whole);
	part->left -= whole;
	part->disk_offset += whole;
	part->host_offset += whole;
	if (!part->left)
		return part_end(part, 0);
	return whole == (uint64_t)moved ? PART_MORE : PART_REFUSED;
}

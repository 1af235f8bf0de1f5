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

enum part_state part_moved(struct part *part, int64_t moved)
{
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
	cursor_skip(&part->cursor, (uint64_t)moved);
	part->left -= (uint64_t)moved;
	part->disk_offset += (uint64_t)moved;
	part->host_offset += (uint64_t)moved;
	if (!part->left)
		return part_end(part, 0);
	/* Short, and with O_DIRECT at a place where it cannot go on. */
	if (!is_aligned(part->host_offset, part->file->alignment))
		return PART_REFUSED;
	return PART_MORE;
}

/*
 * block/prompt.c - see prompt.h.
 *
 * Two guesses are made and corrected. After a miss in the page cache, the next
 * tries are left out, more of them each time. After a call that took long, none
 * is made for many times as long, so that a slow disk keeps the thread from
 * other requests for a small part of its time only.
 */
#include "block/prompt.h"

#include <errno.h>

#include "base/clock.h"
#include "base/math.h"

#define BACKOFF_MAX 31

/* More than this goes to others: copying alone takes long. */
#define QUICK_BYTES (64 * KIB)
/* Longer than this is not quick... */
#define QUICK_NSEC 1000000ULL
/* ...and has a pause of so many times that follow. */
#define WARY_TIMES 16

#define PIECES 16

bool pace_begin(const struct pace *pace, uint64_t bytes, uint64_t *ret_start)
{
	if (bytes > QUICK_BYTES)
		return false;
	*ret_start = clock_now_nsec();
	return *ret_start >= pace->wary_until_nsec;
}

void pace_end(struct pace *pace, uint64_t start)
{
	uint64_t took = clock_now_nsec() - start;

	if (took > QUICK_NSEC)
		pace->wary_until_nsec = start + took * (1 + WARY_TIMES);
}

/* One call for the front of the part: bytes or -errno. */
static int64_t transfer(const struct part *part, int flags)
{
	struct cursor cursor = part->cursor;
	struct iovec pieces[PIECES];
	off_t offset = (off_t)part->host_offset;
	int fd = part->file->fd;
	uint64_t bytes;
	ssize_t moved;
	int count;

	count = (int)cursor_take(&cursor, part->left, pieces, PIECES, &bytes);
	do
		moved = part_is_write(part)
				? pwritev2(fd, pieces, count, offset, flags)
				: preadv2(fd, pieces, count, offset, flags);
	while (moved < 0 && errno == EINTR);
	return moved < 0 ? -errno : moved;
}

static void note_miss(struct prompt *prompt)
{
	prompt->backoff = (unsigned int)min_u64(2 * prompt->backoff + 1,
						BACKOFF_MAX);
	prompt->skip = prompt->backoff;
}

static enum part_state try_cached(struct prompt *prompt, struct part *part)
{
	atomic_int *nowait = &part->file->nowait[part_is_write(part)];
	enum part_state state;
	int64_t moved;

	if (prompt->skip) {
		prompt->skip--;
		return PART_MORE;
	}
	do {
		moved = transfer(part, RWF_NOWAIT);
		if (moved == -EOPNOTSUPP) {
			atomic_store(nowait, FILE_NOWAIT_LACKS);
			return PART_MORE;
		}
		if (moved >= 0 || moved == -EAGAIN)
			atomic_store_explicit(nowait, FILE_NOWAIT_WORKS,
					      memory_order_relaxed);
		if (moved == -EAGAIN) {
			note_miss(prompt);
			return PART_MORE;
		}
		state = part_moved(part, moved);
	} while (state == PART_MORE);
	prompt->backoff = 0;
	return state;
}

static enum part_state try_quick(struct prompt *prompt, struct part *part)
{
	enum part_state state;
	uint64_t start;

	if (!pace_begin(&prompt->pace, part->left, &start))
		return PART_MORE;
	do
		state = part_moved(part, transfer(part, 0));
	while (state == PART_MORE);
	pace_end(&prompt->pace, start);
	return state;
}

enum part_state prompt_try(struct prompt *prompt, struct part *part, bool eager)
{
	const atomic_int *nowait = &part->file->nowait[part_is_write(part)];
	enum part_state state = PART_MORE;
	int has;

	/* Past the page cache, everything waits. */
	if (part->file->alignment > 1)
		return PART_MORE;
	has = atomic_load_explicit(nowait, memory_order_relaxed);
	if (has == FILE_NOWAIT_UNKNOWN || (has == FILE_NOWAIT_WORKS && eager))
		state = try_cached(prompt, part);
	has = atomic_load_explicit(nowait, memory_order_relaxed);
	if (state == PART_MORE && has == FILE_NOWAIT_LACKS)
		state = try_quick(prompt, part);
	return state;
}

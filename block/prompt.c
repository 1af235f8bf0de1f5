/*
 * block/prompt.c - see prompt.h.
 *
 * Two guesses are made and corrected. After a miss in the page cache, the next
 * tries are left out, more of them each time. After a call that slept for long,
 * none is made for some times as long, so that a slow disk has the thread for a
 * part of its time only. A call also takes long where others have the CPU, and
 * there a worker would have to wait for it, too. So after a first one that took
 * long the kernel is asked, for some time, whether the thread has slept.
 */
#include "block/prompt.h"

#include <errno.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/math.h"

#define BACKOFF_MAX 31

/* More than this goes to others: copying alone takes long. */
#define QUICK_BYTES (64 * KIB)
/* Longer than this is not quick... */
#define QUICK_NSEC 1000000ULL
/* ...and, if it slept, is followed by so many times as long without any... */
#define WARY_TIMES 4
/* ...and by so long in which sleeps are counted. */
#define WATCH_NSEC 1000000000ULL

#define PIECES 16

/* How often the thread has ever given up the CPU by itself. */
static void count_sleeps(struct pace *pace)
{
	struct rusage usage = {0};

	getrusage(RUSAGE_THREAD, &usage);
	pace->sleeps = usage.ru_nvcsw;
	pace->is_counted = true;
}

bool pace_begin(struct pace *pace, uint64_t bytes, uint64_t *ret_start)
{
	if (bytes > QUICK_BYTES)
		return false;
	*ret_start = clock_now_nsec();
	if (*ret_start < pace->wary_until_nsec)
		return false;
	if (*ret_start < pace->watch_until_nsec && !pace->is_counted)
		count_sleeps(pace);
	return true;
}

void pace_end(struct pace *pace, uint64_t start)
{
	uint64_t now = clock_now_nsec(), took = now - start;
	bool was_counted = pace->is_counted;
	long sleeps = pace->sleeps;

	if (took <= QUICK_NSEC)
		return;
	pace->watch_until_nsec = now + took * WARY_TIMES + WATCH_NSEC;
	count_sleeps(pace);
	if (was_counted && pace->sleeps != sleeps)
		pace->wary_until_nsec = now + took * WARY_TIMES;
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

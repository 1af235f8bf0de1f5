/* block/img_blkdebug.c - rules and breakpoints; see img_blkdebug.h. */
#include "block/img_blkdebug.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "base/math.h"
#include "base/parse.h"
#include "block/img_blkdebug_rules.h"
#include "block/qcow2_describe.h"

#define BREAKPOINTS_MAX 16
#define TAG_MAX		32

struct breakpoint {
	char tag[TAG_MAX]; /* empty: unused */
	enum blkdebug_event event;
	bool waiting; /* a request is; else it is still to come */
};

struct img_blkdebug {
	struct blkdebug_rules *rules; /* [l] owned */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct breakpoint breakpoints[BREAKPOINTS_MAX]; /* [l] */
};

/* What lies under the image: the file that was there before, below. */
struct debug_file {
	struct file file;
	struct img_blkdebug *blkdebug; /* [c] */
	struct image *image;	       /* [c] */
	struct file *below;	       /* [c] owned */
};

int img_blkdebug_new(struct img_spec *spec, const char *prefix,
		     struct img_blkdebug **ret_blkdebug, struct err *err)
{
	struct img_blkdebug *blkdebug = calloc(1, sizeof(*blkdebug));
	int ret;

	if (!blkdebug)
		return err_set(err, ENOMEM, "out of memory");
	pthread_mutex_init(&blkdebug->lock, NULL);
	pthread_cond_init(&blkdebug->changed, NULL);
	ret = blkdebug_rules_new(spec, prefix, &blkdebug->rules, err);
	if (ret)
		img_blkdebug_free(blkdebug);
	else
		*ret_blkdebug = blkdebug;
	return ret;
}

void img_blkdebug_free(struct img_blkdebug *blkdebug)
{
	if (!blkdebug)
		return;
	blkdebug_rules_free(blkdebug->rules);
	pthread_cond_destroy(&blkdebug->changed);
	pthread_mutex_destroy(&blkdebug->lock);
	free(blkdebug);
}

/* --- Breakpoints ---------------------------------------------------------- */

/* With the lock held. The empty tag finds one that is unused. */
static struct breakpoint *find(struct img_blkdebug *blkdebug, const char *tag)
{
	for (size_t i = 0; i < BREAKPOINTS_MAX; i++)
		if (!strcmp(blkdebug->breakpoints[i].tag, tag))
			return &blkdebug->breakpoints[i];
	return NULL;
}

int img_blkdebug_break(struct img_blkdebug *blkdebug, const char *event,
		       const char *tag)
{
	enum blkdebug_event kind = blkdebug_event_find(event);
	struct breakpoint *breakpoint;
	int ret = -ENOSPC;

	if (!kind || !*tag || strlen(tag) >= TAG_MAX)
		return -EINVAL;
	pthread_mutex_lock(&blkdebug->lock);
	breakpoint = find(blkdebug, "");
	if (breakpoint) {
		*breakpoint = (struct breakpoint){.event = kind};
		strcpy(breakpoint->tag, tag);
		ret = 0;
	}
	pthread_mutex_unlock(&blkdebug->lock);
	return ret;
}

static int end_breakpoints(struct img_blkdebug *blkdebug, const char *tag)
{
	struct breakpoint *breakpoint;
	int ret = -ENOENT;

	pthread_mutex_lock(&blkdebug->lock);
	while (*tag && (breakpoint = find(blkdebug, tag))) {
		breakpoint->tag[0] = '\0';
		ret = 0;
	}
	pthread_cond_broadcast(&blkdebug->changed);
	pthread_mutex_unlock(&blkdebug->lock);
	return ret;
}

int img_blkdebug_resume(struct img_blkdebug *blkdebug, const char *tag)
{
	bool waiting;

	pthread_mutex_lock(&blkdebug->lock);
	waiting = find(blkdebug, tag) && find(blkdebug, tag)->waiting;
	pthread_mutex_unlock(&blkdebug->lock);
	if (!waiting)
		return -ENOENT;
	printf("blkdebug: Resuming request '%s'\n", tag);
	return end_breakpoints(blkdebug, tag);
}

int img_blkdebug_remove(struct img_blkdebug *blkdebug, const char *tag)
{
	return end_breakpoints(blkdebug, tag);
}

void img_blkdebug_resume_all(struct img_blkdebug *blkdebug)
{
	pthread_mutex_lock(&blkdebug->lock);
	for (size_t i = 0; i < BREAKPOINTS_MAX; i++)
		blkdebug->breakpoints[i].tag[0] = '\0';
	pthread_cond_broadcast(&blkdebug->changed);
	pthread_mutex_unlock(&blkdebug->lock);
}

int img_blkdebug_wait(struct img_blkdebug *blkdebug, const char *tag)
{
	struct breakpoint *breakpoint;

	pthread_mutex_lock(&blkdebug->lock);
	while ((breakpoint = *tag ? find(blkdebug, tag) : NULL) &&
	       !breakpoint->waiting)
		pthread_cond_wait(&blkdebug->changed, &blkdebug->lock);
	pthread_mutex_unlock(&blkdebug->lock);
	return breakpoint ? 0 : -ENOENT;
}

bool img_blkdebug_is_waiting(struct img_blkdebug *blkdebug)
{
	bool waiting = false;

	pthread_mutex_lock(&blkdebug->lock);
	for (size_t i = 0; i < BREAKPOINTS_MAX; i++)
		waiting |= blkdebug->breakpoints[i].tag[0] &&
			   blkdebug->breakpoints[i].waiting;
	pthread_mutex_unlock(&blkdebug->lock);
	return waiting;
}

/* With the lock held, but not while it waits. */
static void wait_at(struct img_blkdebug *blkdebug,
		    struct breakpoint *breakpoint)
{
	char tag[TAG_MAX];

	strcpy(tag, breakpoint->tag);
	printf("blkdebug: Suspended request '%s'\n", tag);
	breakpoint->waiting = true;
	pthread_cond_broadcast(&blkdebug->changed);
	while (!strcmp(breakpoint->tag, tag) && breakpoint->waiting)
		pthread_cond_wait(&blkdebug->changed, &blkdebug->lock);
}

/* --- The file ------------------------------------------------------------- */

/* An event happens. -errno: it is to fail. */
static int happen(struct debug_file *debug, enum blkdebug_event event,
		  uint64_t offset, uint64_t length)
{
	struct img_blkdebug *blkdebug = debug->blkdebug;
	struct breakpoint *breakpoint;
	int ret;

	pthread_mutex_lock(&blkdebug->lock);
	for (size_t i = 0; i < BREAKPOINTS_MAX; i++) {
		breakpoint = &blkdebug->breakpoints[i];
		if (breakpoint->tag[0] && breakpoint->event == event &&
		    !breakpoint->waiting)
			wait_at(blkdebug, breakpoint);
	}
	ret = blkdebug_rules_apply(blkdebug->rules, event, offset, length);
	pthread_mutex_unlock(&blkdebug->lock);
	return ret;
}

/* Reads and writes have two events each: for tables, and for data. */
static int happen_at(struct debug_file *debug, enum blkdebug_event table,
		     enum blkdebug_event data, uint64_t offset, uint64_t length)
{
	bool is_table = qcow2_is_table(debug->image, offset, length);

	return happen(debug, is_table ? table : data, offset, length);
}

static struct debug_file *debug_of(struct file *file)
{
	return (struct debug_file *)file;
}

static int debug_readv(struct file *file, struct iovec *iov, size_t count,
		       uint64_t offset)
{
	struct debug_file *debug = debug_of(file);
	int ret = happen_at(debug, BLKDEBUG_READ_TABLE, BLKDEBUG_READ_DATA,
			    offset, iov_length(iov, count));

	if (ret)
		return ret;
	return debug->below->ops->readv(debug->below, iov, count, offset);
}

static int debug_writev(struct file *file, struct iovec *iov, size_t count,
			uint64_t offset)
{
	struct debug_file *debug = debug_of(file);
	int ret = happen_at(debug, BLKDEBUG_WRITE_TABLE, BLKDEBUG_WRITE_DATA,
			    offset, iov_length(iov, count));

	return ret ? ret : file_writev(debug->below, iov, count, offset);
}

static int debug_flush(struct file *file)
{
	struct debug_file *debug = debug_of(file);
	int ret = happen(debug, BLKDEBUG_FLUSH, 0, UINT64_MAX);

	return ret ? ret : file_flush(debug->below);
}

static int debug_zero(struct file *file, uint64_t offset, uint64_t length,
		      bool may_unmap)
{
	struct debug_file *debug = debug_of(file);

	return debug->below->ops->zero(debug->below, offset, length, may_unmap);
}

static int debug_truncate(struct file *file, uint64_t size)
{
	return file_truncate(debug_of(file)->below, size);
}

static void debug_close(struct file *file)
{
	file_close(debug_of(file)->below);
	free(file);
}

int img_blkdebug_insert(struct img_blkdebug *blkdebug, struct image *image)
{
	static const struct file_ops ops = {
		.readv = debug_readv,
		.writev = debug_writev,
		.flush = debug_flush,
		.zero = debug_zero,
		.truncate = debug_truncate,
		.close = debug_close,
	};
	struct debug_file *debug = calloc(1, sizeof(*debug));

	if (!debug)
		return -ENOMEM;
	file_init(&debug->file, &ops, file_size(image->file));
	debug->file.device = image->file->device;
	debug->file.inode = image->file->inode;
	debug->blkdebug = blkdebug;
	debug->image = image;
	debug->below = image->file;
	if (image->data == image->file)
		image->data = &debug->file;
	image->file = &debug->file;
	return 0;
}

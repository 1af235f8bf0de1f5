/*
 * block/part.h - what a queue's request is done by: a part is a range that
 * lies in one piece in a host file, or whatever a worker does.
 * Private to block/queue.c, block/prompt.c and block/engine_*.c.
 *
 * Threads: the queue's; while a part is with a worker, that one's.
 */
#ifndef BLOCK_PART_H
#define BLOCK_PART_H

#include "block/file.h"
#include "block/gate.h"
#include "block/queue.h"
#include "block/workers.h"

struct part {
	struct part *next; /* in a list of the queue's */
	struct worker_job job;
	struct block_queue *queue;
	struct block_request *request;
	struct cursor cursor; /* of what is left of it, as all below */
	uint64_t left;	      /* bytes */
	uint64_t disk_offset;
	struct file *file; /* NULL: a worker does it */
	uint64_t host_offset;
	uint64_t host_end;
	struct gate_pass pass; /* of file_begin() */
	int64_t moved;	       /* what the kernel said: bytes or -errno */
	int result;	       /* 0 or -errno, of one that has ended */
};

enum part_state {
	PART_MORE,    /* something is left, and goes as what was before it */
	PART_ENDED,   /* see its result */
	PART_REFUSED, /* what is left needs the functions of file.h */
};

static inline bool part_is_write(const struct part *part)
{
	return part->request->operation == BLOCK_WRITE;
}

/* Takes note of what a call of the kernel for the rest of the part answered. */
enum part_state part_moved(struct part *part, int64_t moved);

/* --- Lists ---------------------------------------------------------------- */

struct part_list {
	struct part *first;
	struct part **end; /* where the next one goes */
};

static inline void part_list_init(struct part_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static inline void part_list_append(struct part_list *list, struct part *part)
{
	part->next = NULL;
	*list->end = part;
	list->end = &part->next;
}

/* All of @from, which is empty then. @to is not initialised yet. */
static inline void part_list_move(struct part_list *to, struct part_list *from)
{
	*to = *from;
	if (!to->first)
		to->end = &to->first;
	part_list_init(from);
}

/* NULL: there is none. */
static inline struct part *part_list_take(struct part_list *list)
{
	struct part *part = list->first;

	if (!part)
		return NULL;
	list->first = part->next;
	if (!list->first)
		list->end = &list->first;
	return part;
}

#endif

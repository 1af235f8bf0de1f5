/*
 * block/queue.c - see queue.h.
 *
 * Each run does a piece of every request that was there when it began, on the
 * queue's thread, by the blocking calls of block.h.
 */
#include "block/queue.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/math.h"
#include "block/image.h"

/* Requests go in pieces of at most this, a multiple of BLOCK_SECTOR. */
#define PIECE_MAX (4 * MIB)

struct request_list {
	struct block_request *first;
	struct block_request **end; /* where the next one goes */
};

struct block_queue {
	struct block *block; /* [c] */
	int event_fd;	     /* [c] from the first run on; -1: none */

	/* [q] */
	struct request_list active; /* submitted and not done */
	struct request_list cancelled;
	size_t in_flight;
};

static void list_init(struct request_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static void list_append(struct request_list *list,
			struct block_request *request)
{
	request->next = NULL;
	*list->end = request;
	list->end = &request->next;
}

static struct block_request *list_take(struct request_list *list)
{
	struct block_request *request = list->first;

	if (!request)
		return NULL;
	list->first = request->next;
	if (!list->first)
		list->end = &list->first;
	return request;
}

/* --- One request ---------------------------------------------------------- */

static void request_end(struct block_queue *queue,
			struct block_request *request, int result)
{
	queue->in_flight--;
	request->done(request, result);
}

/* A piece of a READ or WRITE; its length in *ret_length. */
static int move_piece(struct block *block, struct block_request *request,
		      uint64_t *ret_length)
{
	uint64_t offset = request->offset + request->position;
	uint64_t length = min_u64(request->length - request->position,
				  PIECE_MAX);

	*ret_length = length;
	if (request->operation == BLOCK_READ)
		return block_read_to(block, offset, length, &request->cursor);
	return block_write_from(block, offset, length, &request->cursor);
}

static int do_piece(struct block *block, struct block_request *request,
		    uint64_t *ret_length)
{
	*ret_length = request->length;
	switch (request->operation) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		return move_piece(block, request, ret_length);
	case BLOCK_FLUSH:
		return block_flush(block);
	case BLOCK_DISCARD:
		return block_discard(block, request->offset, request->length);
	case BLOCK_WRITE_ZEROES:
		return block_write_zeroes(block, request->offset,
					  request->length, request->may_unmap);
	}
	return -ENOTSUP;
}

static void request_go_on(struct block_queue *queue,
			  struct block_request *request)
{
	uint64_t length;
	int ret = do_piece(queue->block, request, &length);

	request->position += length;
	if (ret || request->position >= request->length)
		request_end(queue, request, ret);
	else
		list_append(&queue->active, request);
}

/* --- The queue ------------------------------------------------------------ */

int block_queue_new(struct block *block,
		    const struct block_queue_options *options,
		    struct block_queue **ret_queue, struct err *err)
{
	struct block_queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return err_set(err, ENOMEM, "out of memory");
	if (options->engine == BLOCK_ENGINE_URING) {
		free(queue);
		return err_set(err, ENOTSUP, "io_uring is not done yet");
	}
	queue->block = block;
	queue->event_fd = -1;
	list_init(&queue->active);
	list_init(&queue->cancelled);
	*ret_queue = queue;
	return 0;
}

void block_queue_free(struct block_queue *queue)
{
	if (!queue)
		return;
	block_queue_cancel(queue);
	while (queue->in_flight)
		block_queue_run(queue, true);
	free(queue);
}

void block_queue_watch(struct block_queue *queue, int fd)
{
	queue->event_fd = fd;
}

void block_queue_submit(struct block_queue *queue,
			struct block_request *request)
{
	request->cursor = cursor_make(request->iov, request->iov_count);
	request->position = 0;
	queue->in_flight++;
	list_append(&queue->active, request);
}

static void take_event(struct block_queue *queue, bool wait)
{
	struct pollfd event = {.fd = queue->event_fd, .events = POLLIN};
	uint64_t count;

	if (queue->event_fd < 0 || poll(&event, 1, wait ? -1 : 0) <= 0)
		return;
	if (read(queue->event_fd, &count, sizeof(count)) < 0)
		assert(errno == EAGAIN || errno == EINTR);
}

void block_queue_run(struct block_queue *queue, bool wait)
{
	struct block_request *request;
	size_t count;

	take_event(queue, wait && !queue->in_flight);
	while ((request = list_take(&queue->cancelled)))
		request_end(queue, request, -ECANCELED);
	/* What is submitted by done() is for the next run. */
	for (count = queue->in_flight; count; count--) {
		request = list_take(&queue->active);
		if (request)
			request_go_on(queue, request);
	}
}

void block_queue_cancel(struct block_queue *queue)
{
	struct block_request *request;

	while ((request = list_take(&queue->active)))
		list_append(&queue->cancelled, request);
}

size_t block_queue_in_flight(const struct block_queue *queue)
{
	return queue->in_flight;
}

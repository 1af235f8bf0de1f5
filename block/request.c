/*
 * block/request.c - how a queue's request is done.
 *
 * It is cut into parts, and is done when they are. Where the map knows all
 * about the range, a part is a run of bytes in a host file, which goes from and
 * to the caller's memory without a lock. The request is inside the disk's gate
 * (fast.h) while such a part is under way. All else - what memory does not
 * know, what changes the image's tables, what is no read or write - is a part
 * for a worker, which does it by the blocking calls of block.h. Those may wait
 * until all who are in the gate have left, so nobody may wait for a worker in
 * there: the request leaves when the last of its host parts has ended, whatever
 * its workers do.
 *
 * A host part is tried right here first (prompt.h), then goes to the engine;
 * and to a worker if that does not do it, or could not. Some parts for workers
 * are tried here as well.
 */
#include "block/request.h"

#include <errno.h>
#include <stddef.h>

#include "base/fd.h"
#include "base/math.h"
#include "block/image.h"

/* A request goes in pieces of at most this, a multiple of BLOCK_SECTOR. */
#define PIECE_MAX (4 * MIB)

/* --- Lists ---------------------------------------------------------------- */

void request_list_init(struct request_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

void request_list_append(struct request_list *list,
			 struct block_request *request)
{
	request->next = NULL;
	*list->end = request;
	list->end = &request->next;
}

struct block_request *request_list_take(struct request_list *list)
{
	struct block_request *request = list->first;

	if (!request)
		return NULL;
	list->first = request->next;
	if (!list->first)
		list->end = &list->first;
	return request;
}

static bool moves_data(const struct block_request *request)
{
	return request->operation == BLOCK_READ ||
	       request->operation == BLOCK_WRITE;
}

/* --- Ends ----------------------------------------------------------------- */

static void request_end(struct block_queue *queue,
			struct block_request *request, int result)
{
	queue->in_flight--;
	queue->ended++;
	request->done(request, result);
}

/* Nothing of it is under way: it goes on, or has ended. */
static void request_settle(struct block_queue *queue,
			   struct block_request *request)
{
	if (request->result || request->position == request->length)
		request_end(queue, request, request->result);
	else
		request_list_append(&queue->active, request);
}

/* The first error is the request's. */
static void request_note(struct block_request *request, int result)
{
	if (!request->result)
		request->result = result;
}

static void request_leave_gate(struct block_queue *queue,
			       struct block_request *request)
{
	if (--request->mapped)
		return;
	queue->inside--;
	block_end(queue->block, (struct block_pass){request->pass});
}

static void request_drop(struct block_queue *queue,
			 struct block_request *request)
{
	if (!--request->pending)
		request_settle(queue, request);
}

static struct part *part_take(struct block_queue *queue,
			      struct block_request *request)
{
	struct part *part = queue->free_parts;

	queue->free_parts = part->next;
	part->request = request;
	request->pending++;
	return part;
}

static void part_end(struct block_queue *queue, struct part *part, int result)
{
	struct block_request *request = part->request;

	request_note(request, result);
	part->next = queue->free_parts;
	queue->free_parts = part;
	request_drop(queue, request);
}

/* --- Parts for workers ---------------------------------------------------- */

static int part_do(struct part *part)
{
	struct block *block = part->queue->block;
	const struct block_request *request = part->request;

	switch (request->operation) {
	case BLOCK_READ:
		return block_read_to(block, part->disk_offset, part->left,
				     &part->cursor);
	case BLOCK_WRITE:
		return block_write_from(block, part->disk_offset, part->left,
					&part->cursor);
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

/* On a worker's thread. The queue may go as soon as its lock is free. */
static void part_work(struct worker_job *job)
{
	struct part *part =
		(struct part *)((char *)job - offsetof(struct part, job));
	struct block_queue *queue = part->queue;
	bool first;

	part->result = part_do(part);
	pthread_mutex_lock(&queue->lock);
	first = !queue->finished.first;
	part_list_append(&queue->finished, part);
	/* Before the event, which may be taken at once. */
	atomic_store(&queue->has_finished, true);
	if (first)
		fd_event_raise(queue->events[ENGINE_EVENT_FINISHED]);
	pthread_mutex_unlock(&queue->lock);
}

static void part_to_worker(struct block_queue *queue, struct part *part)
{
	queue->statistics.by_workers++;
	part->job.run = part_work;
	workers_submit(block_workers(queue->block), &part->job);
}

void request_part_finished(struct block_queue *queue, struct part *part)
{
	part_end(queue, part, part->result);
}

/*
 * By the disk's lock, workers write one after the other; and for a lone request
 * they take longer to wake than the work mostly is. So this thread does it, as
 * long as it is that quick. Nobody may be waiting for the thread to leave the
 * gate then: nothing of the queue is inside.
 */
static bool is_for_here(const struct block_queue *queue,
			const struct block_request *request)
{
	if (queue->inside)
		return false;
	return request->operation == BLOCK_WRITE ||
	       (request->operation == BLOCK_READ && queue->in_flight == 1);
}

static bool do_here(struct block_queue *queue, struct part *part)
{
	uint64_t start;

	if (!is_for_here(queue, part->request) ||
	    !pace_begin(&queue->slow_pace, part->left, &start))
		return false;
	part->result = part_do(part);
	pace_end(&queue->slow_pace, start);
	queue->statistics.at_once++;
	return true;
}

/*
 * The next @length bytes of the request; or all of what has no bytes. Outside
 * the gate, but for host parts that are under way.
 */
static void begin_worker_part(struct block_queue *queue,
			      struct block_request *request, uint64_t length)
{
	struct part *part = part_take(queue, request);

	part->cursor = request->cursor;
	part->disk_offset = request->offset + request->position;
	part->left = length;
	request->position += length;
	if (moves_data(request))
		cursor_skip(&request->cursor, length);
	if (do_here(queue, part))
		part_end(queue, part, part->result);
	else
		part_to_worker(queue, part);
}

/* --- Parts for the host --------------------------------------------------- */

static void part_leave_host(struct block_queue *queue, struct part *part)
{
	file_end(part->file, part_is_write(part), part->host_end, part->pass);
	request_leave_gate(queue, part->request);
}

/* What becomes of a host part after a try, by whomever. */
static void part_go_on(struct block_queue *queue, struct part *part,
		       enum part_state state)
{
	if (state == PART_MORE &&
	    queue->engine->ops->start(queue->engine, part)) {
		queue->statistics.by_engine++;
		return;
	}
	part_leave_host(queue, part);
	if (state == PART_ENDED)
		part_end(queue, part, part->result);
	else
		part_to_worker(queue, part);
}

void request_part_moved(struct block_queue *queue, struct part *part)
{
	part_go_on(queue, part, part_moved(part, part->moved));
}

static void begin_host_part(struct block_queue *queue,
			    struct block_request *request,
			    const struct extent *extent)
{
	bool write = request->operation == BLOCK_WRITE;
	bool eager = queue->in_flight == 1 || !queue->engine->does_io;
	struct part *part = part_take(queue, request);
	enum part_state state;

	part->cursor = request->cursor;
	part->left = extent->length;
	part->disk_offset = request->offset + request->position;
	part->file = extent->image->data;
	part->host_offset = extent->host_offset;
	part->host_end = extent->host_offset + extent->length;
	request->position += extent->length;
	cursor_skip(&request->cursor, extent->length);
	if (!file_begin(part->file, write, part->host_offset, part->left,
			&part->cursor, &part->pass)) {
		part_to_worker(queue, part);
		return;
	}
	request->mapped++;
	state = prompt_try(&queue->prompt, part, eager);
	queue->statistics.at_once += state == PART_ENDED;
	part_go_on(queue, part, state);
}

/* --- A piece of a request ------------------------------------------------- */

static bool is_next_to(const struct extent *a, const struct extent *b)
{
	return b->kind == a->kind && b->image == a->image &&
	       b->host_offset == a->host_offset + a->length &&
	       b->writable_in_place == a->writable_in_place;
}

/* The first extent of a request's next @length bytes, as long as it gets. */
static int next_extent(struct block *block, const struct block_request *request,
		       uint64_t length, struct extent *ret_extent)
{
	uint64_t offset = request->offset + request->position;
	struct extent next;
	int ret;

	/* All of the range has to be right before any of it is touched. */
	ret = block_next(block, offset, request->length - request->position,
			 ret_extent);
	if (ret)
		return ret;
	while (ret_extent->length < length &&
	       ret_extent->kind == BLOCK_EXTENT_DATA) {
		ret = block_next(block, offset + ret_extent->length,
				 length - ret_extent->length, &next);
		if (ret || !is_next_to(ret_extent, &next))
			break;
		ret_extent->length += next.length;
	}
	ret_extent->length = min_u64(ret_extent->length, length);
	return 0;
}

static bool is_for_host(const struct block_request *request,
			const struct extent *extent)
{
	return extent->kind == BLOCK_EXTENT_DATA &&
	       (request->operation == BLOCK_READ || extent->writable_in_place);
}

/* Reads what takes no I/O. False: the extent takes some. */
static bool read_in_place(struct block_request *request,
			  const struct extent *extent)
{
	struct image *image = extent->image;

	if (request->operation != BLOCK_READ)
		return false;
	if (extent->kind == BLOCK_EXTENT_ZERO)
		cursor_zero(&request->cursor, extent->length);
	else if (extent->kind != BLOCK_EXTENT_COMPRESSED ||
		 !image->ops->inflate_known(image,
					    request->offset + request->position,
					    extent->length, &request->cursor))
		return false;
	request->position += extent->length;
	return true;
}

/* As far as the map knows the way, parts are free, and all goes well. */
static void begin_host_parts(struct block_queue *queue,
			     struct block_request *request, uint64_t end)
{
	struct extent extent;
	int ret;

	while (request->position < end && queue->free_parts &&
	       !request->result) {
		ret = next_extent(queue->block, request,
				  end - request->position, &extent);
		if (ret)
			request_note(request, ret);
		else if (is_for_host(request, &extent))
			begin_host_part(queue, request, &extent);
		else if (!read_in_place(request, &extent))
			return;
	}
}

/* Nothing, where the gate is closed. */
static void begin_mapped(struct block_queue *queue,
			 struct block_request *request, uint64_t end)
{
	struct block_pass pass;

	if (!block_begin(queue->block, &pass))
		return;
	request->pass = pass.gate;
	/* One more, so that the pass is not given back in the midst of it. */
	request->mapped = 1;
	queue->inside++;
	begin_host_parts(queue, request, end);
	request_leave_gate(queue, request);
}

void request_begin(struct block_queue *queue, struct block_request *request)
{
	uint64_t end = request->length;

	if (request->number < queue->cancelled_below) {
		request_end(queue, request, -ECANCELED);
		return;
	}
	if (moves_data(request))
		end = min_u64(end, request->position + PIECE_MAX);
	/* One more, so that it does not end while it begins. */
	request->pending = 1;
	request->mapped = 0;
	if (moves_data(request) && end)
		begin_mapped(queue, request, end);
	if (!request->result && queue->free_parts &&
	    (request->position < end || !end))
		begin_worker_part(queue, request, end - request->position);
	request_drop(queue, request);
}

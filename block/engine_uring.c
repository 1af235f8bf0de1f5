/*
 * block/engine_uring.c - reads and writes by an io_uring of the queue's own.
 *
 * All that was started goes to the kernel in one system call, which also brings
 * back what has ended, and sleeps if it is asked to. The files are registered,
 * and so are the queue's two events, which are polled in the same ring: an
 * event need not be read, as each time that it is raised wakes the poll once.
 *
 * The ring is disabled until the queue's thread takes it over, which makes that
 * thread the only one that may use it; and it is restricted to reads, writes
 * and polls of the registered files, so that whoever got hold of it could reach
 * nothing else.
 *
 * A part with several pieces of memory needs an iovec until it is handed over;
 * those are in an array that is used from the start after each system call.
 *
 * Memory that is pinned anyway is registered as well (engine_slabs.h).
 */
#include "block/engine.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "block/engine_slabs.h"

/* What it takes: polls that go on (Linux 5.13), told by what came with them. */
#define FEATURES_NEEDED (IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_RSRC_TAGS)

#define PIECES	   1024 /* as many as the kernel takes in one call */
#define PIECES_MIN 16

/* What completions carry: an event's number, this, or a part's address. */
#define POLL_REMOVED ENGINE_EVENTS

struct engine_uring {
	struct engine engine;
	struct io_uring ring;
	int files[ENGINE_EVENTS + ENGINE_FILES_MAX]; /* as registered */
	unsigned int file_count;
	bool read_only;
	struct slabs slabs;
	unsigned int polls; /* events, by their bits, that are to be polled */
	unsigned int polls_due; /* those of them that are not polled now */
	unsigned int pieces_used;
	struct iovec pieces[PIECES]; /* for what is not handed over yet */
};

static struct engine_uring *engine_uring_of(struct engine *engine)
{
	return (struct engine_uring *)engine;
}

/* --- Making one ----------------------------------------------------------- */

/* The newest first: each spares the thread interruptions by its own I/O. */
static const unsigned int ring_flags[] = {
	IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG |
		IORING_SETUP_SINGLE_ISSUER |
		IORING_SETUP_DEFER_TASKRUN, /* 6.1 */
	IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG |
		IORING_SETUP_COOP_TASKRUN, /* 5.19 */
	0,
};

static int ring_init(struct io_uring *ring, unsigned int depth, struct err *err)
{
	struct io_uring_params params;
	int ret = -EINVAL;

	for (size_t i = 0; i < ARRAY_LENGTH(ring_flags) && ret == -EINVAL;
	     i++) {
		params = (struct io_uring_params){
			.flags = ring_flags[i] | IORING_SETUP_R_DISABLED |
				 IORING_SETUP_CLAMP,
		};
		ret = io_uring_queue_init_params(depth, ring, &params);
	}
	if (ret == -EPERM)
		return err_set(err, EPERM,
			       "io_uring is forbidden here (by the sysctl "
			       "kernel.io_uring_disabled, or a sandbox)");
	if (ret == -ENOSYS)
		return err_set(err, ENOSYS, "this kernel has no io_uring");
	if (ret)
		return err_errno(err, -ret, "cannot make an io_uring");
	if ((params.features & FEATURES_NEEDED) != FEATURES_NEEDED) {
		io_uring_queue_exit(ring);
		return err_set(err, ENOTSUP,
			       "io_uring needs Linux 5.13 at least");
	}
	return 0;
}

/* --- Taking it over ------------------------------------------------------- */

/* liburing 2.3 has functions for these calls in its headers only. */
static int ring_register(struct engine_uring *uring, unsigned int what,
			 const void *argument, unsigned int count)
{
	return io_uring_register((unsigned int)uring->ring.ring_fd, what,
				 argument, count);
}

static int restrict_ring(struct engine_uring *uring)
{
	/* What writes comes last. */
	static const struct io_uring_restriction restrictions[] = {
		{.opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED,
		 .sqe_flags = IOSQE_FIXED_FILE},
		{.opcode = IORING_RESTRICTION_REGISTER_OP,
		 .register_op = IORING_UNREGISTER_FILES},
		{.opcode = IORING_RESTRICTION_REGISTER_OP,
		 .register_op = IORING_UNREGISTER_BUFFERS},
		{.opcode = IORING_RESTRICTION_SQE_OP,
		 .sqe_op = IORING_OP_POLL_ADD},
		{.opcode = IORING_RESTRICTION_SQE_OP,
		 .sqe_op = IORING_OP_POLL_REMOVE},
		{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READ},
		{.opcode = IORING_RESTRICTION_SQE_OP,
		 .sqe_op = IORING_OP_READV},
		{.opcode = IORING_RESTRICTION_SQE_OP,
		 .sqe_op = IORING_OP_READ_FIXED},
		{.opcode = IORING_RESTRICTION_SQE_OP,
		 .sqe_op = IORING_OP_WRITE},
		{.opcode = IORING_RESTRICTION_SQE_OP,
		 .sqe_op = IORING_OP_WRITEV},
		{.opcode = IORING_RESTRICTION_SQE_OP,
		 .sqe_op = IORING_OP_WRITE_FIXED},
	};
	unsigned int count = ARRAY_LENGTH(restrictions);

	return ring_register(uring, IORING_REGISTER_RESTRICTIONS, restrictions,
			     uring->read_only ? count - 3 : count);
}

static int engine_uring_enable(struct engine *engine,
			       const int events[ENGINE_EVENTS])
{
	struct engine_uring *uring = engine_uring_of(engine);
	int ret;

	for (unsigned int i = 0; i < ENGINE_EVENTS; i++) {
		uring->files[i] = events[i];
		if (events[i] >= 0)
			uring->polls |= 1U << i;
	}
	uring->polls_due = uring->polls;
	ret = io_uring_register_files(&uring->ring, uring->files,
				      uring->file_count);
	if (!ret)
		ret = restrict_ring(uring);
	if (ret)
		return ret;
	slabs_register(&uring->slabs, &uring->ring);
	/* Saves a look-up per system call; older kernels have no such thing. */
	io_uring_register_ring_fd(&uring->ring);
	return ring_register(uring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

/* --- Its use -------------------------------------------------------------- */

/* Interrupted or not, what was not handed over stays for the next time. */
static void submit(struct engine_uring *uring, unsigned int wait_for)
{
	io_uring_submit_and_wait(&uring->ring, wait_for);
	if (!io_uring_sq_ready(&uring->ring))
		uring->pieces_used = 0;
}

/* With room for some pieces; NULL: the kernel takes nothing now. */
static struct io_uring_sqe *get_sqe(struct engine_uring *uring)
{
	if (PIECES - uring->pieces_used < PIECES_MIN ||
	    !io_uring_sq_space_left(&uring->ring))
		submit(uring, 0);
	if (PIECES - uring->pieces_used < PIECES_MIN)
		return NULL;
	return io_uring_get_sqe(&uring->ring);
}

static void prepare(struct engine_uring *uring, struct io_uring_sqe *sqe,
		    const struct part *part)
{
	struct iovec *pieces = &uring->pieces[uring->pieces_used];
	int file = (int)(ENGINE_EVENTS + part->file->number);
	struct cursor cursor = part->cursor;
	unsigned int count;
	uint64_t bytes;
	int slab;

	count = (unsigned int)cursor_take(&cursor, part->left, pieces,
					  PIECES - uring->pieces_used, &bytes);
	if (count > 1) {
		uring->pieces_used += count;
		if (part_is_write(part))
			io_uring_prep_writev(sqe, file, pieces, count,
					     part->host_offset);
		else
			io_uring_prep_readv(sqe, file, pieces, count,
					    part->host_offset);
		return;
	}
	/* One piece goes without an iovec, which is quicker. */
	if (part_is_write(part))
		io_uring_prep_write(sqe, file, pieces->iov_base,
				    (unsigned int)bytes, part->host_offset);
	else
		io_uring_prep_read(sqe, file, pieces->iov_base,
				   (unsigned int)bytes, part->host_offset);
	slab = slabs_find(&uring->slabs, pieces);
	if (slab < 0)
		return;
	sqe->opcode = part_is_write(part) ? IORING_OP_WRITE_FIXED
					  : IORING_OP_READ_FIXED;
	sqe->buf_index = (uint16_t)slab;
}

static bool engine_uring_start(struct engine *engine, struct part *part)
{
	struct engine_uring *uring = engine_uring_of(engine);
	struct io_uring_sqe *sqe;

	if (part->file->number >= uring->file_count - ENGINE_EVENTS)
		return false;
	sqe = get_sqe(uring);
	if (!sqe)
		return false;
	prepare(uring, sqe, part);
	io_uring_sqe_set_data(sqe, part);
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	return true;
}

static void poll_events(struct engine_uring *uring)
{
	struct io_uring_sqe *sqe;

	for (unsigned int i = 0; i < ENGINE_EVENTS; i++) {
		if (!(uring->polls_due & 1U << i))
			continue;
		sqe = get_sqe(uring);
		if (!sqe)
			return;
		io_uring_prep_poll_multishot(sqe, (int)i, POLLIN);
		io_uring_sqe_set_data64(sqe, i);
		io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
		uring->polls_due &= ~(1U << i);
	}
}

/* A pointer is never as small as the other two. */
static void take_completion(struct engine_uring *uring,
			    const struct io_uring_cqe *cqe,
			    struct part_list *back)
{
	struct part *part = (struct part *)(uintptr_t)cqe->user_data;

	if (cqe->user_data > POLL_REMOVED) {
		part->moved = cqe->res;
		part_list_append(back, part);
	} else if (cqe->user_data < ENGINE_EVENTS &&
		   !(cqe->flags & IORING_CQE_F_MORE)) {
		uring->polls_due |= 1U << cqe->user_data;
	}
}

static void take_completions(struct engine_uring *uring, struct part_list *back)
{
	struct io_uring_cqe *cqe;
	unsigned int head, count = 0;

	io_uring_for_each_cqe(&uring->ring, head, cqe)
	{
		take_completion(uring, cqe, back);
		count++;
	}
	io_uring_cq_advance(&uring->ring, count);
}

static void engine_uring_run(struct engine *engine, bool wait,
			     struct part_list *back)
{
	struct engine_uring *uring = engine_uring_of(engine);

	if (uring->polls_due)
		poll_events(uring);
	submit(uring, wait);
	take_completions(uring, back);
}

/* --- Its end -------------------------------------------------------------- */

static void remove_polls(struct engine_uring *uring)
{
	unsigned int going = uring->polls & ~uring->polls_due;
	struct io_uring_sqe *sqe;

	for (unsigned int i = 0; i < ENGINE_EVENTS; i++) {
		if (!(going & 1U << i))
			continue;
		sqe = get_sqe(uring);
		if (!sqe)
			return;
		io_uring_prep_poll_remove(sqe, i);
		io_uring_sqe_set_data64(sqe, POLL_REMOVED);
		io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	}
}

/*
 * No part is under way any more. A poll that was woken just now is not removed
 * (EALREADY), but has to be asked again. Gives up where the kernel refuses.
 */
static void end_polls(struct engine_uring *uring)
{
	struct part_list none;
	int ret = 0;

	part_list_init(&none);
	while (uring->polls_due != uring->polls &&
	       (ret >= 0 || ret == -EINTR)) {
		remove_polls(uring);
		ret = io_uring_submit_and_wait(&uring->ring, 1);
		take_completions(uring, &none);
	}
}

/*
 * The kernel takes the ring apart later; what is registered is let go of now,
 * if this is the ring's thread. Linux 6.1 waits for all that uses it: a poll
 * would keep it waiting for good.
 */
static void engine_uring_free(struct engine *engine)
{
	struct engine_uring *uring = engine_uring_of(engine);

	end_polls(uring);
	io_uring_unregister_buffers(&uring->ring);
	io_uring_unregister_files(&uring->ring);
	io_uring_queue_exit(&uring->ring);
	free(uring);
}

static const struct engine_ops engine_uring_ops = {
	.enable = engine_uring_enable,
	.start = engine_uring_start,
	.run = engine_uring_run,
	.free = engine_uring_free,
};

int engine_uring_new(const struct engine_options *options,
		     struct engine **ret_engine, struct err *err)
{
	struct engine_uring *uring = calloc(1, sizeof(*uring));
	int ret;

	if (!uring)
		return err_set(err, ENOMEM, "out of memory");
	ret = ring_init(&uring->ring, options->depth, err);
	if (ret) {
		free(uring);
		return ret;
	}
	uring->engine.ops = &engine_uring_ops;
	uring->engine.name = "io_uring";
	uring->engine.does_io = true;
	uring->read_only = options->read_only;
	uring->file_count = ENGINE_EVENTS;
	for (size_t i = 0; i < options->file_count; i++)
		uring->files[uring->file_count++] = options->files[i]->fd;
	slabs_init(&uring->slabs, options->pinned, options->pinned_count);
	*ret_engine = &uring->engine;
	return 0;
}

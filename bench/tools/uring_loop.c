/*
 * bench/tools/uring_loop.c - an io_uring that is kept full: what a request at
 * depth N costs where nothing lies between a program and its file. One call
 * submits all that there is and waits for the first answer; the file is
 * registered, the buffers are not (a guest's memory is not, either). The
 * options: walk.h.
 */
#include <errno.h>
#include <liburing.h>
#include <stdint.h>
#include <stdlib.h>

#include "walk.h"

struct loop {
	struct walk walk;
	struct io_uring ring;
	char *buffers; /* one for each under way */
	uint64_t sent, done;
};

static void setup(struct loop *loop)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN,
	};
	unsigned int depth = (unsigned int)loop->walk.depth;
	int ret = io_uring_queue_init_params(depth, &loop->ring, &params);

	if (!ret)
		ret = io_uring_register_files(&loop->ring, &loop->walk.fd, 1);
	if (ret) {
		errno = -ret;
		walk_fail("io_uring");
	}
	loop->buffers = walk_buffers(&loop->walk, depth);
}

/* In the place (and with the buffer) of one that is done. */
static void offer(struct loop *loop, uint64_t place)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);
	unsigned int size = (unsigned int)loop->walk.size;
	char *buffer = loop->buffers + place * size;
	uint64_t offset = walk_next(&loop->walk);

	if (loop->walk.write)
		io_uring_prep_write(sqe, 0, buffer, size, offset);
	else
		io_uring_prep_read(sqe, 0, buffer, size, offset);
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = place;
	loop->sent++;
}

static void collect(struct loop *loop)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0;

	io_uring_for_each_cqe(&loop->ring, head, cqe)
	{
		if (cqe->res != (int)loop->walk.size) {
			errno = -cqe->res;
			walk_fail("request");
		}
		seen++;
		if (loop->sent < loop->walk.count)
			offer(loop, cqe->user_data);
	}
	io_uring_cq_advance(&loop->ring, seen);
	loop->done += seen;
}

int main(int argc, char **argv)
{
	struct loop loop = {0};

	walk_init(&loop.walk, argc, argv);
	setup(&loop);
	while (loop.sent < loop.walk.depth && loop.sent < loop.walk.count)
		offer(&loop, loop.sent);
	while (loop.done < loop.walk.count) {
		int ret = io_uring_submit_and_wait(&loop.ring, 1);

		if (ret < 0 && ret != -EINTR) {
			errno = -ret;
			walk_fail("io_uring_enter");
		}
		collect(&loop);
	}
	return 0;
}

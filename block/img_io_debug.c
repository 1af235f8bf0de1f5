/* block/img_io_debug.c - breakpoints; see img_blkdebug.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "block/img_io.h"

static int failed(const char *what, int ret)
{
	printf("%s: %s\n", what, strerror(-ret));
	return ret;
}

int io_break(struct io *io, int argc, char **argv)
{
	int ret = -ENOTSUP;

	(void)argc;
	if (io->disk.blkdebug)
		ret = img_blkdebug_break(io->disk.blkdebug, argv[1], argv[2]);
	return ret ? failed("Could not set a breakpoint", ret) : 0;
}

int io_remove_break(struct io *io, int argc, char **argv)
{
	int ret = -ENOTSUP;

	(void)argc;
	if (io->disk.blkdebug)
		ret = img_blkdebug_remove(io->disk.blkdebug, argv[1]);
	return ret ? failed("Could not remove a breakpoint", ret) : 0;
}

int io_resume(struct io *io, int argc, char **argv)
{
	int ret = -ENOTSUP;

	(void)argc;
	if (io->disk.blkdebug)
		ret = img_blkdebug_resume(io->disk.blkdebug, argv[1]);
	return ret ? failed("Could not resume request", ret) : 0;
}

int io_wait_break(struct io *io, int argc, char **argv)
{
	int ret = -ENOTSUP;

	(void)argc;
	/* Without a request under way none is going to get there. */
	if (io->disk.blkdebug && io->pending_count)
		ret = img_blkdebug_wait(io->disk.blkdebug, argv[1]);
	return ret ? failed("Could not wait for a breakpoint", ret) : 0;
}

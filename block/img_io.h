/*
 * block/img_io.h - `alcor img io`: qemu-io's commands, for tests.
 * Private to block/img_io*.c.
 *
 * Reading order: img_io.c runs the commands, img_io_open.c opens and closes,
 * img_io_rw.c has the commands that read and write, img_io_file.c those that
 * tell of the open file, img_io_debug.c those for breakpoints,
 * img_io_request.c does a request and reports it.
 */
#ifndef BLOCK_IMG_IO_H
#define BLOCK_IMG_IO_H

#include <pthread.h>
#include <time.h>

#include "block/img_disk.h"

/* What one request may ask for, QEMU's limit. */
#define IO_LENGTH_MAX 2147483136ULL

#define IO_PENDING_MAX 64

enum io_kind { IO_READ, IO_WRITE, IO_WRITE_ZEROES, IO_DISCARD };

/* A read or write, as it was typed. Freed by io_request_free(). */
struct io_request {
	struct img_disk *disk;
	enum io_kind kind;
	const char *word; /* "read failed: ..." */
	uint64_t offset;
	uint64_t length;
	uint8_t *data; /* IO_READ, IO_WRITE; owned */

	bool quiet;
	bool csv;
	bool dump;
	bool vm_state;
	bool flush_after; /* if it writes */
	bool may_unmap;
	bool compress;
	bool copy_on_read;

	bool check; /* what was read, against a pattern */
	uint8_t pattern;
	uint64_t check_offset; /* in data */
	uint64_t check_length;

	int error; /* of the I/O */
	struct timespec start;
	struct timespec end;
	pthread_t thread; /* of an asynchronous one */
};

/* The state between commands. */
struct io {
	struct img_disk disk;
	bool is_open;
	struct img_open how; /* the file was opened */
	char *path;	     /* owned; how.path, may be NULL */
	char *options;	     /* owned; how.options, may be NULL */
	bool copy_on_read;
	bool quit;
	struct io_request *pending[IO_PENDING_MAX];
	size_t pending_count;
};

struct io_command {
	const char *name;
	const char *short_name; /* or NULL */
	int args_min;
	int args_max; /* -1: any number */
	bool needs_file;
	bool needs_write;
	const char *args;
	const char *oneline;
	/* 0, or -errno with all said; @argv[0] is the command's name. */
	int (*run)(struct io *io, int argc, char **argv);
};

extern const struct io_command io_commands[];
extern const size_t io_command_count;

/* Prints how a command is used; -EINVAL. */
int io_usage(const char *name);

/* A size; if it is none: tells, -EINVAL. */
int io_parse_size(const char *text, uint64_t *ret_bytes);

/* Opens what io->how, io->path and io->options say; tells if that fails. */
int io_open(struct io *io);
/* Waits for pending requests, too. */
int io_close(struct io *io);

/* NULL: out of memory. */
struct io_request *io_request_new(struct io *io, enum io_kind kind,
				  const char *word);
void io_request_free(struct io_request *request);

/* Does the I/O; any thread. */
void io_request_run(struct io_request *request);

/* Prints how it went; -errno if it failed, or its data was not as expected. */
int io_request_report(const struct io_request *request);

/* Starts it in a thread of its own; it belongs to io->pending then. */
int io_request_start(struct io *io, struct io_request *request);

/* Waits for all that were started, and reports them in that order. */
void io_wait_pending(struct io *io);

/* The commands' functions. */
int io_read(struct io *io, int argc, char **argv);
int io_readv(struct io *io, int argc, char **argv);
int io_write(struct io *io, int argc, char **argv);
int io_writev(struct io *io, int argc, char **argv);
int io_aio_read(struct io *io, int argc, char **argv);
int io_aio_write(struct io *io, int argc, char **argv);
int io_discard(struct io *io, int argc, char **argv);
int io_aio_flush(struct io *io, int argc, char **argv);
int io_flush(struct io *io, int argc, char **argv);
int io_open_command(struct io *io, int argc, char **argv);
int io_close_command(struct io *io, int argc, char **argv);
int io_reopen(struct io *io, int argc, char **argv);
int io_info(struct io *io, int argc, char **argv);
int io_length(struct io *io, int argc, char **argv);
int io_truncate(struct io *io, int argc, char **argv);
int io_map(struct io *io, int argc, char **argv);
int io_alloc(struct io *io, int argc, char **argv);
int io_break(struct io *io, int argc, char **argv);
int io_remove_break(struct io *io, int argc, char **argv);
int io_resume(struct io *io, int argc, char **argv);
int io_wait_break(struct io *io, int argc, char **argv);

#endif

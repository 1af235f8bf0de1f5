/*
 * block/img_io_rw.c - the commands that read and write; see img_io.h.
 *
 * What a command may say is in its letters for getopt(3), whose own messages
 * qemu-io prints, too.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/math.h"
#include "block/img_command.h"
#include "block/img_io.h"

#define PATTERN_WRITE 0xcd
#define PATTERN_READ  0xab

/* The letters that were typed; texts are NULL where they were not. */
struct typed {
	bool letters[128];
	const char *pattern;
	const char *s; /* -s: an offset, or a file */
	const char *l;
	int operands; /* index of the first in argv */
};

static int parse_letters(struct typed *typed, int argc, char **argv,
			 const char *letters)
{
	int letter;

	*typed = (struct typed){0};
	optind = 0; /* glibc: begin anew */
	opterr = 1;
	while ((letter = getopt(argc, argv, letters)) != -1) {
		if (letter == '?')
			return io_usage(argv[0]);
		typed->letters[letter] = true;
		if (letter == 'P')
			typed->pattern = optarg;
		if (letter == 's')
			typed->s = optarg;
		if (letter == 'l')
			typed->l = optarg;
	}
	typed->operands = optind;
	return 0;
}

static int parse_pattern(const char *text, uint8_t *ret_pattern)
{
	char *end;
	unsigned long value = strtoul(text, &end, 0);

	if (end == text || *end || value > 0xff) {
		printf("%s is not a valid pattern byte\n", text);
		return -EINVAL;
	}
	*ret_pattern = (uint8_t)value;
	return 0;
}

/* Offset and one length. */
static int parse_range(struct io_request *request, char **operands)
{
	int ret = io_parse_size(operands[0], &request->offset);

	if (!ret)
		ret = io_parse_size(operands[1], &request->length);
	if (!ret && request->length > IO_LENGTH_MAX) {
		printf("length cannot exceed %llu, given %s\n", IO_LENGTH_MAX,
		       operands[1]);
		ret = -EINVAL;
	}
	return ret;
}

/* Offset and any number of lengths, which add up. */
static int parse_vector(struct io_request *request, char **operands)
{
	uint64_t length;
	int ret = io_parse_size(operands[0], &request->offset);

	for (operands++; *operands && !ret; operands++) {
		ret = io_parse_size(*operands, &length);
		if (!ret && request->length + length > IO_LENGTH_MAX) {
			printf("Argument '%s' exceeds maximum size %llu\n",
			       *operands, IO_LENGTH_MAX);
			ret = -EINVAL;
		}
		request->length += length;
	}
	return ret;
}

static int make_data(struct io_request *request, uint8_t fill)
{
	request->data = malloc(max_u64(request->length, 1));
	if (!request->data) {
		img_error("out of memory");
		return -ENOMEM;
	}
	memset(request->data, fill, request->length);
	return 0;
}

static void set_flags(struct io_request *request, const struct typed *typed)
{
	request->quiet = typed->letters['q'];
	request->csv = typed->letters['C'];
	request->dump = typed->letters['v'];
	request->vm_state = typed->letters['b'];
	request->flush_after |= typed->letters['f'];
	request->may_unmap = typed->letters['u'];
	request->compress = typed->letters['c'];
}

/* What comes now would wait for it, and nobody could resume it. */
static int check_nobody_waits(const struct io_request *request)
{
	if (!request->disk->blkdebug ||
	    !img_blkdebug_is_waiting(request->disk->blkdebug))
		return 0;
	printf("%s failed: a request waits at a breakpoint\n", request->word);
	return -EBUSY;
}

/* Runs a request, or gives it up if it could not be made. */
static int run(struct io_request *request, int ret)
{
	if (!ret)
		ret = check_nobody_waits(request);
	if (!ret) {
		io_request_run(request);
		ret = io_request_report(request);
	}
	io_request_free(request);
	return ret;
}

static int start(struct io *io, struct io_request *request, int ret)
{
	if (!ret)
		return io_request_start(io, request);
	io_request_free(request);
	return ret;
}

/* --- Reads ---------------------------------------------------------------- */

static int set_read_pattern(struct io_request *request,
			    const struct typed *typed)
{
	uint8_t fill = PATTERN_READ;
	int ret = 0;

	request->check = typed->pattern;
	request->check_length = request->length;
	if (request->check)
		ret = parse_pattern(typed->pattern, &request->pattern);
	return ret ? ret : make_data(request, fill);
}

/* The part of what is read that the pattern is for. */
static int set_check_range(struct io_request *request,
			   const struct typed *typed)
{
	uint64_t *offset = &request->check_offset;
	int ret = 0;

	if (typed->s)
		ret = io_parse_size(typed->s, offset);
	request->check_length = request->length -
				min_u64(*offset, request->length);
	if (!ret && typed->l)
		ret = io_parse_size(typed->l, &request->check_length);
	if (ret)
		return ret;
	if (!range_fits(*offset, request->check_length, request->length)) {
		printf("pattern verification range exceeds end of read data\n");
		return -EINVAL;
	}
	return 0;
}

int io_read(struct io *io, int argc, char **argv)
{
	struct io_request *request;
	struct typed typed;
	int ret = parse_letters(&typed, argc, argv, "bCl:pP:qs:v");

	if (ret)
		return ret;
	if (argc - typed.operands != 2 ||
	    (!typed.pattern && (typed.s || typed.l)))
		return io_usage(argv[0]);
	request = io_request_new(io, IO_READ, "read");
	if (!request)
		return -ENOMEM;
	set_flags(request, &typed);
	ret = parse_range(request, argv + typed.operands);
	if (!ret)
		ret = set_read_pattern(request, &typed);
	if (!ret)
		ret = set_check_range(request, &typed);
	return run(request, ret);
}

static int make_vector_read(struct io *io, int argc, char **argv,
			    struct io_request **ret_request)
{
	struct typed typed;
	int ret = parse_letters(&typed, argc, argv, "CiP:qv");

	if (ret)
		return ret;
	if (argc - typed.operands < 2)
		return io_usage(argv[0]);
	*ret_request = io_request_new(io, IO_READ, "readv");
	if (!*ret_request)
		return -ENOMEM;
	set_flags(*ret_request, &typed);
	ret = parse_vector(*ret_request, argv + typed.operands);
	return ret ? ret : set_read_pattern(*ret_request, &typed);
}

int io_readv(struct io *io, int argc, char **argv)
{
	struct io_request *request = NULL;
	int ret = make_vector_read(io, argc, argv, &request);

	return run(request, ret);
}

int io_aio_read(struct io *io, int argc, char **argv)
{
	struct io_request *request = NULL;
	int ret = make_vector_read(io, argc, argv, &request);

	return start(io, request, ret);
}

/* --- Writes --------------------------------------------------------------- */

/* The file's bytes over and over. */
static int fill_from_file(struct io_request *request, const char *path)
{
	FILE *file = fopen(path, "re");
	size_t used = 0, count;

	if (!file) {
		fflush(stdout);
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -EINVAL;
	}
	count = fread(request->data, 1, request->length, file);
	fclose(file);
	if (!count && request->length) {
		printf("%s: file is empty\n", path);
		return -EINVAL;
	}
	for (used = count; used < request->length; used++)
		request->data[used] = request->data[used - count];
	return 0;
}

static int set_write_data(struct io_request *request, const struct typed *typed)
{
	uint8_t pattern = PATTERN_WRITE;
	int ret = 0;

	if (request->kind != IO_WRITE)
		return 0;
	if (typed->pattern)
		ret = parse_pattern(typed->pattern, &pattern);
	if (!ret)
		ret = make_data(request, pattern);
	if (!ret && typed->s)
		ret = fill_from_file(request, typed->s);
	return ret;
}

static int refuse(const char *sentence)
{
	printf("%s\n", sentence);
	return -EINVAL;
}

/* Letters that do not go together. */
static int check_letters(const struct typed *typed)
{
	bool zero = typed->letters['z'];

	if (typed->letters['b'] && zero)
		return refuse("-b and -z cannot be specified at the same time");
	if (typed->letters['c'] && zero)
		return refuse("-c and -z cannot be specified at the same time");
	if (typed->letters['n'] && !zero)
		return refuse("-n requires -z to be specified");
	if (typed->letters['u'] && !zero)
		return refuse("-u requires -z to be specified");
	if (zero + !!typed->pattern + !!typed->s > 1)
		return refuse("Only one of -z, -P, and -s can be specified at "
			      "the same time");
	return 0;
}

static int check_sectors(const struct io_request *request)
{
	if (!request->compress && !request->vm_state)
		return 0;
	if (!is_aligned(request->offset, BLOCK_SECTOR)) {
		printf("%" PRIu64 " is not a sector-aligned value for "
		       "'offset'\n",
		       request->offset);
		return -EINVAL;
	}
	if (!is_aligned(request->length, BLOCK_SECTOR)) {
		printf("%" PRIu64 " is not a sector-aligned value for "
		       "'count'\n",
		       request->length);
		return -EINVAL;
	}
	return 0;
}

static enum io_kind write_kind(const struct typed *typed)
{
	return typed->letters['z'] ? IO_WRITE_ZEROES : IO_WRITE;
}

int io_write(struct io *io, int argc, char **argv)
{
	struct io_request *request;
	struct typed typed;
	int ret = parse_letters(&typed, argc, argv, "bcCfnpP:qs:uz");

	if (ret)
		return ret;
	if (argc - typed.operands != 2)
		return io_usage(argv[0]);
	ret = check_letters(&typed);
	if (ret)
		return ret;
	request = io_request_new(io, write_kind(&typed), "write");
	if (!request)
		return -ENOMEM;
	set_flags(request, &typed);
	ret = parse_range(request, argv + typed.operands);
	if (!ret)
		ret = check_sectors(request);
	if (!ret)
		ret = set_write_data(request, &typed);
	return run(request, ret);
}

static int make_vector_write(struct io *io, int argc, char **argv,
			     const char *letters, const char *word,
			     struct io_request **ret_request)
{
	struct typed typed;
	int ret = parse_letters(&typed, argc, argv, letters);

	if (ret)
		return ret;
	if (argc - typed.operands < 2)
		return io_usage(argv[0]);
	if (typed.letters['z'] && argc - typed.operands != 2)
		return refuse("-z supports only a single length parameter");
	if (typed.letters['u'] && !typed.letters['z'])
		return refuse("-u requires -z to be specified");
	*ret_request = io_request_new(io, write_kind(&typed), word);
	if (!*ret_request)
		return -ENOMEM;
	set_flags(*ret_request, &typed);
	ret = parse_vector(*ret_request, argv + typed.operands);
	return ret ? ret : set_write_data(*ret_request, &typed);
}

int io_writev(struct io *io, int argc, char **argv)
{
	struct io_request *request = NULL;
	int ret = make_vector_write(io, argc, argv, "CfqP:", "writev",
				    &request);

	return run(request, ret);
}

int io_aio_write(struct io *io, int argc, char **argv)
{
	struct io_request *request = NULL;
	int ret = make_vector_write(io, argc, argv, "CfiP:quz", "aio_write",
				    &request);

	return start(io, request, ret);
}

int io_discard(struct io *io, int argc, char **argv)
{
	struct io_request *request;
	struct typed typed;
	int ret = parse_letters(&typed, argc, argv, "Cq");

	if (ret)
		return ret;
	if (argc - typed.operands != 2)
		return io_usage(argv[0]);
	request = io_request_new(io, IO_DISCARD, "discard");
	if (!request)
		return -ENOMEM;
	set_flags(request, &typed);
	return run(request, parse_range(request, argv + typed.operands));
}

int io_aio_flush(struct io *io, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	io_wait_pending(io);
	return 0;
}

int io_flush(struct io *io, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return block_flush(io->disk.block);
}

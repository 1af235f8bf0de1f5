/*
 * block/img_io.c - `alcor img io`: runs qemu-io's commands; see img_io.h.
 *
 * Commands come from -c options or, without any, from standard input. A
 * command that fails does not end the others; the exit status tells.
 */
#include "block/img_io.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "base/parse.h"
#include "block/img_command.h"
#include "block/img_size.h"

#define LINE_MAX_BYTES 4096
#define WORDS_MAX      64

static int io_quit(struct io *io, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	io->quit = true;
	return 0;
}

/* Milliseconds. */
static int io_sleep(struct io *io, int argc, char **argv)
{
	struct timespec time;
	uint64_t ms;

	(void)io;
	(void)argc;
	if (!parse_number(argv[1], UINT32_MAX, &ms)) {
		printf("%s is not a valid number\n", argv[1]);
		return -EINVAL;
	}
	time.tv_sec = (time_t)(ms / 1000);
	time.tv_nsec = (long)(ms % 1000) * 1000000;
	while (nanosleep(&time, &time) < 0 && errno == EINTR)
		;
	return 0;
}

static int io_abort(struct io *io, int argc, char **argv)
{
	(void)io;
	(void)argc;
	(void)argv;
	abort();
}

/* So that a test can see what a kill at this point leaves behind. */
static int io_sigraise(struct io *io, int argc, char **argv)
{
	uint64_t number;
	int ret = io_parse_size(argv[1], &number);

	(void)io;
	(void)argc;
	if (ret || number > INT32_MAX)
		return -EINVAL;
	fflush(stdout);
	fflush(stderr);
	raise((int)number);
	return 0;
}

static int io_help(struct io *io, int argc, char **argv);

const struct io_command io_commands[] = {
	{"abort", NULL, 0, 0, false, false, NULL,
	 "simulate a program crash using abort(3)", io_abort},
	{"aio_flush", NULL, 0, 0, false, false, NULL,
	 "completes all outstanding aio requests", io_aio_flush},
	{"aio_read", NULL, 2, -1, true, false,
	 "[-Ciqv] [-P pattern] off len [len..]",
	 "asynchronously reads a number of bytes", io_aio_read},
	{"aio_write", NULL, 2, -1, true, true,
	 "[-Cfiquz] [-P pattern] off len [len..]",
	 "asynchronously writes a number of bytes", io_aio_write},
	{"alloc", NULL, 1, 2, true, false, "offset [count]",
	 "checks if offset is allocated in the file", io_alloc},
	{"break", NULL, 2, 2, true, false, "event tag",
	 "lets the next request at that event wait, as blkdebug", io_break},
	{"close", NULL, 0, 0, false, false, NULL, "close the current open file",
	 io_close_command},
	{"discard", "d", 2, -1, true, true, "[-Cq] off len",
	 "discards a number of bytes at a specified offset", io_discard},
	{"flush", "f", 0, 0, true, false, NULL,
	 "flush all in-core file state to disk", io_flush},
	{"help", "?", 0, 1, false, false, "[command]",
	 "help for one or all commands", io_help},
	{"info", "i", 0, 0, true, false, NULL,
	 "prints information about the current file", io_info},
	{"length", "l", 0, 0, true, false, NULL,
	 "gets the length of the current file", io_length},
	{"map", NULL, 0, 1, true, false, "",
	 "prints the allocated areas of a file", io_map},
	{"open", "o", 1, -1, false, false,
	 "[-rsCnkU] [-t cache] [-d discard] [-o options] [path]",
	 "open the file specified by path", io_open_command},
	{"quit", "q", 0, 0, false, false, NULL, "exit the program", io_quit},
	{"read", "r", 2, -1, true, false,
	 "[-abCqv] [-P pattern [-s off] [-l len]] off len",
	 "reads a number of bytes at a specified offset", io_read},
	{"readv", NULL, 2, -1, true, false,
	 "[-Cqv] [-P pattern] off len [len..]",
	 "reads a number of bytes at a specified offset", io_readv},
	{"remove_break", NULL, 1, 1, true, false, "tag",
	 "removes breakpoints by their tag", io_remove_break},
	{"reopen", NULL, 0, -1, true, false,
	 "[(-r|-w)] [-c cache] [-o options]",
	 "reopens an image with new options", io_reopen},
	{"resume", NULL, 1, 1, true, false, "tag",
	 "lets the request that waits with that tag go on", io_resume},
	{"sigraise", NULL, 1, 1, false, false, "signal", "raises a signal",
	 io_sigraise},
	{"sleep", NULL, 1, 1, false, false, NULL,
	 "waits for the given value in milliseconds", io_sleep},
	{"truncate", "t", 1, 3, true, true, "[-m prealloc_mode] off",
	 "truncates the current file at the given offset", io_truncate},
	{"wait_break", NULL, 1, 1, true, false, "tag",
	 "waits until a request waits with that tag", io_wait_break},
	{"write", "w", 2, -1, true, true,
	 "[-bcCfnquz] [-P pattern | -s source_file] off len",
	 "writes a number of bytes at a specified offset", io_write},
	{"writev", NULL, 2, -1, true, true,
	 "[-Cfq] [-P pattern] off len [len..]",
	 "writes a number of bytes at a specified offset", io_writev},
};

const size_t io_command_count = ARRAY_LENGTH(io_commands);

static const struct io_command *find_command(const char *word)
{
	for (size_t i = 0; i < io_command_count; i++)
		if (!strcmp(word, io_commands[i].name) ||
		    (io_commands[i].short_name &&
		     !strcmp(word, io_commands[i].short_name)))
			return &io_commands[i];
	return NULL;
}

static void print_usage(const struct io_command *command)
{
	printf("%s", command->name);
	if (command->args)
		printf(" %s", command->args);
	printf(" -- %s\n", command->oneline);
}

int io_usage(const char *name)
{
	print_usage(find_command(name));
	return -EINVAL;
}

int io_parse_size(const char *text, uint64_t *ret_bytes)
{
	if (img_size_parse(text, ret_bytes))
		return 0;
	if (strspn(text, "0123456789") == strlen(text) && *text)
		printf("Parsing error: argument too large -- %s\n", text);
	else
		printf("Parsing error: non-numeric argument, or "
		       "extraneous/unrecognized suffix -- %s\n",
		       text);
	return -EINVAL;
}

static int io_help(struct io *io, int argc, char **argv)
{
	const struct io_command *command;

	(void)io;
	if (argc == 1) {
		for (size_t i = 0; i < io_command_count; i++)
			print_usage(&io_commands[i]);
		printf("\nUse 'help commandname' for extended help.\n");
		return 0;
	}
	command = find_command(argv[1]);
	if (command)
		print_usage(command);
	else
		printf("command %s not found\n", argv[1]);
	return 0;
}

/* --- Running -------------------------------------------------------------- */

/* On standard error, but behind what was printed so far. */
__attribute__((format(printf, 1, 2))) static int complain(const char *format,
							  ...)
{
	va_list args;

	fflush(stdout);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	return -EINVAL;
}

static int check_count(const struct io_command *command, int count)
{
	int min = command->args_min, max = command->args_max;

	if (count >= min && (max < 0 || count <= max))
		return 0;
	if (max < 0)
		return complain("bad argument count %d to %s, expected at "
				"least %d arguments\n",
				count, command->name, min);
	if (min == max)
		return complain("bad argument count %d to %s, expected %d "
				"arguments\n",
				count, command->name, min);
	return complain("bad argument count %d to %s, expected between %d "
			"and %d arguments\n",
			count, command->name, min, max);
}

static int run_words(struct io *io, int count, char **words)
{
	const struct io_command *command = find_command(words[0]);
	int ret;

	if (!command)
		return complain("command \"%s\" not found\n", words[0]);
	if (command->needs_file && !io->is_open)
		return complain("no file open, try 'help open'\n");
	ret = check_count(command, count - 1);
	if (ret)
		return ret;
	if (command->needs_write && block_is_read_only(io->disk.block)) {
		img_error("Block node is read-only");
		return -EROFS;
	}
	/* The name in full, for getopt(3)'s messages. */
	words[0] = (char *)command->name;
	return command->run(io, count, words);
}

static int run_line(struct io *io, const char *line)
{
	char *words[WORDS_MAX + 1] = {NULL}, *rest, *word, *copy = strdup(line);
	int count = 0, ret = 0;

	if (!copy)
		return -ENOMEM;
	for (word = strtok_r(copy, " \t\n", &rest); word && count < WORDS_MAX;
	     word = strtok_r(NULL, " \t\n", &rest))
		words[count++] = word;
	if (count)
		ret = run_words(io, count, words);
	free(copy);
	return ret;
}

static int run_input(struct io *io)
{
	char line[LINE_MAX_BYTES];
	int ret = 0;

	while (!io->quit) {
		printf("qemu-io> ");
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			break;
		if (run_line(io, line))
			ret = -EIO;
	}
	return ret;
}

static int run_commands(struct io *io, const struct img_args *args)
{
	int ret = 0;

	for (size_t i = 0; i < args->given_count && !io->quit; i++)
		if (args->given[i].id == 'c' &&
		    run_line(io, args->given[i].value))
			ret = -EIO;
	return ret;
}

/* --- The command line ----------------------------------------------------- */

static const struct img_option options[] = {
	{'h', "help", false},
	{IMG_OPTION_OBJECT, "object", true},
	{IMG_OPTION_DESCRIBED, "image-opts", false},
	{IMG_OPTION_BACKING, "backing", true},
	{IMG_OPTION_DATA_FILE, "data-file", true},
	{'c', "cmd", true},
	{'f', "format", true},
	{'r', "read-only", false},
	{'s', "snapshot", false},
	{'n', "nocache", false},
	{'C', "copy-on-read", false},
	{'U', "force-share", false},
	{'t', "cache", true},
	/* Of no meaning here: how requests are made is not QEMU's way. */
	{'d', "discard", true},
	{'i', "aio", true},
	{'k', "native-aio", false},
	{'m', "misalign", false},
	{0},
};

static int open_first(struct io *io, const struct img_args *args)
{
	const char *cache = img_args_value(args, 't');
	struct err err;

	if (!args->operand_count)
		return 0;
	if (img_args_has(args, IMG_OPTION_DESCRIBED))
		io->options = strdup(args->operands[0]);
	else
		io->path = strdup(args->operands[0]);
	if (!io->path && !io->options)
		return -ENOMEM;
	if (img_open_init(&io->how, args, io->path, 0, &err)) {
		img_error("%s", err.text);
		return -EINVAL;
	}
	io->how.writable = !img_args_has(args, 'r');
	io->how.snapshot = img_args_has(args, 's');
	io->how.direct = img_args_has(args, 'n');
	io->copy_on_read = img_args_has(args, 'C');
	if (cache && img_cache_parse(cache, &io->how, &err)) {
		img_error("Invalid cache option: %s", cache);
		return -EINVAL;
	}
	return io_open(io);
}

static int io_run(const struct img_args *args)
{
	struct io io = {.is_open = false};
	int ret = open_first(&io, args), closed;

	if (!ret)
		ret = img_args_has(args, 'c') ? run_commands(&io, args)
					      : run_input(&io);
	closed = io_close(&io);
	free(io.path);
	free(io.options);
	return ret || closed ? IMG_FAILED : IMG_OK;
}

const struct img_command img_io_command = {
	.name = "io",
	.synopsis = "[-c COMMAND]... [-f FORMAT] [-r] [-s] [-n] [-C] [-U] "
		    "[-t CACHE] [--image-opts] [FILE]",
	.options = options,
	.operands_min = 0,
	.operands_max = 1,
	.operands_wanted = "Expecting at most one image file name",
	.run = io_run,
};

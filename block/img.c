/*
 * block/img.c - picks the command, reads its options, tells of errors.
 */
#include "block/img.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/math.h"
#include "base/parse.h"
#include "block/img_command.h"

static const char *program = "alcor img";

static const struct img_command *const commands[] = {
	&img_amend_command,  &img_bench_command,   &img_check_command,
	&img_commit_command, &img_compare_command, &img_convert_command,
	&img_create_command, &img_dd_command,	   &img_info_command,
	&img_io_command,     &img_map_command,	   &img_measure_command,
	&img_rebase_command, &img_resize_command,  &img_snapshot_command,
};

bool img_is_qemu_img(void)
{
	return !strcmp(program, "qemu-img");
}

static void report(const char *format, va_list args)
{
	fflush(stdout);
	fprintf(stderr, "%s: ", program);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void img_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(format, args);
	va_end(args);
}

int img_failed(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(format, args);
	va_end(args);
	return IMG_FAILED;
}

int img_bad_size(const char *what)
{
	img_error("Invalid %s specified. You may use k, M, G, T, P or E "
		  "suffixes for",
		  what);
	return img_failed("kilobytes, megabytes, gigabytes, terabytes, "
			  "petabytes and exabytes.");
}

int img_output_is_json(const struct img_args *args, bool *ret_json)
{
	const char *output = img_args_value(args, IMG_OPTION_OUTPUT);

	*ret_json = output && !strcmp(output, "json");
	if (!output || *ret_json || !strcmp(output, "human"))
		return 0;
	return img_failed(
		"--output must be used with human or json as argument.");
}

int img_try_help(void)
{
	fprintf(stderr, "Try '%s --help' for more information\n", program);
	return IMG_FAILED;
}

int img_wrong_usage(const char *sentence)
{
	img_error("%s", sentence);
	return img_try_help();
}

static void print_synopsis(const struct img_command *command)
{
	printf("  %s %s\n", command->name, command->synopsis);
}

static int print_help(void)
{
	printf("usage: %s COMMAND [OPTIONS]\n\n"
	       "qemu-img's commands, and qemu-io, for raw and qcow2 files:\n",
	       program);
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
		print_synopsis(commands[i]);
	printf("\nalcor(1) says what each of them does.\n");
	return IMG_OK;
}

static int check_operands(const struct img_command *command,
			  const struct img_args *args)
{
	if (args->operand_count >= command->operands_min &&
	    args->operand_count <= command->operands_max)
		return 0;
	return img_wrong_usage(command->operands_wanted);
}

static int run(const struct img_command *command, int argc, char **argv)
{
	bool keep_last = command->last_is_operand && argc > 2;
	struct img_args args;
	struct err err;
	int ret;

	if (img_args_parse(&args, command->options, argc - keep_last, argv,
			   &err)) {
		img_error("%s", err.text);
		ret = img_try_help();
	} else if (img_args_has(&args, 'h')) {
		printf("usage: %s", program);
		print_synopsis(command);
		ret = IMG_OK;
	} else {
		/* It follows the other operands in argv. */
		args.operand_count += keep_last;
		ret = check_operands(command, &args);
		if (!ret)
			ret = command->run(&args);
	}
	img_args_fini(&args);
	return ret;
}

static int unknown_command(const char *typed)
{
	const char *words[ARRAY_LENGTH(commands) + 1] = {NULL};
	const char *near;

	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
		words[i] = commands[i]->name;
	near = parse_nearest(typed, words);
	if (near)
		img_error("Command not found: %s; did you mean %s?", typed,
			  near);
	else
		img_error("Command not found: %s", typed);
	return img_try_help();
}

/* What is printed may be all that the command is for. */
static int finish(int status)
{
	if (fflush(stdout) || ferror(stdout))
		return img_failed("cannot write the output: %m");
	return status;
}

int img_command(int argc, char **argv)
{
	if (argc < 1) {
		img_error("Not enough arguments");
		return img_try_help();
	}
	if (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h") ||
	    !strcmp(argv[0], "help"))
		return finish(print_help());
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
		if (!strcmp(argv[0], commands[i]->name))
			return finish(run(commands[i], argc, argv));
	return unknown_command(argv[0]);
}

int img_command_as_qemu(int argc, char **argv)
{
	const char *name = argc ? argv[0] : "";
	const char *slash = strrchr(name, '/');

	name = slash ? slash + 1 : name;
	if (!strcmp(name, "qemu-img")) {
		program = "qemu-img";
		return img_command(argc - 1, argv + 1);
	}
	if (strcmp(name, "qemu-io"))
		return -1;
	program = "qemu-io";
	return finish(run(&img_io_command, argc, argv));
}

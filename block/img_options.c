/* block/img_options.c - see img_options.h. */
#include "block/img_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

/* More than any command has. */
#define OPTIONS_MAX 40

/* A command's table as getopt_long() wants it. */
struct syntax {
	char letters[2 * OPTIONS_MAX + 2];
	struct option names[OPTIONS_MAX + 1];
	const char *words[2 * OPTIONS_MAX + 1]; /* for parse_nearest() */
	char storage[OPTIONS_MAX][32];
};

static void syntax_init(struct syntax *syntax, const struct img_option *options)
{
	size_t letters = 0, names = 0;

	*syntax = (struct syntax){0};
	syntax->letters[letters++] = ':'; /* tells a missing value apart */
	for (; options->id; options++) {
		if (options->id < 256) {
			syntax->letters[letters++] = (char)options->id;
			if (options->takes_value)
				syntax->letters[letters++] = ':';
		}
		if (!options->name)
			continue;
		strcpy(syntax->storage[names], "--");
		strncat(syntax->storage[names], options->name,
			sizeof(syntax->storage[0]) - 3);
		syntax->words[names] = syntax->storage[names];
		syntax->names[names++] = (struct option){
			.name = options->name,
			.has_arg = options->takes_value ? required_argument
							: no_argument,
			.val = options->id,
		};
	}
}

/* What getopt_long() could not take: '?' it does not know, ':' lacks a value */
static int wrong_option(const struct syntax *syntax, int result, char **argv,
			struct err *err)
{
	char letter[] = {'-', (char)optopt, '\0'};
	char typed[64];
	const char *near;

	/* Without the value, which makes no name nearer. */
	snprintf(typed, sizeof(typed), "%.*s",
		 (int)strcspn(argv[optind - 1], "="), argv[optind - 1]);
	if (strncmp(typed, "--", 2))
		snprintf(typed, sizeof(typed), "%s", letter);
	if (result == ':')
		return err_set(err, EINVAL, "option '%s' needs a value", typed);
	near = parse_nearest(typed, syntax->words);
	if (near && typed[1] == '-')
		return err_set(err, EINVAL,
			       "unrecognized option '%s'; did you mean %s?",
			       typed, near);
	return err_set(err, EINVAL, "unrecognized option '%s'", typed);
}

static int refuse(int id, struct err *err)
{
	switch (id) {
	case IMG_OPTION_IMAGE_OPTS:
	case IMG_OPTION_TARGET_IMAGE_OPTS:
		return err_set(
			err, ENOTSUP,
			"--image-opts is not supported: images are named "
			"by their files, and -f says the format");
	case IMG_OPTION_OBJECT:
		return err_set(err, ENOTSUP,
			       "--object is not supported: there is no "
			       "encryption that would need one");
	default:
		return 0;
	}
}

int img_args_parse(struct img_args *args, const struct img_option *options,
		   int argc, char **argv, struct err *err)
{
	struct syntax syntax;
	int id, ret;

	syntax_init(&syntax, options);
	*args = (struct img_args){0};
	args->given = calloc((size_t)argc + 1, sizeof(*args->given));
	if (!args->given)
		return err_set(err, ENOMEM, "out of memory");
	optind = 0; /* glibc: begin anew */
	opterr = 0;
	while ((id = getopt_long(argc, argv, syntax.letters, syntax.names,
				 NULL)) != -1) {
		if (id == '?' || id == ':')
			return wrong_option(&syntax, id, argv, err);
		ret = refuse(id, err);
		if (ret)
			return ret;
		args->given[args->given_count++] = (struct img_given){id,
								      optarg};
	}
	args->operands = argv + optind;
	args->operand_count = (size_t)(argc - optind);
	return 0;
}

void img_args_fini(struct img_args *args)
{
	free(args->given);
	*args = (struct img_args){0};
}

bool img_args_has(const struct img_args *args, int id)
{
	for (size_t i = 0; i < args->given_count; i++)
		if (args->given[i].id == id)
			return true;
	return false;
}

const char *img_args_value(const struct img_args *args, int id)
{
	for (size_t i = args->given_count; i > 0; i--)
		if (args->given[i - 1].id == id)
			return args->given[i - 1].value;
	return NULL;
}

char *img_args_join(const struct img_args *args, int id)
{
	size_t length = 1;
	char *joined;

	for (size_t i = 0; i < args->given_count; i++)
		if (args->given[i].id == id)
			length += strlen(args->given[i].value) + 1;
	joined = calloc(1, length);
	for (size_t i = 0; joined && i < args->given_count; i++) {
		if (args->given[i].id != id)
			continue;
		if (*joined)
			strcat(joined, ",");
		strcat(joined, args->given[i].value);
	}
	return joined;
}

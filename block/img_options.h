/*
 * block/img_options.h - the options of one `alcor img` command.
 *
 * A command has a table of its options; what is typed is checked against it
 * and kept in the order it was typed. The syntax is getopt_long(3)'s.
 */
#ifndef BLOCK_IMG_OPTIONS_H
#define BLOCK_IMG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* An option without a letter is known by one of these. */
enum img_long_option {
	IMG_OPTION_OUTPUT = 256,
	IMG_OPTION_BACKING_CHAIN,
	IMG_OPTION_BACKING,
	IMG_OPTION_DATA_FILE,
	IMG_OPTION_IMAGE_OPTS,
	IMG_OPTION_DESCRIBED, /* --image-opts where it is not refused */
	IMG_OPTION_TARGET_IMAGE_OPTS,
	IMG_OPTION_TARGET_IS_ZERO,
	IMG_OPTION_OBJECT,
	IMG_OPTION_SHRINK,
	IMG_OPTION_PREALLOCATION,
	IMG_OPTION_FLUSH_INTERVAL,
	IMG_OPTION_L2_CACHE,
	IMG_OPTION_NO_DRAIN,
	IMG_OPTION_PATTERN,
	IMG_OPTION_SIZE,
	IMG_OPTION_FORCE,
	IMG_OPTION_RANDOM,
	IMG_OPTION_CPU,
};

struct img_option {
	int id;		  /* its letter, or an enum img_long_option; 0: end */
	const char *name; /* behind "--", NULL: it has only a letter */
	bool takes_value;
};

/* Those that (nearly) every command has; --image-opts is there to be refused */
/* clang-format off */
#define IMG_OPTIONS_COMMON                            \
	{'h', "help", false},                         \
	{IMG_OPTION_OBJECT, "object", true},          \
	{IMG_OPTION_IMAGE_OPTS, "image-opts", false}, \
	{IMG_OPTION_BACKING, "backing", true},        \
	{IMG_OPTION_DATA_FILE, "data-file", true}
/* clang-format on */

struct img_given {
	int id;
	const char *value; /* NULL: the option takes none */
};

struct img_args {
	struct img_given *given; /* owned */
	size_t given_count;
	char **operands; /* in argv */
	size_t operand_count;
};

/*
 * Reads @argv, the first of which is the command's word and which may be
 * reordered. On failure the sentence names the option, and the nearest right
 * one. img_args_fini() is due in both cases.
 */
int img_args_parse(struct img_args *args, const struct img_option *options,
		   int argc, char **argv, struct err *err);
void img_args_fini(struct img_args *args);

bool img_args_has(const struct img_args *args, int id);

/* The value that was typed last, or NULL. */
const char *img_args_value(const struct img_args *args, int id);

/* All of an option's values with commas between; the caller frees it. */
char *img_args_join(const struct img_args *args, int id);

#endif

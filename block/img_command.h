/*
 * block/img_command.h - what the commands of `alcor img` have in common.
 * Private to block/img*.c.
 */
#ifndef BLOCK_IMG_COMMAND_H
#define BLOCK_IMG_COMMAND_H

#include "block/img_options.h"

/* Exit statuses; "compare" and "check" have more of their own. */
enum img_exit { IMG_OK = 0, IMG_FAILED = 1 };

struct img_command {
	const char *name;
	const char *synopsis; /* its options and operands */
	const struct img_option *options;
	unsigned int operands_min, operands_max;
	bool last_is_operand;	     /* even if it begins with '-': "-5M" */
	const char *operands_wanted; /* the sentence for too few or too many */
	int (*run)(const struct img_args *args); /* the exit status */
};

extern const struct img_command img_info_command, img_create_command,
	img_map_command, img_compare_command, img_convert_command,
	img_io_command, img_check_command, img_snapshot_command,
	img_bench_command, img_resize_command, img_commit_command,
	img_rebase_command, img_dd_command, img_measure_command,
	img_amend_command;

/* Is it --output=json? IMG_FAILED, and told, if it is neither that nor human.
 */
int img_output_is_json(const struct img_args *args, bool *ret_json);

/* Are we called by the name qemu-img? */
bool img_is_qemu_img(void);

/* Says where help is; IMG_FAILED. */
int img_try_help(void);

/* Wrong usage beyond the options: tells, and where help is; IMG_FAILED. */
int img_wrong_usage(const char *sentence);

/* Says that @what is not a size; IMG_FAILED. */
int img_bad_size(const char *what);

/* A line on standard error, with the program's name in front. */
__attribute__((format(printf, 1, 2))) void img_error(const char *format, ...);

/* The same, and IMG_FAILED: the end of many commands. */
__attribute__((format(printf, 1, 2))) int img_failed(const char *format, ...);

#endif

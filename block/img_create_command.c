/* block/img_create_command.c - `alcor img create`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/backing.h"
#include "block/img_command.h"
#include "block/img_create.h"
#include "block/img_disk.h"
#include "block/img_size.h"
#include "block/img_stop.h"

static const struct img_option options[] = {
	IMG_OPTIONS_COMMON, {'f', "format", true},
	{'F', NULL, true},  {'b', NULL, true},
	{'o', NULL, true},  {'q', "quiet", false},
	{'u', NULL, false}, {0},
};

/* An option and a key of -o that say the same. */
static int set_once(char **field, const char *value, const char *what,
		    struct err *err)
{
	if (!value)
		return 0;
	if (*field)
		return err_set(err, EINVAL, "%s must be specified only once",
			       what);
	*field = strdup(value);
	return *field ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int set_size(struct img_create *create, const struct img_args *args,
		    struct err *err)
{
	if (args->operand_count < 2)
		return 0;
	if (create->has_size)
		return err_set(err, EINVAL,
			       "The image size must be specified only once");
	create->has_size = true;
	/* It was checked before all else. */
	img_size_parse(args->operands[1], &create->size);
	return 0;
}

/*
 * The backing file was named by the user, so wherever it is it may be opened;
 * what it names itself is not looked at. Its size is the image's, unless said.
 */
static int look_at_backing(struct img_create *create, struct err *err)
{
	struct img_open open = {
		.format = create->backing_format,
		.backing = BLOCK_BACKING_IGNORED,
		.describe = true,
		.plain = true,
	};
	struct img_disk disk;
	char *path;
	int ret;

	path = backing_path(create->path, create->backing);
	if (!path)
		return err_set(err, ENOMEM, "out of memory");
	open.path = path;
	ret = img_disk_open(&disk, &open, err);
	free(path);
	if (ret) {
		strncat(err->text, "\nCould not open backing image.",
			sizeof(err->text) - strlen(err->text) - 1);
		return ret;
	}
	if (!create->has_size)
		create->size = disk.size;
	create->has_size = true;
	img_disk_close(&disk);
	return 0;
}

static int prepare(struct img_create *create, const struct img_args *args,
		   struct err *err)
{
	int ret = set_size(create, args, err);

	if (!ret)
		ret = set_once(&create->backing, img_args_value(args, 'b'),
			       "Backing file", err);
	if (!ret)
		ret = set_once(&create->backing_format,
			       img_args_value(args, 'F'), "Backing format",
			       err);
	if (ret)
		return ret;
	if (create->backing && !create->backing[0])
		return err_set(err, EINVAL,
			       "Expected backing file name, got empty string");
	if (create->backing && create->format == BLOCK_RAW)
		return err_set(err, EINVAL,
			       "Backing file not supported for file format "
			       "'raw'");
	if (create->backing && !create->backing_format)
		return err_set(err, EINVAL,
			       "Backing file specified without backing format");
	if (create->backing && !img_args_has(args, 'u'))
		ret = look_at_backing(create, err);
	if (!ret && !create->has_size)
		ret = err_set(err, EINVAL,
			      "Image creation needs a size parameter");
	return ret;
}

static int make(struct img_create *create, const struct img_args *args)
{
	struct err err;
	int ret = IMG_OK;

	if (prepare(create, args, &err))
		return img_failed("%s: %s", create->path, err.text);
	img_create_choose(create, false);
	if (!img_args_has(args, 'q'))
		img_create_print(create);
	img_stop_catch();
	if (img_create_make(create, &err))
		ret = img_failed("%s: %s", create->path, err.text);
	img_stop_finish();
	return ret;
}

static int check_size(const struct img_args *args)
{
	uint64_t size;

	if (args->operand_count < 2 || img_size_parse(args->operands[1], &size))
		return 0;
	return img_bad_size("image size");
}

static int create_run(const struct img_args *args)
{
	const char *format_name = img_args_value(args, 'f');
	char *text = img_args_join(args, 'o');
	const char *path = args->operand_count ? args->operands[0] : NULL;
	enum block_format format;
	struct img_create create = {0};
	struct err err;
	int ret = IMG_FAILED;

	if (!text)
		img_error("out of memory");
	else if (img_format_parse(format_name ? format_name : "raw", &format,
				  &err))
		img_error("%s: %s", path, err.text);
	else if (img_create_wants_help(text)) {
		img_create_print_help(format);
		ret = IMG_OK;
	} else if (!path)
		img_error("Expecting image file name");
	else if (check_size(args))
		;
	else if (img_create_init(&create, path, format, text, &err))
		img_error("%s: %s", path, err.text);
	else
		ret = make(&create, args);
	img_create_fini(&create);
	free(text);
	return ret;
}

const struct img_command img_create_command = {
	.name = "create",
	.synopsis = "[-q] [-f FORMAT] [-b BACKING_FILE -F FORMAT] [-u] "
		    "[-o KEY=VALUE,...] FILE [SIZE]",
	.options = options,
	.operands_min = 0,
	.operands_max = 2,
	.operands_wanted = "Expecting one image file name and, perhaps, a size",
	.run = create_run,
};

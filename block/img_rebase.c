/*
 * block/img_rebase.c - `alcor img rebase`: another backing file.
 *
 * With -u only the name changes. Without it the disk stays the same: where the
 * two backing files differ and the image has nothing of its own, it gets what
 * the old one has. Only when all of that is durable does the name change, so
 * an interrupted rebase leaves the disk as it was.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/backing.h"
#include "block/img_command.h"
#include "block/img_disk.h"
#include "block/img_progress.h"
#include "block/img_stop.h"
#include "block/qcow2_rebase.h"

static const struct img_option options[] = {
	IMG_OPTIONS_COMMON,
	{'b', NULL, true},
	{'f', "format", true},
	{'F', "backing-format", true},
	{'p', "progress", false},
	{'q', "quiet", false},
	{'t', NULL, true},
	{'T', NULL, true},
	{'u', NULL, false},
	{'U', "force-share", false},
	{0},
};

struct rebase {
	struct img_disk disk;	 /* with its old chain */
	struct img_disk backing; /* the new one; closed: there is none */
};

static int show(void *context, uint64_t done, uint64_t total)
{
	(void)total;
	img_progress_show(context, done);
	return img_stop ? -ECANCELED : 0;
}

/* The user names it, so it may be anywhere. */
static int open_new(struct rebase *rebase, const struct img_args *args)
{
	const char *name = img_args_value(args, 'b');
	struct img_open open = {.format = img_args_value(args, 'F')};
	struct err err;
	char *path;
	int ret;

	if (!name || !*name)
		return 0;
	path = backing_path(args->operands[0], name);
	if (!path)
		return img_failed("out of memory");
	open.path = path;
	ret = img_disk_open(&rebase->backing, &open, &err);
	free(path);
	return ret ? img_failed("Could not open new backing file '%s': %s",
				name, err.text)
		   : IMG_OK;
}

static int copy_told(struct rebase *rebase, const struct img_args *args)
{
	struct img_progress progress;
	int ret;

	img_progress_start(&progress, args, rebase->disk.size);
	ret = block_rebase(rebase->disk.block, rebase->backing.top, show,
			   &progress);
	img_progress_stop(&progress);
	if (ret == -ECANCELED)
		return img_failed("interrupted; the disk and its backing file "
				  "are what they were");
	return ret ? img_failed("error while copying to '%s': %s",
				args->operands[0], strerror(-ret))
		   : IMG_OK;
}

static int copy_difference(const struct img_args *args, struct img_open *open)
{
	struct rebase rebase = {.backing = {.block = NULL}};
	int ret;

	ret = img_disk_begin(&rebase.disk, open);
	if (!ret)
		ret = open_new(&rebase, args);
	if (!ret)
		ret = copy_told(&rebase, args);
	img_disk_close(&rebase.backing);
	return img_disk_finish(&rebase.disk, open->path, ret);
}

static int change_name(const struct img_args *args, const struct img_open *open)
{
	const char *name = img_args_value(args, 'b');
	enum block_format format;
	struct file *file;
	struct err err;
	int ret;

	if (name && !*name)
		name = NULL;
	if (name && !img_args_value(args, 'F'))
		return img_failed("Could not change the backing file to '%s': "
				  "backing format must be specified",
				  name);
	if (img_file_open(open, &file, &format, &err))
		return img_failed("%s", err.text);
	if (format == BLOCK_RAW)
		ret = err_set(&err, ENOTSUP, "Operation not supported");
	else
		ret = qcow2_rebase(file, open->path, name,
				   name ? img_args_value(args, 'F') : NULL,
				   &err);
	file_close(file);
	return ret ? img_failed("Could not change the backing file to '%s': %s",
				name ? name : "", err.text)
		   : 0;
}

static int rebase_run(const struct img_args *args)
{
	struct img_open open;
	int ret = IMG_OK;

	if (!img_args_has(args, 'u') && !img_args_has(args, 'b'))
		return img_wrong_usage("Must specify backing file (-b) or use "
				       "unsafe mode (-u)");
	if (img_open_operand(&open, args, 0, 't'))
		return IMG_FAILED;
	open.writable = true;
	img_stop_catch();
	if (!img_args_has(args, 'u'))
		ret = copy_difference(args, &open);
	if (!ret)
		ret = change_name(args, &open);
	img_stop_finish();
	return ret;
}

const struct img_command img_rebase_command = {
	.name = "rebase",
	.synopsis = "[-q] [-f FORMAT] [-t CACHE] [-T CACHE] [-p] [-u] "
		    "-b BACKING_FILE [-F FORMAT] FILE",
	.options = options,
	.operands_min = 1,
	.operands_max = 1,
	.operands_wanted = "Expecting one image file name",
	.run = rebase_run,
};

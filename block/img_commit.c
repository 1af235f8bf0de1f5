/*
 * block/img_commit.c - `alcor img commit`: an overlay's changes go down into
 * its backing file, or with -b into one further down.
 *
 * The overlay is emptied afterwards, unless -d or -b is given: it reads the
 * same in any case. It may be interrupted at any time; then it has to be done
 * again, nothing is lost.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/backing.h"
#include "block/img_command.h"
#include "block/img_disk.h"
#include "block/img_progress.h"
#include "block/img_stop.h"

static const struct img_option options[] = {
	IMG_OPTIONS_COMMON,
	{'b', NULL, true},
	{'d', NULL, false},
	{'f', "format", true},
	{'p', "progress", false},
	{'q', "quiet", false},
	{'r', "rate-limit", true},
	{'t', NULL, true},
	{0},
};

static int show(void *context, uint64_t done, uint64_t total)
{
	struct img_progress *progress = context;

	progress->total = total;
	img_progress_show(progress, done);
	return img_stop ? -ECANCELED : 0;
}

/* Is this what the image calls its backing file, or where that is? */
static bool is_name_of_backing(const struct image *image, const char *name)
{
	char *path;
	bool same;

	if (!strcmp(name, image->backing_ref.name))
		return true;
	path = backing_path(image->name, image->backing_ref.name);
	same = path && !strcmp(name, path);
	free(path);
	return same;
}

/* How far down the backing file is that -b names. */
static int find_depth(const struct img_open *open, const char *base,
		      unsigned int *ret_depth)
{
	struct img_open look = *open;
	struct img_disk disk;
	const struct image *image;
	int ret = IMG_OK;

	*ret_depth = 1;
	if (!base)
		return IMG_OK;
	if (img_disk_begin(&disk, &look))
		return IMG_FAILED;
	for (image = disk.top; image->backing; image = image->backing) {
		if (is_name_of_backing(image, base))
			break;
		++*ret_depth;
	}
	if (!image->backing)
		ret = img_failed("Did not find '%s' in the backing chain of "
				 "'%s'",
				 base, open->path);
	return img_disk_finish(&disk, open->path, ret);
}

static int commit(struct img_disk *disk, const struct img_args *args,
		  unsigned int depth)
{
	struct img_progress progress;
	struct block_commit how = {
		.depth = depth,
		.keep = img_args_has(args, 'b') || img_args_has(args, 'd'),
		.progress = show,
		.context = &progress,
	};
	struct err err;
	int ret;

	if (!disk->top->backing)
		return img_failed("Image does not have a backing file");
	img_progress_start(&progress, args, disk->size);
	ret = block_commit(disk->block, &how, &err);
	img_progress_stop(&progress);
	if (ret == -ECANCELED)
		return img_failed("interrupted; the disk is as it was, and the "
				  "commit can be done again");
	return ret ? img_failed("%s", err.text) : 0;
}

static int commit_run(const struct img_args *args)
{
	struct img_open open;
	struct img_disk disk;
	int ret;

	if (img_open_operand(&open, args, 0, 't') ||
	    find_depth(&open, img_args_value(args, 'b'), &open.write_depth))
		return IMG_FAILED;
	open.writable = true;
	if (img_disk_begin(&disk, &open))
		return IMG_FAILED;
	img_stop_catch();
	ret = img_disk_finish(&disk, open.path,
			      commit(&disk, args, open.write_depth));
	if (!ret && !img_args_has(args, 'q'))
		printf("Image committed.\n");
	img_stop_finish();
	return ret;
}

const struct img_command img_commit_command = {
	.name = "commit",
	.synopsis = "[-q] [-f FORMAT] [-t CACHE] [-b BACKING_FILE] [-d] [-p] "
		    "FILE",
	.options = options,
	.operands_min = 1,
	.operands_max = 1,
	.operands_wanted = "Expecting one image file name",
	.run = commit_run,
};

/*
 * block/img_commit.c - `alcor img commit`: an overlay's changes go down into
 * its backing file.
 *
 * The overlay is emptied afterwards, with -d too: it reads the same. It may be
 * interrupted at any time; then it has to be done again, nothing is lost.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

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

static int check_base(const struct img_disk *disk, const char *base)
{
	const struct image *image = disk->top;

	if (!base || !strcmp(base, image->backing_ref.name))
		return 0;
	for (; image; image = image->backing)
		if (!strcmp(base, image->backing_ref.name))
			return img_failed("-b can only name the backing file "
					  "of '%s' itself, %s",
					  disk->top->name,
					  disk->top->backing_ref.name);
	return img_failed("Did not find '%s' in the backing chain of '%s'",
			  base, disk->top->name);
}

static int commit(struct img_disk *disk, const struct img_args *args)
{
	struct img_progress progress;
	struct err err;
	int ret;

	if (!disk->top->backing)
		return img_failed("Image does not have a backing file");
	ret = check_base(disk, img_args_value(args, 'b'));
	if (ret)
		return ret;
	img_progress_start(&progress, args, disk->size);
	ret = block_commit(disk->block, show, &progress, &err);
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

	if (img_open_operand(&open, args, 0, 't'))
		return IMG_FAILED;
	open.writable = true;
	open.write_backing = true;
	if (img_disk_begin(&disk, &open))
		return IMG_FAILED;
	img_stop_catch();
	ret = img_disk_finish(&disk, open.path, commit(&disk, args));
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

/*
 * block/img_rebase.c - `alcor img rebase`: another backing file.
 *
 * With -u only the name changes. Without it the disk stays the same: where the
 * two backing files differ and the image has nothing of its own, it gets what
 * the old one has. Only when all of that is durable does the name change, so
 * an interrupted rebase leaves the disk as it was.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "block/backing.h"
#include "block/img_command.h"
#include "block/img_progress.h"
#include "block/img_status.h"
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

/* What is compared at a time: a part of a cluster is copied with the rest. */
#define PIECE (64 * KIB)

struct rebase {
	struct img_disk disk;	 /* with its old chain */
	struct img_disk backing; /* the new one; closed: there is none */
	uint8_t old[PIECE];
	uint8_t new[PIECE];
};

/* What the new chain would show there; zeroes past its end. */
static int read_new(struct rebase *rebase, uint64_t offset, size_t length)
{
	size_t inside = 0;

	if (rebase->backing.block && offset < rebase->backing.size)
		inside = min_u64(length, rebase->backing.size - offset);
	memset(rebase->new + inside, 0, length - inside);
	return inside ? img_disk_read(&rebase->backing, offset, rebase->new,
				      inside)
		      : 0;
}

static int keep_piece(struct rebase *rebase, uint64_t offset, size_t length)
{
	int ret = img_disk_read(&rebase->disk, offset, rebase->old, length);

	if (!ret)
		ret = read_new(rebase, offset, length);
	if (ret || !memcmp(rebase->old, rebase->new, length))
		return ret;
	return img_disk_write(&rebase->disk, offset, rebase->old, length);
}

/* The range is not in the image itself. */
static int keep_range(struct rebase *rebase, uint64_t offset, uint64_t length)
{
	uint64_t part;
	int ret = 0;

	for (; length && !ret; offset += part, length -= part) {
		part = min_u64(length, PIECE - offset % PIECE);
		ret = keep_piece(rebase, offset, part);
	}
	return ret;
}

static int keep_contents(struct rebase *rebase, struct img_progress *progress)
{
	struct img_disk *disk = &rebase->disk;
	struct img_status status;
	int ret = 0;

	for (uint64_t offset = 0; offset < disk->size && !ret;
	     offset += status.length) {
		/* Not too much at once: writing changes what was found. */
		ret = img_status_get(disk, offset,
				     min_u64(disk->size - offset, MIB),
				     &status);
		if (!ret && (status.depth || !status.present))
			ret = keep_range(rebase, offset, status.length);
		img_progress_show(progress, offset);
		if (!ret && img_stop)
			ret = -ECANCELED;
	}
	return ret ? ret : block_flush(disk->block);
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
	ret = keep_contents(rebase, &progress);
	if (!ret)
		img_progress_show(&progress, rebase->disk.size);
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
	struct rebase *rebase = calloc(1, sizeof(*rebase));
	int ret;

	if (!rebase)
		return img_failed("out of memory");
	ret = img_disk_begin(&rebase->disk, open);
	if (!ret)
		ret = open_new(rebase, args);
	if (!ret) {
		ret = copy_told(rebase, args);
	}
	img_disk_close(&rebase->backing);
	ret = img_disk_finish(&rebase->disk, open->path, ret);
	free(rebase);
	return ret;
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

/* block/img_snapshot.c - `alcor img snapshot`. */
#include <errno.h>
#include <string.h>

#include "block/img_command.h"
#include "block/img_info.h"
#include "block/qcow2_snapshots.h"

static const struct img_option options[] = {
	IMG_OPTIONS_COMMON,    {'a', NULL, true},	    {'c', NULL, true},
	{'d', NULL, true},     {'f', "format", true},	    {'l', NULL, false},
	{'q', "quiet", false}, {'U', "force-share", false}, {0},
};

static int list(struct img_open *open)
{
	struct img_disk disk;
	struct img_info info;
	struct err err;

	open->backing = BLOCK_BACKING_IGNORED;
	open->describe = true;
	if (img_disk_begin(&disk, open))
		return IMG_FAILED;
	if (img_info_init(&info, &disk, &err)) {
		img_disk_close(&disk);
		return img_failed("%s", err.text);
	}
	img_info_print_snapshots(info.snapshots, info.snapshot_count);
	img_info_fini(&info);
	img_disk_close(&disk);
	return IMG_OK;
}

static int act(struct file *file, const char *path, int letter,
	       const char *name, struct err *err)
{
	switch (letter) {
	case 'a':
		return qcow2_snapshot_apply(file, path, name, err);
	case 'c':
		return qcow2_snapshot_create(file, path, name, err);
	default:
		return qcow2_snapshot_delete(file, path, name, err);
	}
}

static int change(struct img_open *open, int letter, const char *name)
{
	const char *verb = letter == 'a'   ? "apply"
			   : letter == 'c' ? "create"
					   : "delete";
	enum block_format format;
	struct file *file;
	struct err err;
	int ret;

	open->writable = true;
	if (img_file_open(open, &file, &format, &err))
		return img_failed("%s", err.text);
	if (format == BLOCK_RAW)
		ret = err_set(&err, ENOTSUP, "raw images have no snapshots");
	else
		ret = act(file, open->path, letter, name, &err);
	file_close(file);
	if (ret == -ENOENT && letter == 'd')
		return img_failed("Could not delete snapshot '%s': snapshot "
				  "not found",
				  name);
	if (ret == -ENOENT && letter == 'a')
		return img_failed("Could not apply snapshot '%s': Failed to "
				  "load snapshot: No such file or directory",
				  name);
	if (ret)
		return img_failed("Could not %s snapshot '%s': %s", verb, name,
				  err.text);
	return IMG_OK;
}

/* The one thing to do; 0 if nothing was said, -EINVAL if too much. */
static int find_letter(const struct img_args *args)
{
	int found = 0;

	for (const char *letter = "acdl"; *letter; letter++) {
		if (!img_args_has(args, *letter))
			continue;
		if (found)
			return -EINVAL;
		found = *letter;
	}
	return found;
}

static int snapshot_run(const struct img_args *args)
{
	int letter = find_letter(args);
	struct img_open open;

	if (letter < 0)
		return img_wrong_usage("Cannot mix '-l', '-a', '-c', '-d'");
	if (img_open_operand(&open, args, 0, 0))
		return IMG_FAILED;
	if (letter == 'l')
		return list(&open);
	if (!letter)
		return IMG_OK; /* as qemu-img has it */
	return change(&open, letter, img_args_value(args, letter));
}

const struct img_command img_snapshot_command = {
	.name = "snapshot",
	.synopsis = "[-q] [-f FORMAT] [-U] [-l | -a SNAPSHOT | -c SNAPSHOT | "
		    "-d SNAPSHOT] FILE",
	.options = options,
	.operands_min = 1,
	.operands_max = 1,
	.operands_wanted = "Expecting one image file name",
	.run = snapshot_run,
};

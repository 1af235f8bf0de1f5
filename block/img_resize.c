/* block/img_resize.c - `alcor img resize`. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/math.h"
#include "block/img_command.h"
#include "block/img_disk.h"
#include "block/img_size.h"
#include "block/img_stop.h"
#include "block/preallocate.h"

static const struct img_option options[] = {
	IMG_OPTIONS_COMMON,
	{'f', "format", true},
	{'q', "quiet", false},
	{IMG_OPTION_PREALLOCATION, "preallocation", true},
	{IMG_OPTION_SHRINK, "shrink", false},
	{0},
};

/* "+SIZE" and "-SIZE" are relative to what it is. */
static int parse_size(const char *text, uint64_t size, uint64_t *ret_size)
{
	char sign = *text == '+' || *text == '-' ? *text : '\0';
	uint64_t number;

	if (!img_size_parse(text + !!sign, &number))
		return img_failed("Parameter 'size' expects a non-negative "
				  "number below 2^64\nOptional suffix k, M, G, "
				  "T, P or E means kilo-, mega-, giga-, tera-, "
				  "peta-\nand exabytes, respectively.");
	*ret_size = number;
	if (sign == '+' && !add_fits(size, number, ret_size))
		return img_failed("the image would be too large");
	if (sign == '-')
		*ret_size = size - min_u64(size, number);
	if (sign && !*ret_size)
		return img_failed("New image size must be positive");
	return 0;
}

static int parse_preallocation(const struct img_args *args,
			       enum preallocation *ret_how)
{
	static const char *const words[] = {
		[PREALLOCATE_NONE] = "off",
		[PREALLOCATE_METADATA] = "metadata",
		[PREALLOCATE_FALLOC] = "falloc",
		[PREALLOCATE_FULL] = "full",
	};
	const char *text = img_args_value(args, IMG_OPTION_PREALLOCATION);

	*ret_how = PREALLOCATE_NONE;
	for (size_t i = 0; text && i < ARRAY_LENGTH(words); i++)
		if (!strcmp(text, words[i])) {
			*ret_how = (enum preallocation)i;
			return 0;
		}
	return text ? img_failed("Invalid preallocation mode '%s'", text) : 0;
}

/* What needs the user's word, and what cannot be. */
static int check_change(const struct img_disk *disk,
			const struct img_args *args, uint64_t size,
			enum preallocation how)
{
	bool shrinks = size < disk->size;

	if (how != PREALLOCATE_NONE && size <= disk->size)
		return img_failed("Preallocation can only be used for growing "
				  "images");
	if (how == PREALLOCATE_METADATA && !img_disk_is_qcow2(disk))
		return img_failed("Unsupported preallocation mode 'metadata'");
	if (how != PREALLOCATE_NONE && img_disk_is_qcow2(disk))
		return img_failed("--preallocation is not done for qcow2 "
				  "images that grow");
	if (shrinks && !img_args_has(args, IMG_OPTION_SHRINK)) {
		img_error("Use the --shrink option to perform a shrink "
			  "operation.");
		return img_failed("warning: Shrinking an image will delete all "
				  "data beyond the shrunken image's end. "
				  "Before performing such an operation, make "
				  "sure there is no important data there.");
	}
	return 0;
}

static int resize(struct img_disk *disk, const struct img_args *args)
{
	uint64_t old = disk->size, size = 0;
	enum preallocation how;
	struct err err;
	int ret;

	ret = parse_size(args->operands[1], old, &size);
	if (img_disk_is_qcow2(disk))
		size = align_up(size, BLOCK_SECTOR);
	if (!ret)
		ret = parse_preallocation(args, &how);
	if (!ret)
		ret = check_change(disk, args, size, how);
	if (ret)
		return ret;
	if (block_resize(disk->block, size, &err))
		return img_failed("%s", err.text);
	if (how == PREALLOCATE_NONE)
		return 0;
	ret = file_preallocate(disk->top->file, old, size - old, how,
			       &img_stop);
	return ret ? img_failed("cannot preallocate: %s", strerror(-ret)) : 0;
}

static int resize_run(const struct img_args *args)
{
	struct img_open open;
	struct img_disk disk;
	int ret;

	if (img_open_operand(&open, args, 0, 0))
		return IMG_FAILED;
	open.writable = true;
	if (img_disk_begin(&disk, &open))
		return IMG_FAILED;
	img_stop_catch();
	ret = img_disk_finish(&disk, open.path, resize(&disk, args));
	if (!ret && !img_args_has(args, 'q'))
		printf("Image resized.\n");
	img_stop_finish();
	return ret;
}

const struct img_command img_resize_command = {
	.name = "resize",
	.synopsis = "[-f FORMAT] [--preallocation MODE] [-q] [--shrink] FILE "
		    "[+|-]SIZE",
	.options = options,
	.operands_min = 2,
	.operands_max = 2,
	.last_is_operand = true,
	.operands_wanted = "Expecting image file name and size",
	.run = resize_run,
};

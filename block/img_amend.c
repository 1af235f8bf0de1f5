/*
 * block/img_amend.c - `alcor img amend`: what an image was made with is
 * changed.
 *
 * What would need its guest data rewritten is left to "convert".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/img_command.h"
#include "block/img_create.h"
#include "block/img_disk.h"
#include "block/img_progress.h"
#include "block/qcow2_amend.h"

static const struct img_option options[] = {
	IMG_OPTIONS_COMMON,
	{'f', "format", true},
	{'o', NULL, true},
	{'p', "progress", false},
	{'q', "quiet", false},
	{'t', NULL, true},
	{IMG_OPTION_FORCE, "force", false},
	{0},
};

/* --- What was typed ------------------------------------------------------- */

/* What only says how an image is made. */
static int refuse_keys(const struct img_create *create)
{
	static const char *const made[] = {"cluster_size", "compression_type",
					   "extended_l2", "preallocation",
					   NULL};

	for (size_t i = 0; made[i]; i++)
		if (img_create_said(create, made[i]))
			return img_failed("Invalid parameter '%s'\nThis option "
					  "is only supported for image "
					  "creation",
					  made[i]);
	if (create->backing || create->backing_format)
		return img_failed("Cannot amend the backing file\nYou can use "
				  "'qemu-img rebase' instead.");
	if (create->data_file)
		return img_failed("data-file can only be set for images that "
				  "use an external data file");
	if (img_create_said(create, "data_file_raw"))
		return img_failed("data-file-raw cannot be set on existing "
				  "images");
	return IMG_OK;
}

static int parse_version(const char *text, unsigned int *ret_version)
{
	if (!text)
		return IMG_OK;
	if (!strcmp(text, "0.10") || !strcmp(text, "v2"))
		*ret_version = 2;
	else if (!strcmp(text, "1.1") || !strcmp(text, "v3"))
		*ret_version = 3;
	else
		return img_failed("Unknown compatibility level %s", text);
	return IMG_OK;
}

static int parse(const struct img_create *create, struct qcow2_amend *amend)
{
	uint64_t bits = create->refcount_bits;

	*amend = (struct qcow2_amend){
		.has_refcounts = img_create_said(create, "refcount_bits"),
		.has_lazy = img_create_said(create, "lazy_refcounts"),
		.lazy_refcounts = create->lazy_refcounts,
	};
	if (refuse_keys(create) ||
	    parse_version(create->compat, &amend->version))
		return IMG_FAILED;
	if (!is_power_of_two(bits) || bits > 1U << QCOW2_REFCOUNT_ORDER_MAX)
		return img_failed("Refcount width must be a power of two and "
				  "may not exceed 64 bits");
	amend->refcount_order = (unsigned int)__builtin_ctzll(bits);
	return IMG_OK;
}

/* --- What is done --------------------------------------------------------- */

static int resize(const struct img_open *open, uint64_t size)
{
	struct img_disk disk;
	struct err err;
	int ret = IMG_OK;

	if (img_disk_begin(&disk, open))
		return IMG_FAILED;
	if (block_resize(disk.block, size, &err))
		ret = img_failed("%s", err.text);
	return img_disk_finish(&disk, open->path, ret);
}

static int amend_file(const struct img_open *open,
		      const struct qcow2_amend *amend)
{
	enum block_format format;
	struct file *file;
	struct err err;
	int ret;

	if (img_file_open(open, &file, &format, &err))
		return img_failed("%s", err.text);
	if (format == BLOCK_RAW)
		ret = img_failed("Format driver 'raw' does not support option "
				 "amendment");
	else if (qcow2_amend(file, open->path, amend, &err))
		ret = img_failed("%s", err.text);
	else
		ret = IMG_OK;
	file_close(file);
	return ret;
}

static int amend(const struct img_args *args, const struct img_create *create)
{
	struct img_progress progress;
	struct qcow2_amend amend;
	struct img_open open;
	int ret;

	if (img_open_operand(&open, args, 0, 't') || parse(create, &amend))
		return IMG_FAILED;
	open.writable = true;
	img_progress_start(&progress, args, 1);
	ret = amend_file(&open, &amend);
	if (!ret && create->has_size)
		ret = resize(&open, create->size);
	if (!ret)
		img_progress_show(&progress, 1);
	img_progress_stop(&progress);
	return ret;
}

static int amend_run(const struct img_args *args)
{
	struct img_create create = {0};
	char *text = img_args_join(args, 'o');
	struct err err;
	int ret = IMG_FAILED;

	if (!text) {
		img_error("out of memory");
	} else if (!*text) {
		img_wrong_usage("Must specify options (-o)");
	} else if (img_create_wants_help(text)) {
		img_create_print_amend_help();
		ret = IMG_OK;
	} else if (args->operand_count != 1) {
		img_error("Expecting one image file name");
	} else if (img_create_init(&create, args->operands[0], BLOCK_QCOW2,
				   text, &err)) {
		img_error("%s", err.text);
	} else {
		ret = amend(args, &create);
	}
	img_create_fini(&create);
	free(text);
	return ret;
}

const struct img_command img_amend_command = {
	.name = "amend",
	.synopsis = "[-f FORMAT] [-t CACHE] [-p] [-q] -o KEY=VALUE,... FILE",
	.options = options,
	.operands_min = 0,
	.operands_max = UINT32_MAX,
	.run = amend_run,
};

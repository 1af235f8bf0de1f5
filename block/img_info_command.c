/* block/img_info_command.c - `alcor img info`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/math.h"
#include "block/backing.h"
#include "block/img_command.h"
#include "block/img_info.h"

static const struct img_option options[] = {
	IMG_OPTIONS_COMMON,
	{'f', "format", true},
	{'U', "force-share", false},
	{IMG_OPTION_OUTPUT, "output", true},
	{IMG_OPTION_BACKING_CHAIN, "backing-chain", false},
	{0},
};

/* The images of a chain, each open without its backing file. */
struct chain {
	struct img_disk disks[16];
	struct img_info infos[16];
	size_t count;
};

static bool is_in_chain(const struct chain *chain, const char *path)
{
	const struct file *file;
	struct stat stats;

	if (stat(path, &stats))
		return false;
	for (size_t i = 0; i < chain->count; i++) {
		file = chain->disks[i].top->file;
		if (file->device == stats.st_dev && file->inode == stats.st_ino)
			return true;
	}
	return false;
}

/* The next image down, by what the last one says. */
static int find_next(struct chain *chain, struct img_open *open,
		     enum block_backing policy, struct err *err)
{
	const struct image *last = chain->disks[chain->count - 1].top;
	enum block_format format;
	char *checked;
	int ret;

	if (chain->count == ARRAY_LENGTH(chain->disks))
		return err_set(
			err, ELOOP,
			"Backing file '%s' is the end of a chain of more "
			"than %zu images.",
			last->backing_ref.name, ARRAY_LENGTH(chain->disks));
	ret = backing_resolve(last, policy, &checked, err);
	if (ret)
		return ret;
	free(checked);
	open->path = chain->infos[chain->count - 1].backing_path;
	open->typed = false;
	if (is_in_chain(chain, open->path))
		return err_set(err, ELOOP,
			       "Backing file '%s' creates an infinite loop.",
			       open->path);
	ret = backing_format(last, &format, err);
	open->format = img_format_name(format);
	return ret;
}

static int collect(struct chain *chain, const struct img_args *args,
		   struct img_open *open, struct err *err)
{
	enum block_backing policy = open->backing;
	bool whole = img_args_has(args, IMG_OPTION_BACKING_CHAIN);
	struct img_disk *disk;
	int ret;

	open->backing = BLOCK_BACKING_IGNORED;
	open->describe = true;
	for (;;) {
		disk = &chain->disks[chain->count];
		ret = img_disk_open(disk, open, err);
		if (ret)
			return ret;
		ret = img_info_init(&chain->infos[chain->count++], disk, err);
		if (ret || !whole || !disk->top->backing_ref.name[0])
			return ret;
		ret = find_next(chain, open, policy, err);
		if (ret)
			return ret;
	}
}

static void print_json(const struct chain *chain, bool as_array)
{
	struct json json = {.out = stdout};

	if (as_array)
		json_array(&json, NULL);
	for (size_t i = 0; i < chain->count; i++)
		img_info_json(&chain->infos[i], &json, NULL);
	if (as_array)
		json_array_end(&json);
}

static void print_text(const struct chain *chain)
{
	for (size_t i = 0; i < chain->count; i++) {
		if (i)
			printf("\n");
		img_info_print(&chain->infos[i]);
	}
}

static void chain_fini(struct chain *chain)
{
	while (chain->count) {
		img_info_fini(&chain->infos[--chain->count]);
		img_disk_close(&chain->disks[chain->count]);
	}
}

static int info_run(const struct img_args *args)
{
	struct chain chain = {.count = 0};
	struct img_open open;
	struct err err;
	bool json;
	int ret;

	if (img_output_is_json(args, &json))
		return IMG_FAILED;
	if (img_open_operand(&open, args, 0, 0))
		return IMG_FAILED;
	ret = collect(&chain, args, &open, &err);
	if (ret)
		img_error("%s", err.text);
	else if (json)
		print_json(&chain,
			   img_args_has(args, IMG_OPTION_BACKING_CHAIN));
	else
		print_text(&chain);
	chain_fini(&chain);
	return ret ? IMG_FAILED : IMG_OK;
}

const struct img_command img_info_command = {
	.name = "info",
	.synopsis = "[-f FORMAT] [--output human|json] [--backing-chain] [-U] "
		    "FILE",
	.options = options,
	.operands_min = 1,
	.operands_max = 1,
	.operands_wanted = "Expecting one image file name",
	.run = info_run,
};

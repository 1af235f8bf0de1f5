/*
 * block/img_dd.c - `alcor img dd`: a part of a disk, in blocks, into an image
 * that is made for it, with operands like dd(1)'s.
 *
 * Blocks say only where the part begins and ends: it is copied as convert
 * would, so what is zeroes stays a hole.
 */
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "block/img_command.h"
#include "block/img_convert.h"
#include "block/img_size.h"

static const struct img_option options[] = {
	IMG_OPTIONS_COMMON,
	{'O', "output-format", true},
	{'U', "force-share", false},
	{'f', "format", true},
	{0},
};

#define BLOCK_SIZE_MAX INT32_MAX

/* A copy reads while it writes. */
#define WORKERS 2

/* The operands; a name is NULL until it was given. */
struct dd {
	const char *input, *output;
	uint64_t block_size;
	uint64_t count; /* blocks; UINT64_MAX: all */
	uint64_t skip;	/* blocks */
};

static int parse_size(const char *name, const char *value, uint64_t *size)
{
	return img_size_parse(value, size) ? 0 : img_bad_size(name);
}

static int parse_block_size(const char *value, uint64_t *size)
{
	int ret = parse_size("bs", value, size);

	if (!ret && (!*size || *size > BLOCK_SIZE_MAX))
		ret = img_failed("Invalid bs specified. Must be between 1 and "
				 "%d.",
				 BLOCK_SIZE_MAX);
	return ret;
}

static int parse_operand(struct dd *dd, const char *operand)
{
	size_t length = strcspn(operand, "=");
	const char *value = operand + length + 1;

	if (operand[length] && length == 2) {
		if (!memcmp(operand, "if", 2))
			return dd->input = value, 0;
		if (!memcmp(operand, "of", 2))
			return dd->output = value, 0;
		if (!memcmp(operand, "bs", 2))
			return parse_block_size(value, &dd->block_size);
	}
	if (!strncmp(operand, "count=", length + 1))
		return parse_size("count", value, &dd->count);
	if (!strncmp(operand, "skip=", length + 1))
		return parse_size("skip", value, &dd->skip);
	return img_failed("unrecognized operand %.*s", (int)length, operand);
}

static int parse(struct dd *dd, const struct img_args *args)
{
	*dd = (struct dd){.block_size = BLOCK_SECTOR, .count = UINT64_MAX};
	for (size_t i = 0; i < args->operand_count; i++)
		if (parse_operand(dd, args->operands[i]))
			return IMG_FAILED;
	if (!dd->input || !dd->output)
		return img_failed("Must specify both input and output files");
	return 0;
}

/* Which part of the source it is. */
static void choose_part(const struct dd *dd, struct convert *convert)
{
	uint64_t size = convert->sources[0].size, bytes;

	if (!mul_fits(dd->skip, dd->block_size, &convert->skip) ||
	    convert->skip > size) {
		img_error("%s: cannot skip to specified offset", dd->input);
		convert->skip = size;
	}
	convert->size = size - convert->skip;
	if (mul_fits(dd->count, dd->block_size, &bytes))
		convert->size = min_u64(convert->size, bytes);
}

static int copy(struct convert_job *job, const struct dd *dd)
{
	const char *format_name = img_args_value(job->args, 'O');
	enum block_format format = BLOCK_RAW;
	struct img_open open;
	struct err err;

	if (img_open_init(&open, job->args, dd->input, 0, &err))
		return img_failed("%s", err.text);
	if (img_disk_begin(&job->convert.sources[0], &open))
		return IMG_FAILED;
	job->convert.source_count = 1;
	if (format_name && img_format_parse(format_name, &format, &err))
		return img_failed("%s", err.text);
	if (img_create_init(&job->create, dd->output, format, NULL, &err))
		return img_failed("%s", err.text);
	choose_part(dd, &job->convert);
	return convert_job_run(job);
}

static int dd_run(const struct img_args *args)
{
	struct convert_job *job;
	struct dd dd;
	int ret;

	if (parse(&dd, args))
		return IMG_FAILED;
	job = calloc(1, sizeof(*job));
	if (!job)
		return img_failed("out of memory");
	job->args = args;
	job->must_create = true;
	job->convert.workers = WORKERS;
	job->convert.sparse_size = CONVERT_SPARSE_SIZE;
	ret = copy(job, &dd);
	convert_job_fini(job);
	free(job);
	return ret;
}

const struct img_command img_dd_command = {
	.name = "dd",
	.synopsis = "[-f FORMAT] [-O FORMAT] [-U] [bs=BLOCK_SIZE] "
		    "[count=BLOCKS] [skip=BLOCKS] if=FILE of=TARGET",
	.options = options,
	.operands_min = 0,
	.operands_max = UINT32_MAX,
	.run = dd_run,
};

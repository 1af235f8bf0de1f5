/* block/img_convert.c - `alcor img convert`: what was typed, and the sources */
#include "block/img_convert.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/math.h"
#include "base/parse.h"
#include "block/img_command.h"
#include "block/img_size.h"

static const struct img_option options[] = {
	IMG_OPTIONS_COMMON,
	{'B', NULL, true},
	{'C', NULL, false},
	{'F', NULL, true},
	{'O', "target-format", true},
	{'S', NULL, true},
	{'T', NULL, true},
	{'U', "force-share", false},
	{'W', NULL, false},
	{'c', NULL, false},
	{'f', "source-format", true},
	{'l', NULL, true},
	{'m', NULL, true},
	{'n', NULL, false},
	{'o', NULL, true},
	{'p', "progress", false},
	{'q', "quiet", false},
	{'t', NULL, true},
	{IMG_OPTION_TARGET_IMAGE_OPTS, "target-image-opts", false},
	{IMG_OPTION_TARGET_IS_ZERO, "target-is-zero", false},
	{0},
};

#define SPARSE_SIZE_MAX (16 * MIB)

/* --- What was typed ------------------------------------------------------- */

static int parse_sparse_size(struct convert_job *job)
{
	const char *text = img_args_value(job->args, 'S');
	uint64_t *size = &job->convert.sparse_size;

	*size = CONVERT_SPARSE_SIZE;
	if (!text)
		return 0;
	if (!img_size_parse(text, size))
		return img_bad_size("buffer size for sparse output");
	if (*size > SPARSE_SIZE_MAX || !is_aligned(*size, BLOCK_SECTOR))
		return img_failed("Invalid buffer size for sparse output "
				  "specified. Valid sizes are multiples of %d "
				  "up to %llu. Select 0 to disable sparse "
				  "detection (fully allocates output).",
				  BLOCK_SECTOR, SPARSE_SIZE_MAX);
	return 0;
}

/* Compression keeps every CPU busy; a plain copy reads while it writes. */
static int parse_workers(struct convert_job *job)
{
	const char *text = img_args_value(job->args, 'm');
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t number = max_u64(2, cpus > 0 ? (uint64_t)cpus : 1);

	if (text &&
	    (!parse_number(text, CONVERT_WORKERS_MAX, &number) || !number))
		return img_failed("Invalid number of coroutines. Allowed "
				  "number of coroutines is between 1 and %d",
				  CONVERT_WORKERS_MAX);
	job->convert.workers = (unsigned int)min_u64(number,
						     CONVERT_WORKERS_MAX);
	return 0;
}

static int parse(struct convert_job *job, enum block_format *ret_format)
{
	const struct img_args *args = job->args;
	const char *format = img_args_value(args, 'O');
	struct err err;
	int ret = parse_sparse_size(job);

	if (!ret)
		ret = parse_workers(job);
	if (ret)
		return ret;
	job->convert.compress = img_args_has(args, 'c');
	job->must_create = !img_args_has(args, 'n');
	if (format && img_format_parse(format, ret_format, &err))
		return img_failed("%s", err.text);
	if (img_args_has(args, IMG_OPTION_TARGET_IS_ZERO) && job->must_create)
		return img_failed("--target-is-zero requires use of -n flag");
	if (img_args_has(args, 'o') && !job->must_create)
		return img_failed("-o has no effect when skipping image "
				  "creation");
	return 0;
}

/* --- The images ----------------------------------------------------------- */

static int open_sources(struct convert_job *job)
{
	const struct img_args *args = job->args;
	struct convert *convert = &job->convert;
	struct img_disk *source;
	struct img_open open;

	if (args->operand_count - 1 > CONVERT_SOURCES_MAX)
		return img_failed("more than %d images cannot become one",
				  CONVERT_SOURCES_MAX);
	for (size_t i = 0; i + 1 < args->operand_count; i++) {
		source = &convert->sources[i];
		if (img_open_operand(&open, args, i, 'T'))
			return IMG_FAILED;
		open.snapshot_id = img_snapshot_value(args);
		if (img_disk_begin(source, &open))
			return IMG_FAILED;
		convert->source_count++;
		if (!add_fits(convert->size, source->size, &convert->size))
			return img_failed("the images are too large together");
	}
	return 0;
}

static int set_text(char **field, const char *value)
{
	if (!value)
		return 0;
	free(*field);
	*field = strdup(value);
	return *field ? 0 : img_failed("out of memory");
}

/* What is said of it is said by -B, -F and -o. */
static int describe_target(struct convert_job *job)
{
	const struct img_args *args = job->args;
	struct img_create *create = &job->create;
	int ret = set_text(&create->backing, img_args_value(args, 'B'));

	if (!ret)
		ret = set_text(&create->backing_format,
			       img_args_value(args, 'F'));
	if (ret)
		return ret;
	if (job->convert.compress && create->format == BLOCK_RAW)
		return img_failed("Compression not supported for this file "
				  "format");
	if (create->backing && job->convert.source_count > 1)
		return img_failed("Having a backing file for the target makes "
				  "no sense when concatenating multiple input "
				  "images");
	if (create->backing && !create->backing_format && job->must_create)
		return img_failed("Use of backing file requires explicit "
				  "backing format");
	return 0;
}

static int convert(struct convert_job *job, const char *create_options)
{
	const struct img_args *args = job->args;
	enum block_format format = BLOCK_RAW;
	struct err err;

	if (parse(job, &format))
		return IMG_FAILED;
	if (img_create_init(&job->create,
			    args->operands[args->operand_count - 1], format,
			    create_options, &err))
		return img_failed("%s", err.text);
	if (open_sources(job) || describe_target(job))
		return IMG_FAILED;
	return convert_job_run(job);
}

static int convert_run(const struct img_args *args)
{
	struct convert_job *job = calloc(1, sizeof(*job));
	char *create_options = img_args_join(args, 'o');
	int ret = IMG_FAILED;

	if (!job || !create_options) {
		img_error("out of memory");
	} else {
		job->args = args;
		ret = convert(job, create_options);
		convert_job_fini(job);
	}
	free(create_options);
	free(job);
	return ret;
}

const struct img_command img_convert_command = {
	.name = "convert",
	.synopsis =
		"[-c] [-f FORMAT] [-O FORMAT] [-o KEY=VALUE,...] "
		"[-B BACKING_FILE -F FORMAT] [-l SNAPSHOT] [-S SIZE] [-m WORKERS] [-n] "
		"[--target-is-zero] [-t CACHE] [-T CACHE] [-p] [-q] [-U] "
		"FILE... TARGET",
	.options = options,
	.operands_min = 2,
	.operands_max = CONVERT_SOURCES_MAX + 1,
	.operands_wanted = "Must specify image file name",
	.run = convert_run,
};

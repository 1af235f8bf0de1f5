/*
 * block/img_convert.c - `alcor img convert`: what is copied where.
 *
 * A target that this command made is removed again when the copy fails or is
 * interrupted, so that no half of an image is taken for a whole one. Nothing
 * can be done about SIGKILL or power loss.
 */
#include "block/img_convert.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/math.h"
#include "base/parse.h"
#include "block/backing.h"
#include "block/img_command.h"
#include "block/img_create.h"
#include "block/img_size.h"
#include "block/img_stop.h"
#include "block/qcow2_describe.h"

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

#define SPARSE_SIZE_DEFAULT (4 * KIB)
#define SPARSE_SIZE_MAX	    (16 * MIB)

/* A raw target has no clusters; pieces end where these would. */
#define RAW_UNIT (64 * KIB)

/* The command, as it was typed. */
struct request {
	const struct img_args *args;
	struct convert convert;
	struct img_progress progress;
	const char *target_path;
	enum block_format target_format;
	char *create_options; /* owned; "": none */
	struct img_create create;
	bool must_create;
	char *data_path; /* owned; of a target with a data file, or NULL */
	bool is_made;	 /* the target is ours to remove */
};

/* --- What was typed ------------------------------------------------------- */

static int parse_sparse_size(struct request *request)
{
	const char *text = img_args_value(request->args, 'S');
	uint64_t *size = &request->convert.sparse_size;

	*size = SPARSE_SIZE_DEFAULT;
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
static int parse_workers(struct request *request)
{
	const char *text = img_args_value(request->args, 'm');
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t number = max_u64(2, cpus > 0 ? (uint64_t)cpus : 1);

	if (text &&
	    (!parse_number(text, CONVERT_WORKERS_MAX, &number) || !number))
		return img_failed("Invalid number of coroutines. Allowed "
				  "number of coroutines is between 1 and %d",
				  CONVERT_WORKERS_MAX);
	request->convert.workers = (unsigned int)min_u64(number,
							 CONVERT_WORKERS_MAX);
	return 0;
}

static int parse(struct request *request)
{
	const struct img_args *args = request->args;
	const char *format = img_args_value(args, 'O');
	struct err err;
	int ret = parse_sparse_size(request);

	if (!ret)
		ret = parse_workers(request);
	if (ret)
		return ret;
	request->convert.compress = img_args_has(args, 'c');
	request->must_create = !img_args_has(args, 'n');
	request->target_path = args->operands[args->operand_count - 1];
	if (img_format_parse(format ? format : "raw", &request->target_format,
			     &err))
		return img_failed("%s", err.text);
	if (img_args_has(args, 'B') && !img_args_has(args, 'F') &&
	    request->must_create)
		return img_failed("Use of backing file requires explicit "
				  "backing format");
	if (img_args_has(args, IMG_OPTION_TARGET_IS_ZERO) &&
	    request->must_create)
		return img_failed("--target-is-zero requires use of -n flag");
	return 0;
}

/* --- The images ----------------------------------------------------------- */

/* "snapshot.name=NAME", "snapshot.id=ID", or either alone. */
static const char *find_snapshot(const struct img_args *args)
{
	static const char *const keys[] = {"snapshot.name=", "snapshot.id="};
	const char *text = img_args_value(args, 'l');

	for (size_t i = 0; text && i < ARRAY_LENGTH(keys); i++)
		if (!strncmp(text, keys[i], strlen(keys[i])))
			return text + strlen(keys[i]);
	return text;
}

static int open_sources(struct request *request)
{
	const struct img_args *args = request->args;
	struct convert *convert = &request->convert;
	struct img_disk *source;
	struct img_open open;

	if (args->operand_count - 1 > CONVERT_SOURCES_MAX)
		return img_failed("more than %d images cannot become one",
				  CONVERT_SOURCES_MAX);
	for (size_t i = 0; i + 1 < args->operand_count; i++) {
		source = &convert->sources[i];
		if (img_open_operand(&open, args, i, 'T'))
			return IMG_FAILED;
		open.snapshot_id = find_snapshot(args);
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

static int create_target(struct request *request)
{
	const struct img_args *args = request->args;
	struct img_create *create = &request->create;
	struct err err;
	int ret = set_text(&create->backing, img_args_value(args, 'B'));

	if (!ret)
		ret = set_text(&create->backing_format,
			       img_args_value(args, 'F'));
	if (ret)
		return ret;
	if (!create->has_size)
		create->size = request->convert.size;
	request->convert.target_has_backing = create->backing;
	img_create_choose(create, request->convert.compress);
	if (create->data_file) {
		request->data_path = backing_path(create->path,
						  create->data_file);
		if (!request->data_path)
			return img_failed("out of memory");
	}
	if (img_create_make(create, &err))
		return img_failed("%s: error while converting %s: %s",
				  request->target_path,
				  img_format_name(request->target_format),
				  err.text);
	request->is_made = true;
	return 0;
}

/*
 * Its backing file is only looked at where that was named just now or, with
 * -n, by whoever made the image: then it must be there.
 */
static int open_target(struct request *request)
{
	const struct img_args *args = request->args;
	struct convert *convert = &request->convert;
	struct img_open open;

	if (img_open_operand(&open, args, args->operand_count - 1, 't'))
		return IMG_FAILED;
	open.format = img_format_name(request->target_format);
	open.writable = true;
	open.no_lock = false;
	if (request->is_made)
		open.backing = BLOCK_BACKING_ON;
	open.data_file = request->data_path;
	if (img_disk_begin(&convert->target, &open))
		return IMG_FAILED;
	if (!request->is_made)
		convert->target_has_backing = convert->target.top->backing;
	if (convert->target.size < convert->size)
		return img_failed("output file is smaller than input file");
	return 0;
}

/* Does it read as zeroes, without a look at it? */
static bool is_zero_by_making(const struct request *request)
{
	const struct file *file = request->convert.target.top->file;
	struct stat st;

	if (!request->is_made)
		return img_args_has(request->args, IMG_OPTION_TARGET_IS_ZERO);
	return request->target_format == BLOCK_QCOW2 ||
	       (!fstat(file->fd, &st) && S_ISREG(st.st_mode));
}

static int prepare_copy(struct request *request)
{
	struct convert *convert = &request->convert;
	struct qcow2_description qcow2;
	int ret;

	convert->unit = RAW_UNIT;
	convert->target_is_zero = is_zero_by_making(request);
	convert->stop = &img_stop;
	convert->progress = &request->progress;
	if (!img_disk_is_qcow2(&convert->target))
		return 0;
	ret = qcow2_describe(convert->target.top, &qcow2);
	if (ret)
		return img_failed("cannot read %s: %s", request->target_path,
				  strerror(-ret));
	convert->unit = qcow2.cluster_size;
	convert->compression = qcow2.compression;
	return 0;
}

/* --- The copy ------------------------------------------------------------- */

static int copy(struct request *request)
{
	uint64_t offset;
	bool reading;
	int ret;

	img_progress_start(&request->progress, request->args,
			   request->convert.size);
	ret = convert_copy(&request->convert, &offset, &reading);
	if (!ret)
		img_progress_show(&request->progress, request->convert.size);
	img_progress_stop(&request->progress);
	if (ret == -ECANCELED)
		return img_failed("interrupted at byte %" PRIu64, offset);
	if (ret)
		return img_failed("error while %s at byte %" PRIu64 ": %s",
				  reading ? "reading" : "writing", offset,
				  strerror(-ret));
	return 0;
}

static int convert(struct request *request)
{
	int ret = open_sources(request);

	if (!ret && request->must_create)
		ret = create_target(request);
	if (!ret)
		ret = open_target(request);
	if (!ret)
		ret = prepare_copy(request);
	if (!ret)
		ret = copy(request);
	return ret;
}

/* Closing writes back, which may fail as well. */
static int close_all(struct request *request, int ret)
{
	struct convert *convert = &request->convert;

	ret = img_disk_finish(&convert->target, request->target_path, ret);
	for (size_t i = 0; i < convert->source_count; i++)
		img_disk_close(&convert->sources[i]);
	return ret;
}

static int run(struct request *request)
{
	struct err err;
	int ret = parse(request);

	if (ret)
		return ret;
	if (img_create_init(&request->create, request->target_path,
			    request->target_format, request->create_options,
			    &err))
		return img_failed("%s", err.text);
	if (request->convert.compress && request->target_format == BLOCK_RAW)
		return img_failed("Compression not supported for this file "
				  "format");
	img_stop_catch();
	ret = close_all(request, convert(request));
	if (ret && request->is_made)
		img_create_remove(&request->create);
	img_stop_finish();
	return ret;
}

static int convert_run(const struct img_args *args)
{
	struct request *request = calloc(1, sizeof(*request));
	int ret;

	if (!request)
		return img_failed("out of memory");
	request->args = args;
	request->create_options = img_args_join(args, 'o');
	if (!request->create_options)
		ret = img_failed("out of memory");
	else
		ret = run(request);
	img_create_fini(&request->create);
	free(request->create_options);
	free(request->data_path);
	free(request);
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

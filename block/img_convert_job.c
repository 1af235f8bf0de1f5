/*
 * block/img_convert_job.c - a copy from beginning to end: the target is made
 * and opened, filled, and removed again if that fails; see img_convert.h.
 *
 * Nothing can be done about SIGKILL or power loss.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/math.h"
#include "block/backing.h"
#include "block/img_command.h"
#include "block/img_convert.h"
#include "block/img_stop.h"
#include "block/qcow2_compress.h"
#include "block/qcow2_describe.h"

/* A raw target has no clusters; pieces end where these would. */
#define RAW_UNIT (64 * KIB)

static int create_target(struct convert_job *job)
{
	struct img_create *create = &job->create;
	struct err err;

	if (!create->has_size)
		create->size = job->convert.size;
	img_create_choose(create, job->convert.compress);
	if (img_create_make(create, &err))
		return img_failed("%s: error while converting %s: %s",
				  create->path, img_format_name(create->format),
				  err.text);
	job->is_made = true;
	return 0;
}

/*
 * Its backing file is only looked at where that was named just now or, with
 * -n, by whoever made the image: then it must be there.
 */
static int open_target(struct convert_job *job)
{
	const struct img_create *create = &job->create;
	struct convert *convert = &job->convert;
	struct img_open open;
	struct err err;
	char *data_file = NULL; /* --data-file is the source's */
	int ret;

	if (img_open_init(&open, job->args, create->path, 't', &err))
		return img_failed("%s", err.text);
	open.format = img_format_name(create->format);
	open.writable = true;
	open.no_lock = false;
	open.explicit_zeroes = img_is_qemu_img();
	if (job->is_made)
		open.backing = BLOCK_BACKING_ON;
	if (create->data_file) {
		data_file = backing_path(create->path, create->data_file);
		if (!data_file)
			return img_failed("out of memory");
	}
	open.data_file = data_file;
	ret = img_disk_begin(&convert->target, &open);
	free(data_file);
	if (ret)
		return ret;
	if (img_args_has(job->args, IMG_OPTION_TARGET_IS_ZERO) &&
	    convert->target.top->backing)
		return img_failed("Cannot use --target-is-zero when the "
				  "destination image has a backing file");
	if (convert->target.size < convert->size)
		return img_failed("output file is smaller than input file");
	return 0;
}

/* Does it read as zeroes, without a look at it? */
static bool is_zero_by_making(const struct convert_job *job)
{
	const struct file *file = job->convert.target.top->file;
	struct stat st;

	if (!job->is_made)
		return img_args_has(job->args, IMG_OPTION_TARGET_IS_ZERO);
	return job->create.format == BLOCK_QCOW2 ||
	       (!fstat(file->fd, &st) && S_ISREG(st.st_mode));
}

static int prepare_copy(struct convert_job *job)
{
	struct convert *convert = &job->convert;
	struct qcow2_description qcow2;
	int ret;

	convert->unit = RAW_UNIT;
	convert->target_has_backing = job->create.backing;
	convert->target_is_zero = is_zero_by_making(job);
	convert->stop = &img_stop;
	convert->progress = &job->progress;
	if (!img_disk_is_qcow2(&convert->target))
		return 0;
	ret = qcow2_describe(convert->target.top, &qcow2);
	if (ret)
		return img_failed("cannot read %s: %s", job->create.path,
				  strerror(-ret));
	convert->unit = qcow2.cluster_size;
	convert->compression = qcow2.compression;
	if (convert->compress && !qcow2_can_compress(convert->compression))
		return img_failed("this program cannot compress by zstd; "
				  "-o compression_type=zlib does without");
	return 0;
}

static int copy(struct convert_job *job)
{
	uint64_t offset;
	bool reading;
	int ret;

	img_progress_start(&job->progress, job->args, job->convert.size);
	ret = convert_copy(&job->convert, &offset, &reading);
	if (!ret)
		img_progress_show(&job->progress, job->convert.size);
	img_progress_stop(&job->progress);
	if (ret == -ECANCELED)
		return img_failed("interrupted at byte %" PRIu64, offset);
	if (ret)
		return img_failed("error while %s at byte %" PRIu64 ": %s",
				  reading ? "reading" : "writing", offset,
				  strerror(-ret));
	return 0;
}

static int make_and_fill(struct convert_job *job)
{
	int ret = job->must_create ? create_target(job) : 0;

	if (!ret)
		ret = open_target(job);
	if (!ret)
		ret = prepare_copy(job);
	if (!ret)
		ret = copy(job);
	/* Closing writes back, which may fail as well. */
	return img_disk_finish(&job->convert.target, job->create.path, ret);
}

int convert_job_run(struct convert_job *job)
{
	int ret;

	img_stop_catch();
	ret = make_and_fill(job);
	if (ret && job->is_made)
		img_create_remove(&job->create);
	img_stop_finish();
	return ret;
}

void convert_job_fini(struct convert_job *job)
{
	for (size_t i = 0; i < job->convert.source_count; i++)
		img_disk_close(&job->convert.sources[i]);
	img_create_fini(&job->create);
}

/*
 * block/img_measure.c - `alcor img measure`: how large a file will be that a
 * disk is converted to; of a size, or of an image.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/math.h"
#include "block/img_command.h"
#include "block/img_create.h"
#include "block/img_info.h"
#include "block/img_size.h"
#include "block/img_status.h"

static const struct img_option options[] = {
	IMG_OPTIONS_COMMON,
	{'O', "output-format", true},
	{'U', "force-share", false},
	{'f', "format", true},
	{'l', "snapshot", true},
	{'o', NULL, true},
	{IMG_OPTION_OUTPUT, "output", true},
	{IMG_OPTION_SIZE, "size", true},
	{0},
};

struct measure {
	const struct img_args *args;
	struct img_disk disk; /* closed: a size was given */
	struct img_create create;
	bool json;
	uint64_t required; /* bytes, as are the others */
	uint64_t fully_allocated;
	bool has_bitmaps; /* the target keeps those of the image */
	uint64_t bitmaps;
};

/* Clusters of @cluster_size that would have data. */
static int count_data(struct img_disk *disk, uint64_t cluster_size,
		      uint64_t *ret_clusters)
{
	struct img_status status;
	uint64_t end = 0; /* of the last cluster that was counted */
	int ret;

	*ret_clusters = 0;
	for (uint64_t at = 0; at < disk->size; at += status.length) {
		ret = img_status_get(disk, at, disk->size - at, &status);
		if (ret)
			return ret;
		if (status.zero || !status.data || at + status.length <= end)
			continue;
		end = max_u64(end, align_down(at, cluster_size));
		*ret_clusters += div_round_up(at + status.length - end,
					      cluster_size);
		end = align_up(at + status.length, cluster_size);
	}
	return 0;
}

/* A bit for each granule, in whole clusters; their table; and a directory. */
static int measure_bitmaps(struct measure *measure)
{
	uint64_t cluster_size = measure->create.cluster_size;
	uint64_t clusters, directory = 0;
	struct img_info info;
	struct err err;

	if (img_info_init(&info, &measure->disk, &err))
		return img_failed("%s", err.text);
	measure->has_bitmaps = info.is_qcow2 && info.qcow2.version > 2;
	for (size_t i = 0; i < info.bitmap_count; i++) {
		clusters = div_round_up(measure->disk.size,
					info.bitmaps[i].granularity);
		clusters = div_round_up(div_round_up(clusters, 8),
					cluster_size);
		measure->bitmaps += clusters * cluster_size;
		measure->bitmaps += align_up(clusters * sizeof(be64),
					     cluster_size);
		directory += align_up(sizeof(struct qcow2_bitmap_entry) +
					      strlen(info.bitmaps[i].name),
				      8);
	}
	measure->bitmaps += align_up(directory, cluster_size);
	img_info_fini(&info);
	return 0;
}

static int measure_qcow2(struct measure *measure,
			 const struct qcow2_create_options *qcow2,
			 enum preallocation how)
{
	uint64_t cluster_size = 1ULL << qcow2->cluster_bits, data = 0;
	uint64_t all = div_round_up(qcow2->size, cluster_size), metadata;
	int ret;

	/* What a backing file will hold of it nobody knows here. */
	if (how == PREALLOCATE_FALLOC || how == PREALLOCATE_FULL ||
	    (measure->disk.block && qcow2->backing))
		data = all;
	else if (measure->disk.block) {
		ret = count_data(&measure->disk, cluster_size, &data);
		if (ret)
			return img_failed("cannot read the image: %s",
					  strerror(-ret));
	}
	metadata = qcow2_create_metadata_size(qcow2);
	measure->required = metadata + data * cluster_size;
	measure->fully_allocated = metadata + all * cluster_size;
	if (measure->disk.block && qcow2->version > 2)
		return measure_bitmaps(measure);
	return 0;
}

static int measure_target(struct measure *measure)
{
	struct qcow2_create_options qcow2;
	enum preallocation how;
	struct err err;

	if (measure->disk.block)
		measure->create.size = measure->disk.size;
	img_create_choose(&measure->create, false);
	if (img_create_plan(&measure->create, &qcow2, &how, &err))
		return img_failed("%s", err.text);
	if (measure->create.format == BLOCK_QCOW2)
		return measure_qcow2(measure, &qcow2, how);
	measure->required = align_up(measure->create.size, BLOCK_SECTOR);
	measure->fully_allocated = measure->required;
	return 0;
}

static void print(const struct measure *measure)
{
	struct json json = {.out = stdout};

	if (measure->json) {
		json_object(&json, NULL);
		if (measure->has_bitmaps)
			json_number(&json, "bitmaps", measure->bitmaps);
		json_number(&json, "required", measure->required);
		json_number(&json, "fully-allocated", measure->fully_allocated);
		json_object_end(&json);
		return;
	}
	printf("required size: %" PRIu64 "\n"
	       "fully allocated size: %" PRIu64 "\n",
	       measure->required, measure->fully_allocated);
	if (measure->has_bitmaps)
		printf("bitmaps size: %" PRIu64 "\n", measure->bitmaps);
}

/* What is measured: a size, or an image. */
static int open_source(struct measure *measure)
{
	const struct img_args *args = measure->args;
	const char *size = img_args_value(args, IMG_OPTION_SIZE);
	struct img_open open;

	if (size && !img_size_parse(size, &measure->create.size))
		return img_bad_size("image size");
	if (!args->operand_count &&
	    (img_args_has(args, 'f') || img_args_has(args, 'l')))
		return img_failed("--image-opts, -f, and -l require a filename "
				  "argument.");
	if (!args->operand_count && !size)
		return img_failed("Either --size N or one filename must be "
				  "specified.");
	if (args->operand_count && size)
		return img_failed("--size N cannot be used together with a "
				  "filename.");
	if (size)
		return 0;
	if (img_open_operand(&open, args, 0, 0))
		return IMG_FAILED;
	open.snapshot_id = img_snapshot_value(args);
	return img_disk_begin(&measure->disk, &open);
}

static int run(struct measure *measure)
{
	const struct img_args *args = measure->args;
	const char *format_name = img_args_value(args, 'O');
	enum block_format format = BLOCK_RAW;
	char *text = img_args_join(args, 'o');
	struct err err;
	int ret;

	if (!text)
		return img_failed("out of memory");
	if (img_output_is_json(args, &measure->json))
		ret = IMG_FAILED;
	else if (format_name && img_format_parse(format_name, &format, &err))
		ret = img_failed("%s", err.text);
	else if (img_create_init(&measure->create, "", format, text, &err)) {
		img_error("%s", err.text);
		ret = img_failed("Invalid options for file format '%s'",
				 img_format_name(format));
	} else
		ret = open_source(measure);
	free(text);
	if (!ret)
		ret = measure_target(measure);
	if (!ret)
		print(measure);
	return ret;
}

static int measure_run(const struct img_args *args)
{
	struct measure measure = {.args = args};
	int ret = run(&measure);

	img_disk_close(&measure.disk);
	img_create_fini(&measure.create);
	return ret;
}

const struct img_command img_measure_command = {
	.name = "measure",
	.synopsis = "[--output human|json] [-O FORMAT] [-o KEY=VALUE,...] "
		    "--size SIZE | [-f FORMAT] [-l SNAPSHOT] [-U] FILE",
	.options = options,
	.operands_min = 0,
	.operands_max = 1,
	.operands_wanted = "At most one filename argument is allowed.",
	.run = measure_run,
};

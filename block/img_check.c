/*
 * block/img_check.c - `alcor img check`.
 *
 * Exit status: 0 all is well (now); 1 the check itself failed; 2 errors; 3
 * leaked clusters only; 63 the format has nothing to check.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "block/img_command.h"
#include "block/img_disk.h"
#include "block/qcow2_check.h"

static const struct img_option options[] = {
	IMG_OPTIONS_COMMON,
	{'f', "format", true},
	{'q', "quiet", false},
	{'r', "repair", true},
	{'T', NULL, true},
	{'U', "force-share", false},
	{IMG_OPTION_OUTPUT, "output", true},
	{0},
};

enum check_status {
	CHECK_CLEAN = 0,
	CHECK_FAILED = 1,
	CHECK_ERRORS = 2,
	CHECK_LEAKS = 3,
	CHECK_NOT_SUPPORTED = 63,
};

struct check {
	struct file *file;
	const char *path;
	struct qcow2_check_options options;
	struct qcow2_check_result result;
	bool json;
	bool quiet;
};

static void tell(void *context, const char *line)
{
	fprintf(context, "%s\n", line);
}

static void print_faults(const struct qcow2_check_result *result)
{
	if (!result->corruptions && !result->leaks && !result->check_errors) {
		printf("No errors were found on the image.\n");
		return;
	}
	if (result->corruptions)
		printf("\n%" PRIu64
		       " errors were found on the image.\nData may be "
		       "corrupted, or further writes to the image may corrupt "
		       "it.\n",
		       result->corruptions);
	if (result->leaks)
		printf("\n%" PRIu64
		       " leaked clusters were found on the image.\nThis means "
		       "waste of disk space, but no harm to data.\n",
		       result->leaks);
	if (result->check_errors)
		printf("\n%" PRIu64
		       " internal errors have occurred during the check.\n",
		       result->check_errors);
}

static void print_text(const struct qcow2_check_result *result)
{
	double allocated = (double)result->allocated_clusters;

	print_faults(result);
	if (result->total_clusters && result->allocated_clusters)
		printf("%" PRIu64 "/%" PRIu64 " = %0.2f%% allocated, %0.2f%% "
		       "fragmented, %0.2f%% compressed clusters\n",
		       result->allocated_clusters, result->total_clusters,
		       allocated * 100 / (double)result->total_clusters,
		       (double)result->fragmented_clusters * 100 / allocated,
		       (double)result->compressed_clusters * 100 / allocated);
	if (result->image_end_offset)
		printf("Image end offset: %" PRIu64 "\n",
		       result->image_end_offset);
}

static void json_count(struct json *json, const char *key, uint64_t count)
{
	if (count)
		json_number(json, key, count);
}

/* In the order of qemu-img's hash table. */
static void print_json(const struct check *check)
{
	const struct qcow2_check_result *result = &check->result;
	struct json json = {.out = stdout};

	json_object(&json, NULL);
	json_count(&json, "image-end-offset", result->image_end_offset);
	json_count(&json, "compressed-clusters", result->compressed_clusters);
	json_count(&json, "total-clusters", result->total_clusters);
	json_count(&json, "corruptions", result->corruptions);
	json_count(&json, "corruptions-fixed", result->corruptions_fixed);
	json_number(&json, "check-errors", result->check_errors);
	json_count(&json, "leaks", result->leaks);
	json_count(&json, "leaks-fixed", result->leaks_fixed);
	json_count(&json, "allocated-clusters", result->allocated_clusters);
	json_text(&json, "filename", check->path);
	json_text(&json, "format", "qcow2");
	json_count(&json, "fragmented-clusters", result->fragmented_clusters);
	json_object_end(&json);
}

static int judge(const struct qcow2_check_result *result)
{
	if (result->corruptions)
		return CHECK_ERRORS;
	if (result->leaks)
		return CHECK_LEAKS;
	return result->check_errors ? CHECK_FAILED : CHECK_CLEAN;
}

/* Findings may be very many: only a terminal gets each at once. */
static int look(struct check *check, struct err *err)
{
	FILE *findings = fdopen(dup(STDERR_FILENO), "w");
	int ret;

	fflush(stdout);
	check->options.context = findings ? findings : stderr;
	ret = qcow2_check(check->file, &check->options, &check->result, err);
	if (findings)
		fclose(findings);
	return ret;
}

/* A second look after a repair: those are the counts that are printed. */
static int check_again(struct check *check, struct err *err)
{
	uint64_t corruptions_fixed = check->result.corruptions_fixed;
	uint64_t leaks_fixed = check->result.leaks_fixed;
	int ret;

	if (!corruptions_fixed && !leaks_fixed)
		return 0;
	if (!check->json && !check->quiet)
		printf("The following inconsistencies were found and "
		       "repaired:\n\n    %" PRIu64 " leaked clusters\n    "
		       "%" PRIu64 " corruptions\n\nDouble checking the fixed "
		       "image now...\n",
		       leaks_fixed, corruptions_fixed);
	check->options.fix = 0;
	ret = look(check, err);
	check->result.corruptions_fixed = corruptions_fixed;
	check->result.leaks_fixed = leaks_fixed;
	return ret;
}

static int check_file(struct check *check)
{
	struct err err;
	int ret = look(check, &err);

	if (!ret)
		ret = check_again(check, &err);
	if (ret) {
		img_error("Check failed: %s", err.text);
		return CHECK_FAILED;
	}
	if (check->json)
		print_json(check);
	else if (!check->quiet)
		print_text(&check->result);
	return judge(&check->result);
}

static int parse_repair(struct check *check, const char *value)
{
	if (!value)
		return 0;
	check->options.fix = QCOW2_FIX_LEAKS;
	if (!strcmp(value, "all"))
		check->options.fix |= QCOW2_FIX_ERRORS;
	else if (strcmp(value, "leaks")) {
		img_error("Unknown option value for -r (expecting 'leaks' or "
			  "'all'): %s",
			  value);
		return img_try_help();
	}
	return 0;
}

static int check_run(const struct img_args *args)
{
	struct check check = {
		.path = args->operands[0],
		.quiet = img_args_has(args, 'q'),
	};
	enum block_format format;
	struct img_open open;
	struct err err;
	int ret;

	if (img_output_is_json(args, &check.json) ||
	    parse_repair(&check, img_args_value(args, 'r')))
		return CHECK_FAILED;
	check.options.name = check.path;
	check.options.tell = tell;
	if (img_open_operand(&open, args, 0, 'T'))
		return CHECK_FAILED;
	open.writable = check.options.fix;
	if (img_file_open(&open, &check.file, &format, &err))
		return img_failed("%s", err.text);
	if (format == BLOCK_RAW) {
		img_error("This image format does not support checks");
		ret = CHECK_NOT_SUPPORTED;
	} else {
		ret = check_file(&check);
	}
	file_close(check.file);
	return ret;
}

const struct img_command img_check_command = {
	.name = "check",
	.synopsis = "[-q] [-f FORMAT] [--output human|json] [-r leaks|all] "
		    "[-T CACHE] [-U] FILE",
	.options = options,
	.operands_min = 1,
	.operands_max = 1,
	.operands_wanted = "Expecting one image file name",
	.run = check_run,
};

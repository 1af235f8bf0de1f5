/*
 * block/img_info.c - what an image says of itself; see img_info.h.
 *
 * The order of the members is that of qemu-img 7.2, which is its hash table's.
 */
#include "block/img_info.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "block/backing.h"
#include "block/img_size.h"
#include "block/img_time.h"

static const char *compression_name(const struct img_info *info)
{
	return info->qcow2.compression == QCOW2_ZSTD ? "zstd" : "zlib";
}

static const char *version_name(const struct img_info *info)
{
	return info->qcow2.version == 2 ? "0.10" : "1.1";
}

static int cannot_read(const struct image *image, int code, const char *what,
		       struct err *err)
{
	if (code == -EUCLEAN)
		return err_set(err, EUCLEAN, "the %s of '%s' cannot be right",
			       what, image->name);
	return err_errno(err, -code, "cannot read the %s of '%s'", what,
			 image->name);
}

static int read_qcow2(struct img_info *info, struct image *image,
		      struct err *err)
{
	int ret = qcow2_describe(image, &info->qcow2);

	if (ret)
		return cannot_read(image, ret, "header", err);
	ret = qcow2_snapshots_read(image, &info->snapshots,
				   &info->snapshot_count);
	if (ret)
		return cannot_read(image, ret, "snapshots", err);
	ret = qcow2_bitmaps_read(image, &info->bitmaps, &info->bitmap_count);
	return ret ? cannot_read(image, ret, "bitmaps", err) : 0;
}

int img_info_init(struct img_info *info, const struct img_disk *disk,
		  struct err *err)
{
	struct image *image = disk->top;
	struct stat st;
	int ret = 0;

	*info = (struct img_info){
		.image = image,
		.is_qcow2 = img_disk_is_qcow2(disk),
	};
	if (!fstat(image->file->fd, &st))
		info->actual_size = (uint64_t)st.st_blocks * 512;
	if (info->is_qcow2)
		ret = read_qcow2(info, image, err);
	if (ret || !image->backing_ref.name[0])
		return ret;
	info->backing_path = backing_path(image->name, image->backing_ref.name);
	if (!info->backing_path)
		return err_set(err, ENOMEM, "out of memory");
	return 0;
}

void img_info_fini(struct img_info *info)
{
	qcow2_snapshots_free(info->snapshots, info->snapshot_count);
	qcow2_bitmaps_free(info->bitmaps, info->bitmap_count);
	free(info->backing_path);
	*info = (struct img_info){0};
}

/* --- For people ----------------------------------------------------------- */

static const char *yes(bool value)
{
	return value ? "true" : "false";
}

static void print_bitmaps(const struct img_info *info)
{
	const struct qcow2_bitmap *bitmap = info->bitmaps;
	int flags;

	if (info->bitmap_count)
		printf("    bitmaps:\n");
	for (size_t i = 0; i < info->bitmap_count; i++, bitmap++) {
		flags = 0;
		printf("        [%zu]:\n            flags:\n", i);
		if (bitmap->in_use)
			printf("                [%d]: in-use\n", flags++);
		if (bitmap->automatic)
			printf("                [%d]: auto\n", flags++);
		printf("            name: %s\n            granularity: %" PRIu64
		       "\n",
		       bitmap->name, bitmap->granularity);
	}
}

void img_info_print_specific(const struct img_info *info)
{
	const struct qcow2_description *qcow2 = &info->qcow2;

	printf("Format specific information:\n    compat: %s\n    compression "
	       "type: %s\n",
	       version_name(info), compression_name(info));
	if (qcow2->version > 2)
		printf("    lazy refcounts: %s\n", yes(qcow2->lazy_refcounts));
	print_bitmaps(info);
	printf("    refcount bits: %u\n", qcow2->refcount_bits);
	if (qcow2->version < 3)
		return;
	if (qcow2->data_file[0])
		printf("    data file: %s\n    data file raw: %s\n",
		       qcow2->data_file, yes(qcow2->data_file_raw));
	printf("    corrupt: %s\n    extended l2: %s\n", yes(qcow2->corrupt),
	       yes(qcow2->extended_l2));
}

static void print_snapshot(const struct qcow2_snapshot *snapshot)
{
	uint64_t ms = snapshot->guest_nanoseconds / 1000000;
	char size[IMG_SIZE_TEXT_MAX], date[IMG_TIME_TEXT_MAX], icount[24] = "";
	char run[48];

	snprintf(run, sizeof(run), "%02" PRIu64 ":%02u:%02u.%03u", ms / 3600000,
		 (unsigned int)(ms / 60000 % 60),
		 (unsigned int)(ms / 1000 % 60), (unsigned int)(ms % 1000));
	if (snapshot->icount != UINT64_MAX)
		snprintf(icount, sizeof(icount), "%" PRIu64, snapshot->icount);
	printf("%-9s %-16s %8s%20s%13s%11s\n", snapshot->id, snapshot->name,
	       img_size_text(snapshot->vm_state_size, size),
	       img_time_text(snapshot->seconds, date), run, icount);
}

void img_info_print_snapshots(const struct qcow2_snapshot *list, size_t count)
{
	if (!count)
		return;
	printf("Snapshot list:\n%-9s %-16s %8s%20s%13s%11s\n", "ID", "TAG",
	       "VM SIZE", "DATE", "VM CLOCK", "ICOUNT");
	for (size_t i = 0; i < count; i++)
		print_snapshot(&list[i]);
}

static void print_backing(const struct img_info *info)
{
	const struct image_backing *backing = &info->image->backing_ref;

	if (!info->backing_path)
		return;
	printf("backing file: %s", backing->name);
	if (strcmp(backing->name, info->backing_path))
		printf(" (actual path: %s)", info->backing_path);
	printf("\n");
	if (backing->format[0])
		printf("backing file format: %s\n", backing->format);
}

void img_info_print(const struct img_info *info)
{
	char virtual[IMG_SIZE_TEXT_MAX], actual[IMG_SIZE_TEXT_MAX];

	printf("image: %s\nfile format: %s\nvirtual size: %s (%" PRIu64
	       " bytes)\ndisk size: %s\n",
	       info->image->name, info->is_qcow2 ? "qcow2" : "raw",
	       img_size_text(info->image->size, virtual), info->image->size,
	       img_size_text(info->actual_size, actual));
	if (!info->is_qcow2)
		return;
	if (info->qcow2.dirty)
		printf("cleanly shut down: no\n");
	printf("cluster_size: %" PRIu64 "\n", info->qcow2.cluster_size);
	print_backing(info);
	img_info_print_snapshots(info->snapshots, info->snapshot_count);
	img_info_print_specific(info);
}

/* --- For programs --------------------------------------------------------- */

static void json_snapshots(const struct img_info *info, struct json *json)
{
	const struct qcow2_snapshot *snapshot = info->snapshots;

	json_array(json, "snapshots");
	for (size_t i = 0; i < info->snapshot_count; i++, snapshot++) {
		json_object(json, NULL);
		if (snapshot->icount != UINT64_MAX)
			json_number(json, "icount", snapshot->icount);
		json_number(json, "vm-clock-nsec",
			    snapshot->guest_nanoseconds % 1000000000);
		json_text(json, "name", snapshot->name);
		json_number(json, "date-sec", snapshot->seconds);
		json_number(json, "date-nsec", snapshot->nanoseconds);
		json_number(json, "vm-clock-sec",
			    snapshot->guest_nanoseconds / 1000000000);
		json_text(json, "id", snapshot->id);
		json_number(json, "vm-state-size", snapshot->vm_state_size);
		json_object_end(json);
	}
	json_array_end(json);
}

static void json_bitmaps(const struct img_info *info, struct json *json)
{
	const struct qcow2_bitmap *bitmap = info->bitmaps;

	json_array(json, "bitmaps");
	for (size_t i = 0; i < info->bitmap_count; i++, bitmap++) {
		json_object(json, NULL);
		json_array(json, "flags");
		if (bitmap->in_use)
			json_text(json, NULL, "in-use");
		if (bitmap->automatic)
			json_text(json, NULL, "auto");
		json_array_end(json);
		json_text(json, "name", bitmap->name);
		json_number(json, "granularity", bitmap->granularity);
		json_object_end(json);
	}
	json_array_end(json);
}

static void json_specific(const struct img_info *info, struct json *json)
{
	const struct qcow2_description *qcow2 = &info->qcow2;

	json_object(json, "format-specific");
	json_text(json, "type", "qcow2");
	json_object(json, "data");
	json_text(json, "compat", version_name(info));
	json_text(json, "compression-type", compression_name(info));
	if (qcow2->version > 2)
		json_bool(json, "lazy-refcounts", qcow2->lazy_refcounts);
	if (info->bitmap_count)
		json_bitmaps(info, json);
	json_number(json, "refcount-bits", qcow2->refcount_bits);
	if (qcow2->data_file[0]) {
		json_text(json, "data-file", qcow2->data_file);
		json_bool(json, "data-file-raw", qcow2->data_file_raw);
	}
	if (qcow2->version > 2) {
		json_bool(json, "corrupt", qcow2->corrupt);
		json_bool(json, "extended-l2", qcow2->extended_l2);
	}
	json_object_end(json);
	json_object_end(json);
}

void img_info_json(const struct img_info *info, struct json *json,
		   const char *key)
{
	const struct image_backing *backing = &info->image->backing_ref;

	json_object(json, key);
	if (backing->format[0])
		json_text(json, "backing-filename-format", backing->format);
	if (info->snapshot_count)
		json_snapshots(info, json);
	json_number(json, "virtual-size", info->image->size);
	json_text(json, "filename", info->image->name);
	if (info->is_qcow2)
		json_number(json, "cluster-size", info->qcow2.cluster_size);
	json_text(json, "format", info->is_qcow2 ? "qcow2" : "raw");
	json_number(json, "actual-size", info->actual_size);
	if (info->is_qcow2)
		json_specific(info, json);
	if (info->backing_path) {
		json_text(json, "full-backing-filename", info->backing_path);
		json_text(json, "backing-filename", backing->name);
	}
	json_bool(json, "dirty-flag", info->qcow2.dirty);
	json_object_end(json);
}

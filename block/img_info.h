/*
 * block/img_info.h - what `alcor img info` tells of one image.
 */
#ifndef BLOCK_IMG_INFO_H
#define BLOCK_IMG_INFO_H

#include <stdio.h>

#include "base/json.h"
#include "block/img_disk.h"
#include "block/qcow2_describe.h"

struct img_info {
	const struct image *image; /* the rest of the chain is not looked at */
	uint64_t actual_size;	   /* bytes that the host has allocated */
	bool is_qcow2;
	struct qcow2_description qcow2;
	struct qcow2_snapshot *snapshots;
	size_t snapshot_count;
	struct qcow2_bitmap *bitmaps;
	size_t bitmap_count;
	char *backing_path; /* seen from here; NULL: none */
};

/* Of the image at the top of @disk, which stays open as long. */
int img_info_init(struct img_info *info, const struct img_disk *disk,
		  struct err *err);
void img_info_fini(struct img_info *info);

void img_info_print(const struct img_info *info);
void img_info_json(const struct img_info *info, struct json *json,
		   const char *key);

/* "Format specific information" alone. */
void img_info_print_specific(const struct img_info *info);

/* The table of snapshots, if there are any, with its two lines of heading. */
void img_info_print_snapshots(const struct qcow2_snapshot *list, size_t count);

#endif

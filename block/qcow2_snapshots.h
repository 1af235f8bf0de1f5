/*
 * block/qcow2_snapshots.h - creating, applying and deleting internal snapshots.
 *
 * @file holds the image, is open for writing here and nowhere else; @image is
 * its name, for messages. An image with errors is refused, and nothing is
 * changed then. Each call survives power cuts: the image is the old one or the
 * new one. The list of snapshots is read by qcow2_describe.h.
 */
#ifndef BLOCK_QCOW2_SNAPSHOTS_H
#define BLOCK_QCOW2_SNAPSHOTS_H

#include "base/err.h"
#include "block/file.h"

/* Names need not be unique; the id is the next free number. */
int qcow2_snapshot_create(struct file *file, const char *image,
			  const char *name, struct err *err);

/* By id, or else by name: the first of that name. -ENOENT: there is none. */
int qcow2_snapshot_apply(struct file *file, const char *image,
			 const char *id_or_name, struct err *err);

/* By name, or else by id. */
int qcow2_snapshot_delete(struct file *file, const char *image,
			  const char *id_or_name, struct err *err);

#endif

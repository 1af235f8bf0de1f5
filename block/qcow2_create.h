/*
 * block/qcow2_create.h - making an empty image.
 */
#ifndef BLOCK_QCOW2_CREATE_H
#define BLOCK_QCOW2_CREATE_H

#include <stdbool.h>

#include "block/file.h"
#include "block/qcow2_format.h"

struct qcow2_create_options {
	uint64_t size; /* bytes, a multiple of 512 */
	unsigned int cluster_bits;
	unsigned int version;	     /* 2 or 3 */
	unsigned int refcount_order; /* 4 for version 2 */
	enum qcow2_compression compression;
	bool lazy_refcounts;	    /* version 3 */
	bool extended_l2;	    /* version 3, cluster_bits 14 and more */
	const char *data_file;	    /* NULL: the image itself; version 3 */
	bool data_file_raw;	    /* with data_file, without backing */
	const char *backing;	    /* NULL: none */
	const char *backing_format; /* NULL: not stated */
};

/* The largest disk for such clusters: what the largest L1 table maps. */
uint64_t qcow2_create_size_max(unsigned int cluster_bits, bool extended_l2);

/*
 * What an image's own tables take once all of the disk has clusters, in bytes:
 * the file is so much longer than the disk then.
 */
uint64_t qcow2_create_metadata_size(const struct qcow2_create_options *options);

/*
 * Writes an empty image into an empty file. What lies in the data file is not
 * looked at; of a raw one every byte should be zero.
 */
int qcow2_create(struct file *file, const struct qcow2_create_options *options,
		 struct err *err);

#endif

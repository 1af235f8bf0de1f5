/*
 * block/qcow2_describe.h - what tools tell people of a qcow2 image.
 *
 * Reads what a disk's own work has no need of; changes nothing. The image must
 * be open, and no other request under way.
 */
#ifndef BLOCK_QCOW2_DESCRIBE_H
#define BLOCK_QCOW2_DESCRIBE_H

#include "block/image.h"
#include "block/qcow2_format.h"

struct qcow2_description {
	unsigned int version;
	uint64_t cluster_size;
	unsigned int refcount_bits;
	enum qcow2_compression compression;
	bool lazy_refcounts;
	bool dirty;
	bool corrupt;
	bool extended_l2;
	bool data_file_raw;
	char data_file[1024]; /* empty: none */
};

/* A snapshot inside the image. Texts are owned. */
struct qcow2_snapshot {
	char *id;
	char *name;
	uint32_t seconds; /* since 1970, when it was made */
	uint32_t nanoseconds;
	uint64_t guest_nanoseconds; /* that the guest had run */
	uint64_t vm_state_size;
	uint64_t disk_size;
	uint64_t icount; /* UINT64_MAX: not known */
	uint64_t l1_offset;
	uint64_t l1_size; /* entries */
};

/* A persistent dirty bitmap inside the image. */
struct qcow2_bitmap {
	char *name; /* owned */
	uint64_t granularity;
	bool in_use;	/* by a writer, or not closed by one */
	bool automatic; /* it records what is written */
};

/* -EUCLEAN where an extension of the header is wrong. */
int qcow2_describe(struct image *image, struct qcow2_description *ret);

/*
 * Does a range of the image's file touch one of its tables? Any thread, at any
 * time; of another format, nothing does.
 */
bool qcow2_is_table(struct image *image, uint64_t offset, uint64_t length);

/* -EUCLEAN where the list cannot be right. The list is freed by its _free. */
int qcow2_snapshots_read(struct image *image, struct qcow2_snapshot **ret_list,
			 size_t *ret_count);
void qcow2_snapshots_free(struct qcow2_snapshot *list, size_t count);

int qcow2_bitmaps_read(struct image *image, struct qcow2_bitmap **ret_list,
		       size_t *ret_count);
void qcow2_bitmaps_free(struct qcow2_bitmap *list, size_t count);

#endif

/*
 * block/qcow2_format.h - the on-disk format: QEMU's docs/interop/qcow2.
 *
 * Names follow the specification. Everything on disk is big endian.
 */
#ifndef BLOCK_QCOW2_FORMAT_H
#define BLOCK_QCOW2_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/endian.h"
#include "base/math.h"

#define QCOW2_MAGIC	0x514649fbU
#define QCOW2_V2_LENGTH 72
#define QCOW2_V3_LENGTH 104 /* without compression_type */

struct qcow2_header {
	be32 magic;
	be32 version;
	be64 backing_file_offset;
	be32 backing_file_size;
	be32 cluster_bits;
	be64 size;
	be32 crypt_method;
	be32 l1_size;
	be64 l1_table_offset;
	be64 refcount_table_offset;
	be32 refcount_table_clusters;
	be32 nb_snapshots;
	be64 snapshots_offset;
	/* Version 3 */
	be64 incompatible_features;
	be64 compatible_features;
	be64 autoclear_features;
	be32 refcount_order;
	be32 header_length;
	uint8_t compression_type;
	uint8_t padding[7];
};

_Static_assert(sizeof(struct qcow2_header) == 112, "no gaps on disk");

/* incompatible_features */
#define QCOW2_DIRTY	  (1ULL << 0)
#define QCOW2_CORRUPT	  (1ULL << 1)
#define QCOW2_DATA_FILE	  (1ULL << 2)
#define QCOW2_COMPRESSION (1ULL << 3)
#define QCOW2_EXTENDED_L2 (1ULL << 4)

/* compatible_features */
#define QCOW2_LAZY_REFCOUNTS (1ULL << 0)

/* autoclear_features */
#define QCOW2_BITMAPS	    (1ULL << 0)
#define QCOW2_BITMAPS	    (1ULL << 0)
#define QCOW2_DATA_FILE_RAW (1ULL << 1)

enum qcow2_compression { QCOW2_DEFLATE = 0, QCOW2_ZSTD = 1 };

/* Header extensions */
#define QCOW2_EXTENSION_END	       0x00000000U
#define QCOW2_EXTENSION_BACKING_FORMAT 0xe2792acaU
#define QCOW2_EXTENSION_FEATURE_NAMES  0x6803f857U
#define QCOW2_EXTENSION_BITMAPS	       0x23852875U
#define QCOW2_EXTENSION_DATA_FILE      0x44415441U /* its name */

struct qcow2_extension {
	be32 type;
	be32 length;
};

struct qcow2_feature_name {
	uint8_t type; /* 0: incompatible */
	uint8_t bit;
	char name[46]; /* padded with zeroes, if shorter */
};

/*
 * L1 and L2 table entries, and those of the refcount table. With extended L2
 * entries, 8 bytes follow in L2: a bit per subcluster that is allocated, and
 * from bit 32 on one per subcluster that reads as zeroes.
 */
#define QCOW2_COPIED	      (1ULL << 63)
#define QCOW2_COMPRESSED_FLAG (1ULL << 62)
#define QCOW2_ZERO_FLAG	      (1ULL << 0)
#define QCOW2_OFFSET_MASK     0x00fffffffffffe00ULL
#define QCOW2_REFTABLE_MASK   0xfffffffffffffe00ULL

/* A host offset that fits a table entry. */
#define QCOW2_OFFSET_LIMIT (1ULL << 56)

struct qcow2_snapshot_header {
	be64 l1_table_offset;
	be32 l1_size;
	be16 id_length;
	be16 name_length;
	be32 seconds;
	be32 nanoseconds;
	be64 guest_nanoseconds;
	be32 vm_state_size;
	be32 extra_size;
};

_Static_assert(sizeof(struct qcow2_snapshot_header) == 40, "no gaps on disk");

/* The data of the bitmaps extension, and an entry of their directory. */
struct qcow2_bitmaps_extension {
	be32 count;
	be32 reserved;
	be64 directory_size;
	be64 directory_offset;
};

struct qcow2_bitmap_entry {
	be64 table_offset;
	be32 table_size; /* entries */
	be32 flags;
	uint8_t type;
	uint8_t granularity_bits;
	be16 name_length;
	be32 extra_size;
};

_Static_assert(sizeof(struct qcow2_bitmap_entry) == 24, "no gaps on disk");

#define QCOW2_SUBCLUSTERS 32 /* of a cluster, with extended L2 entries */

/* The part of a disk that one L2 table maps, in bytes. */
static inline uint64_t qcow2_l2_covers(unsigned int cluster_bits,
				       bool extended_l2)
{
	return 1ULL << (2 * cluster_bits - (extended_l2 ? 4 : 3));
}

/* What this program takes: QEMU's limits. */
#define QCOW2_CLUSTER_BITS_MIN		9
#define QCOW2_CLUSTER_BITS_MIN_EXTENDED 14 /* with extended L2 entries */
#define QCOW2_CLUSTER_BITS_MAX		21
#define QCOW2_REFCOUNT_ORDER_MAX	6
#define QCOW2_L1_BYTES_MAX		(32 * MIB)
#define QCOW2_REFTABLE_BYTES_MAX	(8 * MIB)
#define QCOW2_BACKING_NAME_MAX		1023
#define QCOW2_DATA_NAME_MAX		1023
#define QCOW2_SNAPSHOTS_MAX		65536
#define QCOW2_SNAPSHOT_BYTES_MAX	(16 * MIB)
#define QCOW2_SNAPSHOT_EXTRA_MAX	1024

#endif

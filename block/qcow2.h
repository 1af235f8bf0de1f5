/*
 * block/qcow2.h - qcow2 from the inside: private to block/qcow2_*.c.
 *
 * In reading order:
 *   qcow2_format.h	  the format on disk
 *   qcow2_header.c	  header and extensions: checked, and what is refused
 *   qcow2_state.c	  what is in memory of an open image
 *   qcow2_open.c	  opening and closing, the ops table
 *   qcow2_cache.c	  pieces of L2 tables and refcount blocks in memory
 *   qcow2_entry.c	  what an L1 or L2 entry says
 *   qcow2_map.c	  guest offset -> extent: the fast path's question
 *   qcow2_compressed.c	  reading compressed clusters
 *   qcow2_order.c	  what must be on disk before what
 *   qcow2_refcount.c	  refcounts, and blocks of them
 *   qcow2_reftable.c	  growing the refcount table
 *   qcow2_alloc.c	  free clusters, and taking them
 *   qcow2_reserve.c	  some that are counted already
 *   qcow2_dead.c	  clusters that were let go
 *   qcow2_l2.c		  L2 tables that may be written
 *   qcow2_write.c	  writes: in place, or to new clusters
 *   qcow2_erase.c	  discard and write-zeroes
 *   qcow2_flush.c	  all of that to the disk
 *   qcow2_write_compressed.c  compressed clusters
 *   qcow2_metadata.c	  which clusters hold tables: overlap checks
 *   qcow2_snapshot.c	  where snapshots keep theirs
 *   qcow2_corrupt.c	  an image that turns out to be wrong
 *   qcow2_create.c	  making an empty image
 *   qcow2_resize.c	  making the disk larger or smaller
 *   qcow2_tables.h	  tables as a whole: check, repair, snapshots
 *
 * Threads: as image.h says. What qcow2_map() and qcow2_inflate() call runs in
 * many threads, beside one that has the disk's lock; all the rest is that one.
 * Fields without a key are [l], changed and read under that lock.
 *
 * Words: a cluster number counts clusters from the start of the file (host) or
 * of the disk (guest); an offset is in bytes. -EUCLEAN always comes from
 * qcow2_corrupt(), which has told the user.
 */
#ifndef BLOCK_QCOW2_H
#define BLOCK_QCOW2_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/endian.h"
#include "base/err.h"
#include "block/image.h"
#include "block/qcow2_alloc.h"
#include "block/qcow2_cache.h"
#include "block/qcow2_format.h"
#include "block/qcow2_header.h"
#include "block/qcow2_metadata.h"
#include "block/readahead.h"

/* --- The image ------------------------------------------------------------ */

/* A table that is in memory as a whole. Big endian, as on disk. */
struct qcow2_table {
	uint64_t offset; /* in the file */
	uint64_t count;	 /* entries */
	be64 *entries;
	uint64_t dirty_first; /* of the entries not yet written: */
	uint64_t dirty_end;   /* [first, end) */
	bool moved;	      /* the header does not point here yet */
};

/* What was written, and what of that is durable. */
struct qcow2_order {
	uint64_t now;	 /* goes up with each fdatasync that begins */
	uint64_t synced; /* what was written up to this time is durable */
	uint64_t wrote[QCOW2_STAGES]; /* when, last */
	bool raised; /* refcounts in memory are higher than on disk */
};

struct qcow2 {
	struct image image;
	struct qcow2_info info;	   /* [c] but for what growing tables change */
	unsigned int cluster_bits; /* [c] */
	uint64_t cluster_size;	   /* [c] */
	size_t entry_size; /* [c] of an L2 entry: 8, or 16 if extended */
	unsigned int subcluster_bits; /* [c] log2 of its size; a cluster's... */
	unsigned int subcluster_count; /* [c] ...if there is only this one */
	unsigned int l2_bits;	    /* [c] log2 of the entries of an L2 table */
	unsigned int slice_bits;    /* [c] log2 of the entries of a slice */
	unsigned int refblock_bits; /* [c] log2 of the entries of a block */
	bool is_plain; /* [c] neither subclusters nor a data file */
	struct qcow2_table l1;
	struct qcow2_table reftable; /* empty if read-only */
	struct qcow2_cache l2_cache;
	struct qcow2_cache refcount_cache;
	struct qcow2_order order;
	struct qcow2_metadata metadata;
	struct qcow2_alloc *alloc;  /* NULL if read-only */
	uint64_t compressed_tail;   /* see qcow2_write_compressed.c; 0: none */
	struct inflated *inflated;  /* [c] compressed clusters, inflated */
	struct readahead readahead; /* of such clusters */
	uint64_t l2_cache_size;	    /* [c] bytes; 0: the default */
	atomic_bool corrupt;	    /* [a] nothing is written any more */
};

static inline struct qcow2 *qcow2_of(struct image *image)
{
	return (struct qcow2 *)image;
}

static inline const struct qcow2 *qcow2_of_const(const struct image *image)
{
	return (const struct qcow2 *)image;
}

static inline uint64_t qcow2_cluster_of(const struct qcow2 *qcow2,
					uint64_t offset)
{
	return offset >> qcow2->cluster_bits;
}

static inline uint64_t qcow2_in_cluster(const struct qcow2 *qcow2,
					uint64_t offset)
{
	return offset & (qcow2->cluster_size - 1);
}

/* Of either cache; a table that is smaller is one slice. */
static inline size_t qcow2_slice_size(const struct qcow2 *qcow2)
{
	return min_u64(qcow2->cluster_size, 1ULL << QCOW2_SLICE_BITS_MAX);
}

/* A range that touches several subclusters (or clusters) has this many. */
static inline uint64_t qcow2_subclusters(const struct qcow2 *qcow2,
					 uint64_t offset, uint64_t length)
{
	uint64_t size = 1ULL << qcow2->subcluster_bits;

	return div_round_up(offset % size + length, size);
}

/* The subcluster of its cluster that a guest offset lies in. */
static inline unsigned int qcow2_subcluster_of(const struct qcow2 *qcow2,
					       uint64_t offset)
{
	return (unsigned int)((offset & (qcow2->cluster_size - 1)) >>
			      qcow2->subcluster_bits);
}

/* Subclusters [first, end) as bits. */
static inline uint32_t qcow2_subcluster_mask(unsigned int first,
					     unsigned int end)
{
	return (uint32_t)((1ULL << end) - (1ULL << first));
}

/* Does the guest's data lie in a file of its own? Nothing is counted there. */
static inline bool qcow2_has_data_file(const struct qcow2 *qcow2)
{
	return qcow2->image.data != qcow2->image.file;
}

/* And that file has to be what the disk is, for whoever reads it as raw. */
static inline bool qcow2_data_is_raw(const struct qcow2 *qcow2)
{
	return qcow2_has_data_file(qcow2) &&
	       qcow2->info.autoclear & QCOW2_DATA_FILE_RAW;
}

/* --- qcow2_state.c: what is in memory of an open image -------------------- */

/* Of image, only the file and what the options say is set before. */
int qcow2_state_init(struct qcow2 *qcow2, const struct image_options *options,
		     struct err *err);
/* Also after a qcow2_state_init() that failed. */
void qcow2_state_fini(struct qcow2 *qcow2);

/*
 * The file's tables are others now. Nothing may be waiting to be written. If
 * that fails, the image is read by its old ones, and not written any more.
 */
int qcow2_state_reload(struct qcow2 *qcow2, struct err *err);

/* --- qcow2_corrupt.c ------------------------------------------------------ */

/*
 * The image is wrong: says so (the first time), sets the corrupt bit if the
 * image may be written, refuses writes from now on. Returns -EUCLEAN.
 */
__attribute__((format(printf, 2, 3))) int qcow2_corrupt(struct qcow2 *qcow2,
							const char *format,
							...);

/* --- qcow2_map.c ---------------------------------------------------------- */

/* An entry of an L2 table. */
struct qcow2_entry {
	uint64_t word;
	uint64_t bitmap; /* 0 if entries are not extended */
};

enum qcow2_kind {
	QCOW2_NONE,	  /* no host cluster */
	QCOW2_NORMAL,	  /* a host cluster, perhaps with holes */
	QCOW2_COMPRESSED, /* all of it, whatever the bits below say */
};

/*
 * What an L2 entry says. Where entries are not extended, a cluster has one
 * subcluster: itself.
 */
struct qcow2_cluster {
	enum qcow2_kind kind;
	bool copied;	      /* NORMAL: nobody else has it */
	uint32_t data;	      /* subclusters that are in the host cluster */
	uint32_t zero;	      /* those that read as zeroes; the rest shows... */
	uint64_t host_offset; /* ...what lies beneath. COMPRESSED: first byte */
	uint64_t host_length; /* COMPRESSED: bytes */
};

/*
 * Of the cluster at a guest offset. False if the entry cannot be right, or
 * leads to the image's own tables.
 */
bool qcow2_decode(const struct qcow2 *qcow2, uint64_t offset,
		  struct qcow2_entry entry, struct qcow2_cluster *ret_cluster);

/* The entry that says this; not of a COMPRESSED cluster. */
struct qcow2_entry qcow2_encode(const struct qcow2 *qcow2,
				const struct qcow2_cluster *cluster);

/* The offset of the L2 table, 0 for none; false if it cannot be right. */
bool qcow2_l2_offset(const struct qcow2 *qcow2, uint64_t l1_entry,
		     uint64_t *ret_offset);

/* Tells qcow2_corrupt() of such an entry. */
int qcow2_bad_l1(struct qcow2 *qcow2, uint64_t l1_index);
int qcow2_bad_l2(struct qcow2 *qcow2, uint64_t offset,
		 struct qcow2_entry entry);

static inline struct qcow2_entry qcow2_entry(const struct qcow2 *qcow2,
					     const uint8_t *slice,
					     uint64_t index)
{
	bool extended = qcow2->subcluster_count > 1;

	if (!extended)
		return (struct qcow2_entry){
			.word = qcow2_word_get(slice, index)};
	return (struct qcow2_entry){
		.word = qcow2_word_get(slice, 2 * index),
		.bitmap = qcow2_word_get(slice, 2 * index + 1),
	};
}

static inline uint64_t qcow2_l1_entry(const struct qcow2 *qcow2, uint64_t index)
{
	return qcow2_word_get(qcow2->l1.entries, index);
}

static inline bool qcow2_has_table(const struct qcow2 *qcow2, uint64_t offset)
{
	uint64_t index = qcow2_cluster_of(qcow2, offset) >> qcow2->l2_bits;

	return qcow2_l1_entry(qcow2, index) & QCOW2_OFFSET_MASK;
}

/* --- qcow2_map.c ---------------------------------------------------------- */

/* Where in the tables a guest offset is found. */
struct qcow2_place {
	uint64_t l1_index;
	uint64_t slice; /* its number */
	uint64_t index; /* of the entry in the slice */
	uint64_t left;	/* entries from there to the slice's end */
};

static inline struct qcow2_place qcow2_find(const struct qcow2 *qcow2,
					    uint64_t offset)
{
	uint64_t guest = qcow2_cluster_of(qcow2, offset);
	uint64_t entries = 1ULL << qcow2->slice_bits;
	uint64_t index = guest & (entries - 1);

	return (struct qcow2_place){
		.l1_index = guest >> qcow2->l2_bits,
		.slice = guest >> qcow2->slice_bits,
		.index = index,
		.left = entries - index,
	};
}

/*
 * What the tables say of the cluster at a guest offset, read if need be; for
 * one without an L2 table, what an empty table would say.
 */
int qcow2_lookup(struct qcow2 *qcow2, uint64_t offset,
		 struct qcow2_entry *ret_entry,
		 struct qcow2_cluster *ret_cluster);

/* The same from memory alone; false if it is not there, or cannot be right. */
bool qcow2_peek(const struct qcow2 *qcow2, uint64_t offset,
		struct qcow2_entry *ret_entry,
		struct qcow2_cluster *ret_cluster);

void qcow2_map(struct image *image, uint64_t offset, uint64_t length,
	       struct extent *ret_extent);
void qcow2_expect(const struct image *image, uint64_t offset);
int qcow2_load(struct image *image, uint64_t offset);

/* --- qcow2_compressed.c --------------------------------------------------- */

int qcow2_inflate(struct image *image, uint64_t offset, uint64_t length,
		  struct cursor *to);
bool qcow2_inflate_known(struct image *image, uint64_t offset, uint64_t length,
			 struct cursor *to);

/* --- qcow2_snapshot.c: where snapshots keep their tables ------------------ */

/*
 * Calls @visit with the L1 table of each snapshot, until it returns an error;
 * that is then returned. -EUCLEAN: the snapshot table cannot be right.
 */
int qcow2_snapshot_walk(struct qcow2 *qcow2,
			int (*visit)(void *context, uint64_t l1_offset,
				     uint64_t l1_size),
			void *context, uint64_t *ret_table_bytes);

/*
 * Makes @info that of the snapshot with this id or, if there is none, name:
 * its L1 table and its size. For readers.
 */
int qcow2_snapshot_select(struct file *file, const char *id_or_name,
			  const char *image, struct qcow2_info *info,
			  struct err *err);

/* --- qcow2_order.c: the order in which changes reach the disk ------------- */

void qcow2_order_init(struct qcow2_order *order);

/* Something of this stage was written to the file, past the stage's own set. */
void qcow2_order_wrote(struct qcow2 *qcow2, enum qcow2_stage stage);

/* Writes all of a stage, and makes all of the stages before it durable. */
int qcow2_order_write(struct qcow2 *qcow2, enum qcow2_stage stage);

/* Nothing waits in memory, nothing is written and not durable. Pure. */
bool qcow2_order_is_settled(const struct qcow2 *qcow2);

/*
 * Writes all stages. What is written then, of whatever it consists, is durable
 * when the files were flushed after that (image_sync()) and synced() was called
 * with the time that is returned here.
 */
int qcow2_order_write_all(struct qcow2 *qcow2, uint64_t *ret_time);
void qcow2_order_synced(struct qcow2 *qcow2, uint64_t time);

/*
 * The time so far. What is written, or let go, from now on is told apart from
 * what was before.
 */
uint64_t qcow2_order_end_time(struct qcow2 *qcow2);

/* Entries [first, first + count) of a table were changed. */
void qcow2_table_mark_dirty(struct qcow2_table *table, uint64_t first,
			    uint64_t count);

/* --- qcow2_l2.c: slices of L2 tables that may be changed ------------------ */

extern const struct qcow2_cache_kind qcow2_l2_kind;

/* How many slices the L2 tables have that a disk of that size needs. */
uint64_t qcow2_l2_slices(const struct qcow2 *qcow2, uint64_t size);

struct qcow2_l2_slice {
	uint8_t *data;	 /* until the next get from the L2 cache */
	uint64_t number; /* in the L2 cache */
	uint64_t index;	 /* of the entry for the guest offset */
	uint64_t left;	 /* entries from there to the slice's end */
};

/*
 * The slice for a guest offset, of an L2 table that nobody else refers to: if
 * need be an empty one is made, or a shared one copied.
 */
int qcow2_l2_own(struct qcow2 *qcow2, uint64_t offset,
		 struct qcow2_l2_slice *ret_slice);

/* The entry at slice->index + @at, and a change of it. */
struct qcow2_entry qcow2_l2_get(const struct qcow2 *qcow2,
				const struct qcow2_l2_slice *slice,
				uint64_t at);
void qcow2_l2_set(struct qcow2 *qcow2, struct qcow2_l2_slice *slice,
		  uint64_t at, struct qcow2_entry entry);

/* An entry no longer points to this: gives up what it took. */
void qcow2_l2_release(struct qcow2 *qcow2, const struct qcow2_cluster *old);

/* --- qcow2_write.c, qcow2_erase.c: operations of struct image_ops --------- */

int qcow2_write(struct image *image, uint64_t offset, uint64_t length,
		struct cursor *from);
int qcow2_discard(struct image *image, uint64_t offset, uint64_t length);
int qcow2_write_zeroes(struct image *image, uint64_t offset, uint64_t length,
		       bool may_unmap);

/* --- qcow2_flush.c -------------------------------------------------------- */

/* Operations of struct image_ops. */
bool qcow2_is_settled(const struct image *image);
int qcow2_flush(struct image *image);
int qcow2_write_back(struct image *image, uint64_t *ret_time);
void qcow2_written_back(struct image *image, uint64_t time);
void qcow2_trim(struct image *image);

/* Nothing waits, and nothing is reserved: as a closed image. */
int qcow2_quiesce(struct qcow2 *qcow2);

/* --- qcow2_resize.c: operations of struct image_ops ----------------------- */

int qcow2_resize(struct image *image, uint64_t size, struct err *err);
int qcow2_empty(struct image *image, struct err *err);

/* --- qcow2_write_compressed.c --------------------------------------------- */

int qcow2_write_compressed(struct image *image, uint64_t offset,
			   const void *packed, size_t length);
/* This cluster was freed: nothing more is put behind what was in it. */
void qcow2_compressed_forget(struct qcow2 *qcow2, uint64_t cluster);

#endif

/*
 * block/qcow2_tables.h - an image's tables, worked on as a whole and aside.
 *
 * What check, repair and internal snapshots share; private to them. No image
 * is open then: there is a file, the tables that its header leads to, and a
 * count of how often each cluster is referred to.
 *
 * In reading order:
 *   qcow2_counts.c	    how often each cluster is referred to
 *   qcow2_snapshot_table.c   the list of internal snapshots, as bytes
 *   qcow2_tables.c	    loading all that the header leads to
 *   qcow2_survey_l2.c	    counting what an L2 table refers to
 *   qcow2_survey.c	    counting what all tables refer to
 *   qcow2_bitmap_walk.c    what dirty bitmaps refer to
 *   qcow2_compare.c	    comparing that with the refcounts
 *   qcow2_check.c	    checks and repairs
 *   qcow2_rebuild_space.c  room for new tables
 *   qcow2_rebuild.c	    new tables aside, and the switch to them
 *   qcow2_snapshots.c	    creating, applying, deleting snapshots
 *   qcow2_amend.c	    another width of refcounts, another version
 *   qcow2_resize.c	    (of an open image) cutting off, or a longer L1 table
 *
 * One thread. Memory: the refcounts of the file's clusters, a bit for each, the
 * L1 table and the refcount table.
 */
#ifndef BLOCK_QCOW2_TABLES_H
#define BLOCK_QCOW2_TABLES_H

#include <stdarg.h>

#include "block/qcow2.h"
#include "block/qcow2_check.h"

/* --- qcow2_counts.c ------------------------------------------------------- */

/*
 * A number per cluster, each 1 << order bits wide, in pages that have the form
 * of refcount blocks. Takes memory for what is not 0, up to a bound.
 */
struct qcow2_counts {
	uint8_t **pages; /* NULL: all 0 */
	uint64_t page_count;
	uint64_t pages_left; /* that may still get memory */
	uint64_t clusters;   /* that are counted: [0, clusters) */
	unsigned int order;
};

/* More clusters than that are not counted, as in QEMU. */
#define QCOW2_COUNTS_MAX INT32_MAX

/* -EFBIG, -ENOMEM; qcow2_counts_fini() follows in any case. */
int qcow2_counts_init(struct qcow2_counts *counts, unsigned int order,
		      uint64_t clusters, uint64_t bytes_max);
void qcow2_counts_fini(struct qcow2_counts *counts);
void qcow2_counts_clear(struct qcow2_counts *counts);

/* Room for clusters [0, clusters); what is new is 0. */
int qcow2_counts_grow(struct qcow2_counts *counts, uint64_t clusters);

/* What is not counted is 0. */
uint64_t qcow2_counts_get(const struct qcow2_counts *counts, uint64_t cluster);

/* Of one that is counted. -EFBIG: that is past the bound. -ENOMEM. */
int qcow2_counts_set(struct qcow2_counts *counts, uint64_t cluster,
		     uint64_t count);
uint64_t qcow2_counts_max(const struct qcow2_counts *counts);

/* The first one in [cluster, end) that is not 0; if none, where that ends. */
uint64_t qcow2_counts_next(const struct qcow2_counts *counts, uint64_t cluster,
			   uint64_t end);

/* The last one that is not 0, plus 1. */
uint64_t qcow2_counts_end(const struct qcow2_counts *counts);

/* In the form of refcount blocks, from a whole byte on; 0 past the end. */
void qcow2_counts_copy(const struct qcow2_counts *counts, uint64_t first,
		       uint64_t length, uint8_t *ret_bytes);

/* --- qcow2_snapshot_table.c ----------------------------------------------- */

/* The snapshot table as it is on disk, and where its entries begin. */
struct qcow2_snapshot_table {
	uint8_t *bytes;
	uint64_t length; /* bytes */
	uint64_t *starts;
	uint64_t count;
};

/* What an entry says. Texts are not terminated and belong to the table. */
struct qcow2_snapshot_entry {
	uint64_t l1_offset;
	uint64_t l1_size;
	uint64_t disk_size; /* 0: the entry is silent */
	const char *id, *name;
	size_t id_length, name_length;
};

/* -EUCLEAN: the table cannot be right. */
int qcow2_snapshot_table_read(struct file *file, uint64_t offset,
			      uint64_t count,
			      struct qcow2_snapshot_table *ret_table);
void qcow2_snapshot_table_fini(struct qcow2_snapshot_table *table);

struct qcow2_snapshot_entry qcow2_snapshot_table_get(
	const struct qcow2_snapshot_table *table, uint64_t index);
void qcow2_snapshot_table_set_l1(struct qcow2_snapshot_table *table,
				 uint64_t index, uint64_t l1_offset,
				 uint64_t l1_size);

/* Which entry has this for its id, or its name; count if none has. */
uint64_t qcow2_snapshot_table_find_id(const struct qcow2_snapshot_table *table,
				      const char *id);
uint64_t qcow2_snapshot_table_find_name(
	const struct qcow2_snapshot_table *table, const char *name);

/* By id, or else by name. */
uint64_t qcow2_snapshot_table_find(const struct qcow2_snapshot_table *table,
				   const char *id_or_name);

/* Adds an entry that was made now, with the next free number for its id. */
int qcow2_snapshot_table_append(struct qcow2_snapshot_table *table,
				const char *name, uint64_t disk_size);
void qcow2_snapshot_table_remove(struct qcow2_snapshot_table *table,
				 uint64_t index);

/* --- qcow2_tables.c ------------------------------------------------------- */

struct qcow2_tables {
	struct file *file; /* not owned */
	const char *name;
	struct qcow2_info info;
	struct qcow2_header header; /* as read; version 2: zeroes at the end */
	uint64_t cluster_size;
	uint64_t clusters;    /* of the file */
	uint64_t entry_words; /* of an L2 entry: 1, or 2 if extended */
	uint64_t l2_entries;
	bool has_data_file;
	be64 *l1; /* info.l1_size entries */
	be64 *reftable;
	uint64_t reftable_count; /* entries */
	struct qcow2_snapshot_table snapshots;
	struct qcow2_counts counts;
	struct qcow2_check_result result;
	bool has_partial_leaks; /* refcounts too high where there are some */
	uint64_t copied_faults; /* of result.corruptions: wrong flags */
	uint64_t end;	     /* clusters of the disk that the new state keeps */
	bool switching;	     /* the header may be the old one or the new one */
	uint64_t unreadable; /* L1 and L2 tables that the host cannot read */
	uint64_t told;	     /* findings */
	/*
	 * Bytes that may still be read of tables, in sum. Tables do not
	 * overlap, unless somebody wants to keep us busy.
	 */
	uint64_t budget;
	uint64_t hole, hole_end; /* a hole of the file, or nothing */
	const struct qcow2_check_options *options; /* NULL: tell nobody */
};

/* Reads what the header leads to. qcow2_tables_fini() follows in any case. */
int qcow2_tables_init(struct qcow2_tables *tables, struct file *file,
		      const char *name, struct err *err);
void qcow2_tables_fini(struct qcow2_tables *tables);

/* A survey, or a comparison, ended with @code: says so, and returns it. */
int qcow2_tables_failed(const struct qcow2_tables *tables, int code,
			struct err *err);

/* For what counts clusters of this file: bounded by what it takes on disk. */
int qcow2_tables_count(const struct qcow2_tables *tables, unsigned int order,
		       struct qcow2_counts *ret_counts);

/* Tells one finding. Of very many, only the first are told. */
__attribute__((format(printf, 2, 3))) void qcow2_tables_tell(
	struct qcow2_tables *tables, const char *format, ...);

void qcow2_tables_vtell(struct qcow2_tables *tables, const char *format,
			va_list args);

/*
 * Work that grows with what the image claims, not with what there is: so many
 * bytes of it. -EFBIG: that is enough.
 */
int qcow2_tables_spend(struct qcow2_tables *tables, uint64_t bytes);

/*
 * file_find_data() in a file that nobody writes meanwhile: the last hole is
 * remembered.
 */
uint64_t qcow2_tables_find_data(struct qcow2_tables *tables, uint64_t offset,
				uint64_t end);

/* Is there nothing but zeroes, as the host knows without a look? */
bool qcow2_tables_is_hole(struct qcow2_tables *tables, uint64_t offset,
			  uint64_t length);

/* Reads tables; holes cost nothing. -EFBIG: see above. */
int qcow2_tables_read(struct qcow2_tables *tables, void *buffer,
		      uint64_t length, uint64_t offset);

struct qcow2_entry qcow2_tables_entry(const struct qcow2_tables *tables,
				      const be64 *l2, uint64_t index);

/* Not of a compressed cluster: does it lead to one? */
bool qcow2_tables_has_cluster(const struct qcow2_tables *tables,
			      struct qcow2_entry entry);

/* Can nobody follow it? */
bool qcow2_tables_is_lost(const struct qcow2_tables *tables,
			  struct qcow2_entry entry);
bool qcow2_tables_is_lost_l1(const struct qcow2_tables *tables, uint64_t entry);

/*
 * Calls @visit with each entry of a table that is not 0, until it fails. The
 * table is @entries, or if that is NULL the one at @offset in the file, where
 * it is aligned.
 */
int qcow2_tables_walk(struct qcow2_tables *tables, const be64 *entries,
		      uint64_t offset, uint64_t size,
		      int (*visit)(void *context, uint64_t index,
				   uint64_t entry),
		      void *context);

/* An L1 table as it is in the file. The caller frees it. */
int qcow2_tables_read_l1(const struct qcow2_tables *tables, uint64_t offset,
			 uint64_t size, be64 **ret_l1);

/* Is it not in the file? The last cluster need not be there as a whole. */
bool qcow2_tables_is_outside(const struct qcow2_tables *tables, uint64_t offset,
			     uint64_t length);

/* Where a compressed cluster's bytes are. */
void qcow2_tables_compressed(const struct qcow2_tables *tables, uint64_t word,
			     uint64_t *ret_offset, uint64_t *ret_length);

/* Does a subcluster hold data and read as zeroes as well? */
bool qcow2_tables_is_bitmap_wrong(struct qcow2_entry entry);

/* --- qcow2_survey.c ------------------------------------------------------- */

/* Counts all references, and finds what is wrong with them. */
int qcow2_survey(struct qcow2_tables *tables);

/*
 * Counts, without a word, all that guests and snapshots need: not the refcount
 * structures, the active L1 table and the snapshot table themselves. -ERANGE:
 * a count has no room for that.
 */
int qcow2_survey_guest(struct qcow2_tables *tables);

/*
 * Adds the references of one L1 table, or takes them back (@delta is 1 or -1);
 * the table's own clusters are not among them. As qcow2_survey_guest().
 */
int qcow2_survey_l1(struct qcow2_tables *tables, const be64 *l1,
		    uint64_t l1_size, int delta);

/* Adds to the counts of the clusters that a range touches; -ERANGE. */
int qcow2_survey_add(struct qcow2_tables *tables, uint64_t offset,
		     uint64_t length, int delta);

/* --- qcow2_bitmap_walk.c: the clusters of persistent dirty bitmaps -------- */

/*
 * Calls @visit with each range of the file that the image's bitmaps take, until
 * it fails; none if nobody vouches for them. -EUCLEAN: they cannot be right.
 */
int qcow2_bitmap_walk(struct qcow2_tables *tables,
		      int (*visit)(void *context, uint64_t offset,
				   uint64_t length),
		      void *context);

/* --- qcow2_compare.c ------------------------------------------------------ */

/* Does the survey agree with the refcounts, and COPIED flags with both? */
int qcow2_compare(struct qcow2_tables *tables);

/*
 * Reads an image that is to be changed as a whole, and judges it: -EUCLEAN, and
 * a sentence, if it has errors. Leaks are none. qcow2_tables_fini() follows in
 * any case.
 */
int qcow2_tables_init_sound(struct qcow2_tables *tables, struct file *file,
			    const char *name, struct err *err);

/*
 * The refcount block of a range of clusters, into a buffer of a cluster; all
 * zeroes if there is none. -EUCLEAN: it is not where it can be.
 */
int qcow2_tables_read_block(const struct qcow2_tables *tables, uint64_t index,
			    uint8_t *ret_block);

/* --- qcow2_rebuild.c ------------------------------------------------------ */

/*
 * Writes a state of the image aside, and switches to it: tables->l1,
 * ->snapshots, ->header (size and feature bits) and ->counts say what it shall
 * be, the counts without the refcount structures, L1 table and snapshot table
 * themselves. L2 tables whose flags do not fit the counts are replaced.
 *
 * In the file nothing changes that the old state refers to, until the header
 * does, in one write; so a power cut leaves the old state or the new one. What
 * only the old one used is free then.
 */
struct qcow2_rebuild {
	struct qcow2_tables *tables;
	struct qcow2_counts used; /* 1: the old state refers to the cluster */
	uint64_t cursor;	  /* nothing is free below */
	uint64_t *blocks;	  /* offsets of refcount blocks; 0: none */
	uint64_t block_count;
	uint64_t reftable_offset, reftable_clusters;
};

/*
 * After a survey: notes what the old state uses, and counts anew what guests
 * and snapshots need.
 */
int qcow2_rebuild_init(struct qcow2_rebuild *rebuild,
		       struct qcow2_tables *tables);
void qcow2_rebuild_fini(struct qcow2_rebuild *rebuild);

/* Clusters that follow each other, each counted once. */
int qcow2_rebuild_take(struct qcow2_rebuild *rebuild, uint64_t count,
		       uint64_t *ret_offset);

/*
 * Makes the flags of an L1 table and of the L2 tables below it fit the counts.
 * @times: how many L1 tables are going to have these entries.
 */
int qcow2_rebuild_l1(struct qcow2_rebuild *rebuild, be64 *l1, uint64_t l1_size,
		     bool active, unsigned int times);

/* Writes a table to new clusters. */
int qcow2_rebuild_write(struct qcow2_rebuild *rebuild, const void *data,
			uint64_t length, uint64_t *ret_offset);

/* Writes the rest, and switches. */
int qcow2_rebuild_publish(struct qcow2_rebuild *rebuild);

/* After that: gives the space back that only the old state used. */
void qcow2_rebuild_reclaim(struct qcow2_rebuild *rebuild);

#endif

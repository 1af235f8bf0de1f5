/*
 * block/qcow2_survey.h - a walk over all that an image's tables refer to;
 * private to block/qcow2_survey*.c.
 */
#ifndef BLOCK_QCOW2_SURVEY_H
#define BLOCK_QCOW2_SURVEY_H

#include "block/qcow2_tables.h"

/* A walk over the image. */
struct survey {
	struct qcow2_tables *tables;
	struct qcow2_counts roots; /* how often each L2 table is referred to */
	bool into;		   /* this is the second walk */
	int delta;
	uint64_t times;	    /* what is looked at counts so often */
	bool silent;	    /* what is wrong is not counted and not told */
	bool active;	    /* this is the active L1 table's part of it */
	uint64_t next_host; /* what would follow the last data cluster */
	be64 *l2;	    /* room for a table */
};

/* What is wrong, unless the survey is silent. */
__attribute__((format(printf, 2, 3))) void qcow2_survey_fault(
	struct survey *survey, const char *format, ...);

/* An L1 or L2 table cannot be read: no reason to end, unless it is silent. */
int qcow2_survey_unreadable(struct survey *survey, const char *what);

/* Counts the clusters that a range of the file touches. */
int qcow2_survey_range(struct survey *survey, uint64_t offset, uint64_t length);

/* Is this cluster of the disk not in the new state? */
bool qcow2_survey_is_cut(const struct survey *survey, uint64_t guest);

/* Counts what an L2 table refers to, of clusters of the disk from @guest on. */
int qcow2_survey_l2(struct survey *survey, uint64_t guest, uint64_t offset);

#endif

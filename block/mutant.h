/*
 * block/mutant.h - who watches the tests?
 *
 * Each mutant leaves out one barrier, one rollback or one precaution, at the
 * place where it is kept. "make mutants" builds the block layer with
 * -DQCOW2_MUTANTS, runs the tests once for each mutant, chosen by the
 * environment variable ALCOR_MUTANT, and fails if they pass. In all other
 * builds MUTANT() is false, and the compiler drops what depends on it.
 */
#ifndef BLOCK_MUTANT_H
#define BLOCK_MUTANT_H

#include <stdbool.h>

enum mutant {
	MUTANT_NONE,
	MUTANT_NO_BARRIER_BEFORE_REFTABLE,
	MUTANT_NO_BARRIER_BEFORE_L2,
	MUTANT_NO_BARRIER_BEFORE_L1,
	MUTANT_NO_BARRIER_AT_SETTLE,
	MUTANT_NO_BARRIER_FOR_DATA_FILE,
	MUTANT_NO_BARRIER_BESIDE_DATA_FILE,
	MUTANT_NO_BARRIER_IN_PLACE,
	MUTANT_NO_BARRIER_AFTER_AUTOCLEAR,
	MUTANT_EVICTION_OUT_OF_ORDER,
	MUTANT_UNREPORTED_DATA,
	MUTANT_UNREPORTED_REFCOUNT_BLOCK,
	MUTANT_UNREPORTED_REFTABLE,
	MUTANT_FREED_BEFORE_DURABLE,
	MUTANT_PUBLISHED_BEFORE_WRITTEN,
	MUTANT_NO_UNDO_OF_WRITE,
	MUTANT_NO_UNDO_OF_COMPRESSED_WRITE,
	MUTANT_NO_UNDO_OF_L2_TABLE,
	MUTANT_NO_UNDO_OF_L2_CLAIM,
	MUTANT_NO_UNDO_OF_BLOCK_CLAIM,
	MUTANT_NO_UNDO_OF_REFTABLE_CLAIM,
	MUTANT_FLUSH_ERROR_FORGOTTEN,
	MUTANT_FREED_TABLE_REMEMBERED,
	MUTANT_FREED_TAIL_REMEMBERED,
	MUTANT_FREED_INFLATED_REMEMBERED,
	MUTANT_SHARED_CLUSTER_OVERWRITTEN,
	MUTANT_SHARED_TABLE_CHANGED,
	MUTANT_OLD_DATA_NOT_COPIED,
};

#ifdef QCOW2_MUTANTS

#include <stdlib.h>

static inline bool mutant_is_chosen(unsigned int mutant)
{
	const char *number = getenv("ALCOR_MUTANT");

	return number && (unsigned int)atoi(number) == mutant;
}

#define MUTANT(name) mutant_is_chosen(MUTANT_##name)

#else

#define MUTANT(name) false

#endif

#endif

/*
 * block/img_runtime.h - QEMU's options of an open qcow2 image.
 *
 * All are read and judged as QEMU judges them. Those for the size of the L2
 * cache do what they say. The others do not change anything: refcounts and
 * overlaps with tables are always looked after in the one way that is safe.
 */
#ifndef BLOCK_IMG_RUNTIME_H
#define BLOCK_IMG_RUNTIME_H

#include <stdint.h>

#include "block/img_spec.h"

struct img_runtime {
	uint64_t l2_cache_size; /* 0: the default */
	uint64_t l2_entry_size; /* of the cache; 0: not said */
};

/*
 * Takes them from @spec, with @prefix in front of their names. The sentence is
 * QEMU's.
 */
int img_runtime_take(struct img_runtime *runtime, struct img_spec *spec,
		     const char *prefix, struct err *err);

/* Do they suit an image with clusters of that size? */
int img_runtime_check(const struct img_runtime *runtime, uint64_t cluster_size,
		      struct err *err);

#endif

/*
 * block/img_blkdebug_rules.h - which requests blkdebug lets fail. Private to
 * block/img_blkdebug*.c.
 *
 * There is a state, a number that is 1 at first. When an event happens, each
 * rule for it (and for the state, if it has one) takes effect: set-state makes
 * the state another, inject-error makes the request fail.
 */
#ifndef BLOCK_IMG_BLKDEBUG_RULES_H
#define BLOCK_IMG_BLKDEBUG_RULES_H

#include <stdint.h>

#include "block/img_spec.h"

enum blkdebug_event {
	BLKDEBUG_UNKNOWN,
	BLKDEBUG_READ_TABLE,
	BLKDEBUG_READ_DATA,
	BLKDEBUG_WRITE_TABLE,
	BLKDEBUG_WRITE_DATA,
	BLKDEBUG_FLUSH,
};

/* That which QEMU's event belongs to. */
enum blkdebug_event blkdebug_event_find(const char *name);

struct blkdebug_rules;

int blkdebug_rules_new(struct img_spec *spec, const char *prefix,
		       struct blkdebug_rules **ret_rules, struct err *err);
void blkdebug_rules_free(struct blkdebug_rules *rules);

/* The event happens, to a range of the file; -errno: it fails. */
int blkdebug_rules_apply(struct blkdebug_rules *rules,
			 enum blkdebug_event event, uint64_t offset,
			 uint64_t length);

#endif

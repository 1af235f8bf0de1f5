/*
 * block/img_spec.h - an image in QEMU's words: the options of its driver, of
 * that driver's file, and so on, as --image-opts and qemu-io's "open -o" take
 * them, or as JSON behind "json:".
 *
 *	driver=qcow2,file.driver=file,file.filename=a,,b.qcow2
 *	json:{"driver": "qcow2", "file": {"driver": "file", "filename":
 *"a,b.qcow2"}}
 *
 * Both are a list of dotted keys with values. What the keys mean is decided in
 * img_node.h. Only what a user types is ever read this way, never what an
 * image says.
 */
#ifndef BLOCK_IMG_SPEC_H
#define BLOCK_IMG_SPEC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct img_spec_option {
	char *key;
	char *value;
	bool taken;
};

/* All zeroes: empty. */
struct img_spec {
	struct img_spec_option *options; /* owned */
	size_t count;
};

void img_spec_fini(struct img_spec *spec);

/* Is a file's name a description in JSON? */
bool img_spec_is_json(const char *name);

/* Adds "key=value,key=value"; ",," is a comma, a key alone is switched on. */
int img_spec_add(struct img_spec *spec, const char *text, struct err *err);

/*
 * Adds what img_spec_is_json(). Switches become "on" and "off", an array's
 * members have numbers for keys, null is left out. As QEMU, takes strings in
 * single quotes, too. What is nested too deeply is refused.
 */
int img_spec_add_json(struct img_spec *spec, const char *name, struct err *err);

/* Adds copies of both; for readers of other syntaxes. */
int img_spec_append(struct img_spec *spec, const char *key, const char *value,
		    struct err *err);

/*
 * The value of @prefix followed by @key, or NULL; of several the last. They
 * count as taken. Valid until img_spec_fini().
 */
const char *img_spec_take(struct img_spec *spec, const char *prefix,
			  const char *key);

/* The first key that was not taken, or NULL. */
const char *img_spec_rest(const struct img_spec *spec);

#endif

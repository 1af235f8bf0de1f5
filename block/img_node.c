/* block/img_node.c - see img_node.h. */
#include "block/img_node.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/math.h"

/* Prefixes of keys are as long as nodes are deep. */
#define PREFIX_MAX 64

static bool is_protocol(const char *driver)
{
	return !strcmp(driver, "file") || !strcmp(driver, "host_device") ||
	       !strcmp(driver, "host_cdrom");
}

static bool is_switched(const char *value, const char *position)
{
	return value && !strcmp(value, position);
}

/* Options that every node may have, and that need nothing else of us. */
static void take_common(struct img_node *node, const char *prefix)
{
	static const char *const keys[] = {"node-name",	    "discard",
					   "detect-zeroes", "cache.no-flush",
					   "aio",	    "auto-read-only"};

	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
		img_spec_take(&node->spec, prefix, keys[i]);
	if (is_switched(img_spec_take(&node->spec, prefix, "read-only"), "on"))
		node->open.writable = false;
	if (is_switched(img_spec_take(&node->spec, prefix, "force-share"),
			"on"))
		node->open.no_lock = true;
	if (is_switched(img_spec_take(&node->spec, prefix, "cache.direct"),
			"on"))
		node->open.direct = true;
}

/* The file at the end of all drivers. */
static void take_protocol(struct img_node *node, const char *prefix)
{
	const char *name = img_spec_take(&node->spec, prefix, "filename");

	take_common(node, prefix);
	if (is_switched(img_spec_take(&node->spec, prefix, "locking"), "off"))
		node->open.no_lock = true;
	if (name)
		node->open.path = name;
}

/* "file.", with @prefix in front. */
static int child_prefix(const char *prefix, char child[PREFIX_MAX],
			struct err *err)
{
	if ((size_t)snprintf(child, PREFIX_MAX, "%sfile.", prefix) < PREFIX_MAX)
		return 0;
	return err_set(err, EINVAL, "the image is described too deeply");
}

/* Lets the file fail; that lies in "image.". */
static int take_blkdebug(struct img_node *node, const char *prefix,
			 struct err *err)
{
	char image[PREFIX_MAX];

	if ((size_t)snprintf(image, PREFIX_MAX, "%simage.", prefix) >=
	    PREFIX_MAX)
		return err_set(err, EINVAL,
			       "the image is described too deeply");
	node->driver = img_spec_take(&node->spec, image, "driver");
	take_common(node, prefix);
	take_protocol(node, image);
	return img_blkdebug_new(&node->spec, prefix, &node->blkdebug, err);
}

/* What a format lies on: a file, or raw over one. */
static int take_file(struct img_node *node, const char *parent, struct err *err)
{
	char prefix[PREFIX_MAX];
	int ret = child_prefix(parent, prefix, err);

	if (ret)
		return ret;
	node->driver = img_spec_take(&node->spec, prefix, "driver");
	if (!node->driver || is_protocol(node->driver)) {
		take_protocol(node, prefix);
		return 0;
	}
	if (!strcmp(node->driver, "raw")) {
		take_common(node, prefix);
		return take_file(node, prefix, err);
	}
	if (!strcmp(node->driver, "blkdebug"))
		return take_blkdebug(node, prefix, err);
	return err_set(err, ENOTSUP, "driver '%s' is not supported under '%s'",
		       node->driver, node->open.format ?: "an image");
}

static int take_format(struct img_node *node, const char *prefix,
		       struct err *err)
{
	struct img_spec *spec = &node->spec;
	const char *data = img_spec_take(spec, prefix, "data-file.filename");
	int ret = img_runtime_take(&node->runtime, spec, prefix, err);

	if (ret)
		return ret;
	take_common(node, prefix);
	img_spec_take(spec, prefix, "data-file.driver");
	if (data)
		node->open.data_file = data;
	node->open.backing_format = img_spec_take(spec, prefix,
						  "backing.driver");
	if (node->runtime.l2_cache_size)
		node->open.l2_cache_size = node->runtime.l2_cache_size;
	return take_file(node, prefix, err);
}

static int take_node(struct img_node *node, const char *prefix, struct err *err)
{
	const char *driver = img_spec_take(&node->spec, prefix, "driver");
	char child[PREFIX_MAX];
	int ret;

	if (driver && !strcmp(driver, "compress")) {
		ret = child_prefix(prefix, child, err);
		node->open.compress = true;
		take_common(node, prefix);
		return ret ? ret : take_node(node, child, err);
	}
	if (driver)
		node->open.format = driver;
	if (!driver || !is_protocol(driver))
		return take_format(node, prefix, err);
	node->driver = driver;
	node->open.format = "raw";
	take_protocol(node, prefix);
	return 0;
}

static int check_rest(const struct img_node *node, struct err *err)
{
	const char *rest = img_spec_rest(&node->spec);

	if (!rest)
		return 0;
	return err_set(err, EINVAL,
		       "Block format '%s' does not support the option '%s'",
		       node->open.format ?: "qcow2", rest);
}

/* A driver that was named only takes what it is for. */
static int check_kind(const struct img_node *node, struct err *err)
{
	const char *path = node->open.path;
	struct stat stats;

	if (!node->driver || stat(path, &stats))
		return 0;
	if (S_ISDIR(stats.st_mode) && node->open.writable)
		return err_errno(err, EISDIR, "Could not open '%s'", path);
	if (!strcmp(node->driver, "file")) {
		if (S_ISREG(stats.st_mode))
			return 0;
		return err_set(err, EINVAL,
			       "'file' driver requires '%s' to be a regular "
			       "file",
			       path);
	}
	if (S_ISBLK(stats.st_mode) || S_ISCHR(stats.st_mode))
		return 0;
	return err_set(err, EINVAL,
		       "'%s' driver requires '%s' to be either a character or "
		       "block device",
		       node->driver, path);
}

/* "blkdebug:RULES:IMAGE" */
static int add_blkdebug_name(struct img_node *node, const char *name,
			     struct err *err)
{
	size_t length = strcspn(name, ":");
	char rules[PATH_MAX];
	int ret;

	if (!name[length] || length >= sizeof(rules))
		return err_set(err, EINVAL,
			       "blkdebug requires both config and image path");
	snprintf(rules, sizeof(rules), "%.*s", (int)length, name);
	node->open.path = NULL;
	ret = img_spec_append(&node->spec, "file.driver", "blkdebug", err);
	if (!ret)
		ret = img_spec_append(&node->spec, "file.config", rules, err);
	if (!ret)
		ret = img_spec_append(&node->spec, "file.image.filename",
				      name + length + 1, err);
	return ret;
}

/* A path that the user typed may be more than a file's name. */
static int read_typed(struct img_node *node, const char *path, struct err *err)
{
	static const char blkdebug[] = "blkdebug:";

	if (!strncmp(path, blkdebug, strlen(blkdebug)))
		return add_blkdebug_name(node, path + strlen(blkdebug), err);
	if (!img_spec_is_json(path))
		return 0;
	node->open.path = NULL;
	return img_spec_add_json(&node->spec, path, err);
}

int img_node_init(struct img_node *node, const struct img_open *open,
		  struct err *err)
{
	int ret = 0;

	*node = (struct img_node){.open = *open};
	if (open->path && open->typed)
		ret = read_typed(node, open->path, err);
	if (!ret && open->options)
		ret = img_spec_add(&node->spec, open->options, err);
	if (!ret && node->spec.count)
		ret = take_node(node, "", err);
	if (!ret)
		ret = check_rest(node, err);
	if (!ret && !node->open.path)
		ret = err_set(err, EINVAL,
			      "The 'file' block driver requires a "
			      "file name");
	return ret ? ret : check_kind(node, err);
}

void img_node_fini(struct img_node *node)
{
	img_spec_fini(&node->spec);
	img_blkdebug_free(node->blkdebug);
	*node = (struct img_node){0};
}

/* vmm/disk_options.c - the value of --disk; see options.h. */
#include <errno.h>
#include <string.h>

#include "base/math.h"
#include "base/parse.h"
#include "vmm/options.h"

#define QUEUES_MAX 16
#define SERIAL_MAX 20 /* VIRTIO_BLK_ID_BYTES */

static int choose_format(struct disk_options *disk, const char *value,
			 struct err *err)
{
	static const char *const words[] = {
		[BLOCK_QCOW2] = "qcow2", [BLOCK_RAW] = "raw", NULL};
	int chosen = options_choose(err, "format", value, words);

	disk->block.format = (enum block_format)chosen;
	return chosen < 0 ? chosen : 0;
}

static int choose_cache(struct disk_options *disk, const char *value,
			struct err *err)
{
	static const char *const words[] = {
		[BLOCK_WRITEBACK] = "writeback", [BLOCK_DIRECT] = "none", NULL};
	int chosen = options_choose(err, "cache", value, words);

	disk->block.cache = (enum block_cache)chosen;
	return chosen < 0 ? chosen : 0;
}

static int choose_backing(struct disk_options *disk, const char *value,
			  struct err *err)
{
	static const char *const words[] = {[BLOCK_BACKING_NEAR] = "near",
					    [BLOCK_BACKING_ON] = "on",
					    [BLOCK_BACKING_OFF] = "off",
					    NULL};
	int chosen = options_choose(err, "backing", value, words);

	disk->block.backing = (enum block_backing)chosen;
	return chosen < 0 ? chosen : 0;
}

static int set_queues(struct disk_options *disk, const char *value,
		      struct err *err)
{
	uint64_t number;

	if (!parse_number(value, QUEUES_MAX, &number) || !number)
		return err_set(err, EINVAL,
			       "queues=%s is not a number from 1 to %d", value,
			       QUEUES_MAX);
	disk->queues = (unsigned int)number;
	return 0;
}

static int set_l2_cache(struct disk_options *disk, const char *value,
			struct err *err)
{
	if (!parse_size(value, &disk->block.l2_cache_size) ||
	    !disk->block.l2_cache_size)
		return err_set(err, EINVAL,
			       "l2-cache=%s is not a size such as 4M", value);
	return 0;
}

static int set_serial(struct disk_options *disk, const char *value,
		      struct err *err)
{
	if (strlen(value) > SERIAL_MAX)
		return err_set(err, EINVAL,
			       "serial=%s is longer than %d characters", value,
			       SERIAL_MAX);
	disk->serial = value;
	return 0;
}

static int set_data_file(struct disk_options *disk, const char *value,
			 struct err *err)
{
	if (!*value)
		return err_set(err, EINVAL, "data-file= needs a file name");
	disk->block.data_file = value;
	return 0;
}

static int set_snapshot_id(struct disk_options *disk, const char *value,
			   struct err *err)
{
	if (!*value)
		return err_set(err, EINVAL, "snapshot-id= needs an id or name");
	disk->block.snapshot_id = value;
	return 0;
}

static int set_read_only(struct disk_options *disk, const char *value,
			 struct err *err)
{
	(void)value;
	(void)err;
	disk->block.read_only = true;
	return 0;
}

static int set_snapshot(struct disk_options *disk, const char *value,
			struct err *err)
{
	(void)value;
	(void)err;
	disk->block.snapshot = true;
	return 0;
}

struct disk_key {
	const char *name;
	bool takes_value;
	int (*set)(struct disk_options *disk, const char *value,
		   struct err *err);
};

static const struct disk_key keys[] = {
	{"format", true, choose_format},
	{"cache", true, choose_cache},
	{"backing", true, choose_backing},
	{"queues", true, set_queues},
	{"l2-cache", true, set_l2_cache},
	{"serial", true, set_serial},
	{"ro", false, set_read_only},
	{"snapshot", false, set_snapshot},
	{"data-file", true, set_data_file},
	{"snapshot-id", true, set_snapshot_id},
};

static int unknown_key(const char *typed, struct err *err)
{
	const char *words[ARRAY_LENGTH(keys) + 1] = {NULL};

	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
		words[i] = keys[i].name;
	return parse_unknown(err, "key", typed, words);
}

static int parse_key(struct disk_options *disk, char *word, struct err *err)
{
	char *value = strchr(word, '=');

	if (value)
		*value++ = 0;
	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
		if (strcmp(word, keys[i].name))
			continue;
		if (keys[i].takes_value != !!value)
			return err_set(err, EINVAL, "%s %s", word,
				       value ? "takes no value"
					     : "needs a value");
		return keys[i].set(disk, value, err);
	}
	return unknown_key(word, err);
}

/* Cuts the file name off *rest; in it ",," stands for a comma. */
static const char *cut_name(char **rest)
{
	char *name = *rest, *from = name, *to = name;

	while (*from && (*from != ',' || from[1] == ',')) {
		from += *from == ',';
		*to++ = *from++;
	}
	*rest = *from ? from + 1 : NULL;
	*to = 0;
	return name;
}

int disk_options_parse(struct disk_options *disk, char *text, struct err *err)
{
	char *word, *rest = text;
	int ret = 0;

	*disk = (struct disk_options){.block.path = cut_name(&rest)};
	if (!*disk->block.path)
		return err_set(err, EINVAL, "--disk needs a file name");
	while (!ret && (word = strsep(&rest, ",")))
		ret = parse_key(disk, word, err);
	if (!ret && disk->block.read_only && disk->block.snapshot)
		ret = err_set(err, EINVAL,
			      "ro and snapshot exclude each other");
	/* An old state cannot change; an overlay above it can. */
	if (disk->block.snapshot_id && !disk->block.snapshot)
		disk->block.read_only = true;
	if (ret)
		err_prefix(err, "--disk %s", disk->block.path);
	return ret;
}

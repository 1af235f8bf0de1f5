/*
 * block/qcow2_extension.c - header extensions; see qcow2.h.
 *
 * They are only read here; what moves them (qcow2_rebase.c) keeps all of them,
 * known or not. Of several of a type the last one counts, as in QEMU, whose
 * tools add new ones at the end.
 */
#include "block/qcow2.h"

#include <errno.h>
#include <string.h>

/* No image needs nearly so many, and each costs a look. */
#define EXTENSIONS_MAX 1000

/* A walk over the extensions. */
struct walk {
	struct file *file;
	uint64_t next; /* where the next one begins */
	uint64_t end;  /* of the first cluster */
	uint32_t type;
	uint64_t data;	 /* where the current one's data is */
	uint32_t length; /* and how long */
	unsigned int count;
};

/* 1: there is a next one. 0: the end. -errno. */
static int walk_next(struct walk *walk)
{
	struct qcow2_extension extension;
	int ret;

	if (!range_fits(walk->next, sizeof(extension), walk->end))
		return 0;
	ret = file_read(walk->file, &extension, sizeof(extension), walk->next);
	if (ret)
		return ret;
	walk->type = be32_get(extension.type);
	walk->length = be32_get(extension.length);
	walk->data = walk->next + sizeof(extension);
	if (walk->type == QCOW2_EXTENSION_END)
		return 0;
	if (!range_fits(walk->data, walk->length, walk->end) ||
	    walk->count++ == EXTENSIONS_MAX)
		return -EUCLEAN;
	walk->next = walk->data + align_up(walk->length, 8);
	return 1;
}

int qcow2_extension_find(struct file *file, uint64_t start,
			 uint64_t cluster_size, uint32_t type, void *ret_data,
			 size_t room)
{
	struct walk walk = {.file = file, .next = start, .end = cluster_size};
	int ret;

	memset(ret_data, 0, room);
	while ((ret = walk_next(&walk)) > 0) {
		if (walk.type != type)
			continue;
		memset(ret_data, 0, room);
		ret = file_read(file, ret_data, min_u64(walk.length, room),
				walk.data);
		if (ret)
			break;
	}
	return ret;
}

int qcow2_extension_backing_format(struct file *file, uint64_t start,
				   uint64_t cluster_size, char *ret_format,
				   size_t room)
{
	ret_format[room - 1] = '\0';
	return qcow2_extension_find(file, start, cluster_size,
				    QCOW2_EXTENSION_BACKING_FORMAT, ret_format,
				    room - 1);
}

static void copy_name(char *to, const struct qcow2_feature_name *feature)
{
	size_t length = strnlen(feature->name, sizeof(feature->name));

	for (size_t i = 0; i < length; i++)
		to[i] = feature->name[i] < ' ' || feature->name[i] > '~'
				? '?'
				: feature->name[i];
	to[length] = '\0';
}

/* Looks through one table; leaves @ret_name alone if it is silent. */
static void find_name(const struct walk *walk, unsigned int bit, char *ret_name)
{
	struct qcow2_feature_name feature;
	uint64_t end = walk->data + walk->length, at = walk->data;

	for (; range_fits(at, sizeof(feature), end); at += sizeof(feature)) {
		if (file_read(walk->file, &feature, sizeof(feature), at))
			return;
		if (feature.type == 0 && feature.bit == bit &&
		    feature.name[0]) {
			copy_name(ret_name, &feature);
			return;
		}
	}
}

void qcow2_extension_feature_name(struct file *file, uint64_t start,
				  uint64_t cluster_size, unsigned int bit,
				  char *ret_name)
{
	struct walk walk = {.file = file, .next = start, .end = cluster_size};

	ret_name[0] = '\0';
	while (walk_next(&walk) > 0)
		if (walk.type == QCOW2_EXTENSION_FEATURE_NAMES)
			find_name(&walk, bit, ret_name);
}

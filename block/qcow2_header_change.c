/*
 * block/qcow2_header_change.c - another header, with all that it leads to in
 * its own cluster; see qcow2_header_change.h.
 *
 * Extensions and names lie in different places of that cluster, and power may
 * go between any two writes. So what is new is written where the header does
 * not lead to yet; when that is durable, the first sector is, and it leads
 * to all of it: that is one write, which happens or not. What the old header
 * leads to past its first sector stays as it is until then.
 *
 * Extensions follow each other without a gap, so that one more moves those
 * behind it. Where these are in the way, the names of features are left out,
 * which only help old programs to complain, and added again by a second switch.
 * A header that is too crowded even then is refused.
 */
#include "block/qcow2_header_change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/mutant.h"
#include "block/qcow2.h"

/* A first cluster: what is there, or what shall be. */
struct cluster {
	uint8_t *bytes;
	uint64_t list_end; /* of the extensions, with their end mark */
	uint64_t name, name_length;
};

/* How the extensions are arranged. */
enum arrangement {
	IN_PLACE,     /* the format where it was */
	FORMAT_FIRST, /* as QEMU does */
	NAMELESS,     /* the same, without the names of features */
	NAMES_LAST,   /* these are added, all else is in place */
};

struct change {
	struct file *file;
	const struct qcow2_header_change *to;
	uint64_t size;		       /* of a cluster */
	uint64_t old_start, new_start; /* of the extensions */
	bool has_format;	       /* the old list */
	struct cluster old, new;
	const uint8_t *names; /* of features: the extension */
	uint64_t names_length;
};

/* An old extension, with its own header and its padding. */
struct extension {
	uint32_t type;
	uint64_t at, length;
};

/* --- What is there -------------------------------------------------------- */

/*
 * 1: there is one at *at, which goes on to the next. 0: that is the end.
 * -EUCLEAN: it does not end inside the cluster.
 */
static int next_extension(const struct change *change, uint64_t *at,
			  struct extension *ret)
{
	struct qcow2_extension header;

	if (!range_fits(*at, sizeof(header), change->size))
		return 0;
	memcpy(&header, change->old.bytes + *at, sizeof(header));
	*ret = (struct extension){
		.type = be32_get(header.type),
		.at = *at,
		.length = sizeof(header) + align_up(be32_get(header.length), 8),
	};
	if (ret->type == QCOW2_EXTENSION_END)
		return 0;
	if (!range_fits(*at, ret->length, change->size))
		return -EUCLEAN;
	*at += ret->length;
	return 1;
}

static int survey_old(struct change *change)
{
	const struct qcow2_header *header =
		(const struct qcow2_header *)change->old.bytes;
	struct extension extension;
	uint64_t at;
	int ret;

	change->old_start = be32_get(header->version) > 2
				    ? be32_get(header->header_length)
				    : QCOW2_V2_LENGTH;
	change->new_start = change->old_start;
	if (be32_get(header->version) != change->to->version)
		change->new_start = change->to->version > 2 ? QCOW2_V3_LENGTH
							    : QCOW2_V2_LENGTH;
	at = change->old_start;
	while ((ret = next_extension(change, &at, &extension)) > 0) {
		if (extension.type == QCOW2_EXTENSION_BACKING_FORMAT)
			change->has_format = true;
		if (extension.type != QCOW2_EXTENSION_FEATURE_NAMES)
			continue;
		change->names = change->old.bytes + extension.at;
		change->names_length = extension.length;
	}
	change->old.list_end = min_u64(at + sizeof(struct qcow2_extension),
				       change->size);
	change->old.name = be64_get(header->backing_file_offset);
	change->old.name_length = be32_get(header->backing_file_size);
	return ret;
}

/* --- What shall be -------------------------------------------------------- */

static bool add(struct change *change, const void *bytes, uint64_t length)
{
	struct cluster *new = &change->new;

	if (!range_fits(new->list_end, length, change->size))
		return false;
	if (length)
		memcpy(new->bytes + new->list_end, bytes, length);
	new->list_end += length;
	return true;
}

/* Of no backing file there is nothing to state. */
static bool add_format(struct change *change)
{
	const char *format = change->to->backing ? change->to->format : NULL;
	uint64_t length = format ? strlen(format) : 0;
	struct qcow2_extension header = {
		be32_make(QCOW2_EXTENSION_BACKING_FORMAT),
		be32_make((uint32_t)length),
	};
	static const uint8_t padding[8];

	return !length || (add(change, &header, sizeof(header)) &&
			   add(change, format, length) &&
			   add(change, padding, align_up(length, 8) - length));
}

/* An old one stays, or something else comes in its place. */
static bool add_old(struct change *change, const struct extension *extension,
		    enum arrangement how)
{
	bool moves = how == FORMAT_FIRST || how == NAMELESS;

	if (extension->type == QCOW2_EXTENSION_BACKING_FORMAT)
		return moves || add_format(change);
	if (extension->type == QCOW2_EXTENSION_FEATURE_NAMES && how == NAMELESS)
		return true;
	return add(change, change->old.bytes + extension->at,
		   extension->length);
}

/* What is the same for any arrangement. */
static void put_fields(struct change *change)
{
	const struct qcow2_header_change *to = change->to;
	struct qcow2_header *header = (struct qcow2_header *)change->new.bytes;
	uint64_t lazy = to->lazy_refcounts ? QCOW2_LAZY_REFCOUNTS : 0;

	header->version = be32_make(to->version);
	if (to->version < 3)
		return;
	if (change->old_start != change->new_start) {
		memset(&header->incompatible_features, 0,
		       QCOW2_V3_LENGTH - QCOW2_V2_LENGTH);
		header->refcount_order = be32_make(4);
		header->header_length = be32_make(QCOW2_V3_LENGTH);
	}
	header->compatible_features =
		be64_make((be64_get(header->compatible_features) &
			   ~QCOW2_LAZY_REFCOUNTS) |
			  lazy);
}

static bool add_list(struct change *change, enum arrangement how)
{
	static const uint8_t end[sizeof(struct qcow2_extension)];
	uint64_t at = change->old_start;
	struct extension extension;

	memcpy(change->new.bytes, change->old.bytes, change->size);
	put_fields(change);
	change->new.list_end = change->new_start;
	if ((how == FORMAT_FIRST || how == NAMELESS) && !add_format(change))
		return false;
	while (next_extension(change, &at, &extension) > 0)
		if (!add_old(change, &extension, how))
			return false;
	if (how == NAMES_LAST &&
	    !add(change, change->names, change->names_length))
		return false;
	return add(change, end, sizeof(end));
}

static bool put_name(struct change *change, uint64_t at)
{
	struct cluster *new = &change->new;
	struct qcow2_header *header = (struct qcow2_header *)new->bytes;
	const char *backing = change->to->backing;
	uint64_t length = backing ? strlen(backing) : 0;

	if (length > QCOW2_BACKING_NAME_MAX ||
	    !range_fits(at, length, change->size))
		return false;
	if (length)
		memcpy(new->bytes + at, backing, length);
	new->name = length ? at : 0;
	new->name_length = length;
	header->backing_file_offset = be64_make(new->name);
	header->backing_file_size = be32_make((uint32_t)length);
	return true;
}

/* --- The switch ----------------------------------------------------------- */

static uint64_t end_of(const struct cluster *cluster)
{
	return max_u64(cluster->list_end, cluster->name + cluster->name_length);
}

static bool leads_to(const struct change *change, uint64_t at)
{
	const struct cluster *old = &change->old;

	return (at >= change->old_start && at < old->list_end) ||
	       (at >= old->name && at < old->name + old->name_length);
}

/* Does the first sector alone decide which of the two is there? */
static bool is_safe(const struct change *change)
{
	for (uint64_t i = BLOCK_SECTOR; i < change->size; i++)
		if (change->new.bytes[i] != change->old.bytes[i] &&
		    leads_to(change, i) && !MUTANT(OLD_NAME_OVERWRITTEN))
			return false;
	return true;
}

/*
 * The name goes behind the extensions - with room for the names of features if
 * these are to come back - or behind all that is old.
 */
static bool arrange(struct change *change, enum arrangement how)
{
	uint64_t room = how == NAMELESS ? change->names_length : 0, list_end;
	uint64_t places[3];

	if (!add_list(change, how))
		return false;
	list_end = change->new.list_end;
	places[0] = list_end + room;
	places[1] = max_u64(places[0], end_of(&change->old));
	places[2] = list_end;
	for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
		if (put_name(change, places[i]) && is_safe(change))
			return true;
		add_list(change, how);
	}
	return false;
}

static int write_back(struct change *change)
{
	uint64_t end = end_of(&change->new);
	int ret = 0;

	if (end > BLOCK_SECTOR)
		ret = file_write(change->file, change->new.bytes + BLOCK_SECTOR,
				 end - BLOCK_SECTOR, BLOCK_SECTOR);
	if (!ret && !MUTANT(NO_BARRIER_BEFORE_NAME))
		ret = file_flush(change->file);
	if (!ret)
		ret = file_write(change->file, change->new.bytes, BLOCK_SECTOR,
				 0);
	if (!ret && !MUTANT(NO_BARRIER_AFTER_NAME))
		ret = file_flush(change->file);
	return ret;
}

/* The names of features that were left out come back, if there is room. */
static int add_names(const struct change *change)
{
	struct change again = *change;
	int ret = 0;

	again.old = change->new;
	again.old_start = change->new_start;
	again.new.bytes = calloc(1, change->size);
	if (!again.new.bytes)
		return -ENOMEM;
	if (arrange(&again, NAMES_LAST))
		ret = write_back(&again);
	free(again.new.bytes);
	return ret;
}

static int run(struct change *change)
{
	bool has_names;
	int ret;

	ret = file_read(change->file, change->old.bytes, change->size, 0);
	if (!ret)
		ret = survey_old(change);
	if (ret)
		return ret;
	has_names = change->names && change->to->version > 2;
	if (change->has_format && arrange(change, IN_PLACE))
		return write_back(change);
	if (arrange(change, FORMAT_FIRST))
		return write_back(change);
	if (!arrange(change, NAMELESS))
		return -ENAMETOOLONG;
	ret = write_back(change);
	return ret || !has_names ? ret : add_names(change);
}

int qcow2_header_change(struct file *file, const char *image,
			unsigned int cluster_bits,
			const struct qcow2_header_change *to, struct err *err)
{
	struct change change = {
		.file = file,
		.to = to,
		.size = 1ULL << cluster_bits,
	};
	int ret = -ENOMEM;

	change.old.bytes = calloc(1, change.size);
	change.new.bytes = calloc(1, change.size);
	if (change.old.bytes && change.new.bytes)
		ret = run(&change);
	free(change.old.bytes);
	free(change.new.bytes);
	if (ret == -ENAMETOOLONG)
		return err_set(err, ENAMETOOLONG,
			       "the header of %s has no room to be changed "
			       "safely",
			       image);
	return ret ? err_errno(err, -ret, "cannot write %s", image) : 0;
}

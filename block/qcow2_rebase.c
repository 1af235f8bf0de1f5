/*
 * block/qcow2_rebase.c - another backing file; see qcow2_rebase.h.
 *
 * Name and format lie in different places of the header's cluster, and power
 * may go between any two writes. So what is new is written where the header
 * does not lead to yet; when that is durable, the first sector is, and it leads
 * to all of it: that is one write, which happens or not. What the old header
 * leads to past its first sector stays as it is until then.
 *
 * Extensions follow each other without a gap, so that one more moves those
 * behind it. Where these are in the way, the names of features are left out,
 * which only help old programs to complain, and added again by a second switch.
 * A header that is too crowded even then is refused.
 */
#include "block/qcow2_rebase.h"

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

struct rebase {
	struct file *file;
	uint64_t size;		      /* of a cluster */
	uint64_t start;		      /* of the extensions */
	const char *backing, *format; /* NULL: none */
	bool has_format;	      /* the old list */
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
static int next_extension(const struct rebase *rebase, uint64_t *at,
			  struct extension *ret)
{
	struct qcow2_extension header;

	if (!range_fits(*at, sizeof(header), rebase->size))
		return 0;
	memcpy(&header, rebase->old.bytes + *at, sizeof(header));
	*ret = (struct extension){
		.type = be32_get(header.type),
		.at = *at,
		.length = sizeof(header) + align_up(be32_get(header.length), 8),
	};
	if (ret->type == QCOW2_EXTENSION_END)
		return 0;
	if (!range_fits(*at, ret->length, rebase->size))
		return -EUCLEAN;
	*at += ret->length;
	return 1;
}

static int survey_old(struct rebase *rebase)
{
	const struct qcow2_header *header =
		(const struct qcow2_header *)rebase->old.bytes;
	struct extension extension;
	uint64_t at;
	int ret;

	rebase->start = be32_get(header->version) > 2
				? be32_get(header->header_length)
				: QCOW2_V2_LENGTH;
	at = rebase->start;
	while ((ret = next_extension(rebase, &at, &extension)) > 0) {
		if (extension.type == QCOW2_EXTENSION_BACKING_FORMAT)
			rebase->has_format = true;
		if (extension.type != QCOW2_EXTENSION_FEATURE_NAMES)
			continue;
		rebase->names = rebase->old.bytes + extension.at;
		rebase->names_length = extension.length;
	}
	rebase->old.list_end = min_u64(at + sizeof(struct qcow2_extension),
				       rebase->size);
	rebase->old.name = be64_get(header->backing_file_offset);
	rebase->old.name_length = be32_get(header->backing_file_size);
	return ret;
}

/* --- What shall be -------------------------------------------------------- */

static bool add(struct rebase *rebase, const void *bytes, uint64_t length)
{
	struct cluster *new = &rebase->new;

	if (!range_fits(new->list_end, length, rebase->size))
		return false;
	if (length)
		memcpy(new->bytes + new->list_end, bytes, length);
	new->list_end += length;
	return true;
}

/* Of no backing file there is nothing to state. */
static bool add_format(struct rebase *rebase)
{
	const char *format = rebase->backing ? rebase->format : NULL;
	uint64_t length = format ? strlen(format) : 0;
	struct qcow2_extension header = {
		be32_make(QCOW2_EXTENSION_BACKING_FORMAT),
		be32_make((uint32_t)length),
	};
	static const uint8_t padding[8];

	return !length || (add(rebase, &header, sizeof(header)) &&
			   add(rebase, format, length) &&
			   add(rebase, padding, align_up(length, 8) - length));
}

/* An old one stays, or something else comes in its place. */
static bool add_old(struct rebase *rebase, const struct extension *extension,
		    enum arrangement how)
{
	bool moves = how == FORMAT_FIRST || how == NAMELESS;

	if (extension->type == QCOW2_EXTENSION_BACKING_FORMAT)
		return moves || add_format(rebase);
	if (extension->type == QCOW2_EXTENSION_FEATURE_NAMES && how == NAMELESS)
		return true;
	return add(rebase, rebase->old.bytes + extension->at,
		   extension->length);
}

static bool add_list(struct rebase *rebase, enum arrangement how)
{
	static const uint8_t end[sizeof(struct qcow2_extension)];
	uint64_t at = rebase->start;
	struct extension extension;

	memcpy(rebase->new.bytes, rebase->old.bytes, rebase->size);
	rebase->new.list_end = rebase->start;
	if ((how == FORMAT_FIRST || how == NAMELESS) && !add_format(rebase))
		return false;
	while (next_extension(rebase, &at, &extension) > 0)
		if (!add_old(rebase, &extension, how))
			return false;
	if (how == NAMES_LAST &&
	    !add(rebase, rebase->names, rebase->names_length))
		return false;
	return add(rebase, end, sizeof(end));
}

static bool put_name(struct rebase *rebase, uint64_t at)
{
	struct cluster *new = &rebase->new;
	struct qcow2_header *header = (struct qcow2_header *)new->bytes;
	uint64_t length = rebase->backing ? strlen(rebase->backing) : 0;

	if (length > QCOW2_BACKING_NAME_MAX ||
	    !range_fits(at, length, rebase->size))
		return false;
	if (length)
		memcpy(new->bytes + at, rebase->backing, length);
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

static bool leads_to(const struct rebase *rebase, uint64_t at)
{
	const struct cluster *old = &rebase->old;

	return (at >= rebase->start && at < old->list_end) ||
	       (at >= old->name && at < old->name + old->name_length);
}

/* Does the first sector alone decide which of the two is there? */
static bool is_safe(const struct rebase *rebase)
{
	for (uint64_t i = BLOCK_SECTOR; i < rebase->size; i++)
		if (rebase->new.bytes[i] != rebase->old.bytes[i] &&
		    leads_to(rebase, i) && !MUTANT(OLD_NAME_OVERWRITTEN))
			return false;
	return true;
}

/*
 * The name goes behind the extensions - with room for the names of features if
 * these are to come back - or behind all that is old.
 */
static bool arrange(struct rebase *rebase, enum arrangement how)
{
	uint64_t room = how == NAMELESS ? rebase->names_length : 0, list_end;
	uint64_t places[3];

	if (!add_list(rebase, how))
		return false;
	list_end = rebase->new.list_end;
	places[0] = list_end + room;
	places[1] = max_u64(places[0], end_of(&rebase->old));
	places[2] = list_end;
	for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
		if (put_name(rebase, places[i]) && is_safe(rebase))
			return true;
		add_list(rebase, how);
	}
	return false;
}

static int write_back(struct rebase *rebase)
{
	uint64_t end = end_of(&rebase->new);
	int ret = 0;

	if (end > BLOCK_SECTOR)
		ret = file_write(rebase->file, rebase->new.bytes + BLOCK_SECTOR,
				 end - BLOCK_SECTOR, BLOCK_SECTOR);
	if (!ret && !MUTANT(NO_BARRIER_BEFORE_NAME))
		ret = file_flush(rebase->file);
	if (!ret)
		ret = file_write(rebase->file, rebase->new.bytes, BLOCK_SECTOR,
				 0);
	if (!ret && !MUTANT(NO_BARRIER_AFTER_NAME))
		ret = file_flush(rebase->file);
	return ret;
}

/* The names of features that were left out come back, if there is room. */
static int add_names(const struct rebase *rebase)
{
	struct rebase again = *rebase;
	int ret = 0;

	again.old = rebase->new;
	again.new.bytes = calloc(1, rebase->size);
	if (!again.new.bytes)
		return -ENOMEM;
	if (arrange(&again, NAMES_LAST))
		ret = write_back(&again);
	free(again.new.bytes);
	return ret;
}

static int rebase_run(struct rebase *rebase)
{
	int ret;

	ret = file_read(rebase->file, rebase->old.bytes, rebase->size, 0);
	if (!ret)
		ret = survey_old(rebase);
	if (ret)
		return ret;
	if (rebase->has_format && arrange(rebase, IN_PLACE))
		return write_back(rebase);
	if (arrange(rebase, FORMAT_FIRST))
		return write_back(rebase);
	if (!arrange(rebase, NAMELESS))
		return -ENAMETOOLONG;
	ret = write_back(rebase);
	return ret || !rebase->names ? ret : add_names(rebase);
}

static int check_image(const struct qcow2_info *info, const char *image,
		       const char *backing, struct err *err)
{
	if (info->incompatible & (QCOW2_DIRTY | QCOW2_CORRUPT))
		return err_set(err, EUCLEAN,
			       "%s has errors; \"alcor img check -r all\" may "
			       "repair it",
			       image);
	if (backing && info->incompatible & QCOW2_DATA_FILE &&
	    info->autoclear & QCOW2_DATA_FILE_RAW)
		return err_set(err, EINVAL,
			       "%s has a raw data file, which does not go "
			       "together with a backing file",
			       image);
	return 0;
}

int qcow2_rebase(struct file *file, const char *image, const char *backing,
		 const char *format, struct err *err)
{
	struct image_options options = {
		.name = image,
		.read_only = true,
		.for_check = true,
	};
	struct rebase rebase = {
		.file = file,
		.backing = backing,
		.format = format,
	};
	struct qcow2_info info;
	int ret;

	ret = qcow2_header_read(file, &options, &info, err);
	if (!ret)
		ret = check_image(&info, image, backing, err);
	if (ret)
		return ret;
	rebase.size = 1ULL << info.cluster_bits;
	rebase.old.bytes = calloc(1, rebase.size);
	rebase.new.bytes = calloc(1, rebase.size);
	ret = -ENOMEM;
	if (rebase.old.bytes && rebase.new.bytes)
		ret = rebase_run(&rebase);
	free(rebase.old.bytes);
	free(rebase.new.bytes);
	if (ret == -ENAMETOOLONG)
		return err_set(err, ENAMETOOLONG,
			       "the header of %s has no room to change the "
			       "name of its backing file safely",
			       image);
	return ret ? err_errno(err, -ret, "cannot write %s", image) : 0;
}

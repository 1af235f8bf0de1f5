/*
 * block/qcow2_header.c - the header, and the features that are refused.
 *
 * Everything here comes from an image that may be hostile. A field is used
 * only after the function that checks it; work and memory are bounded by
 * constants, whatever the header claims. Fields that are not used are not
 * judged, and nothing is written: unknown extensions stay where they are.
 *
 * Refused by name: encryption; an external data file that the user did not
 * name (the image's own idea of its name is told, never followed); and for
 * writing an image that is marked corrupt.
 */
#include "block/qcow2.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct reader {
	struct file *file;
	const char *name;
	bool read_only;
	bool has_data_file;	    /* the user has named one */
	bool for_check;		    /* of what the tables say, judge less */
	struct qcow2_header header; /* zeroes where version 2 ends */
	struct qcow2_info *info;
	struct err *err;
};

static int check_magic(struct reader *reader)
{
	struct qcow2_header *header = &reader->header;
	uint32_t version;

	if (file_size(reader->file) < QCOW2_V2_LENGTH ||
	    be32_get(header->magic) != QCOW2_MAGIC)
		return err_set(reader->err, EINVAL,
			       "%s is not a qcow2 image (a raw disk needs "
			       "\"format=raw\")",
			       reader->name);
	version = be32_get(header->version);
	if (version != 2 && version != 3)
		return err_set(reader->err, ENOTSUP,
			       "%s is of qcow2 version %" PRIu32
			       "; 2 and 3 are known",
			       reader->name, version);
	reader->info->version = version;
	return 0;
}

static int check_cluster_size(struct reader *reader)
{
	uint32_t bits = be32_get(reader->header.cluster_bits);

	if (bits < QCOW2_CLUSTER_BITS_MIN || bits > QCOW2_CLUSTER_BITS_MAX)
		return err_set(reader->err, EINVAL,
			       "%s has clusters of 2^%" PRIu32
			       " bytes; 2^9 to 2^21 are possible",
			       reader->name, bits);
	reader->info->cluster_bits = bits;
	return 0;
}

/* Makes a version 2 header look like version 3 with nothing set. */
static int check_length(struct reader *reader)
{
	struct qcow2_header *header = &reader->header;
	uint32_t length = be32_get(header->header_length);

	if (reader->info->version == 2) {
		memset(&header->incompatible_features, 0,
		       sizeof(*header) - QCOW2_V2_LENGTH);
		header->refcount_order = be32_make(4);
		header->header_length = be32_make(QCOW2_V2_LENGTH);
		return 0;
	}
	if (length < QCOW2_V3_LENGTH || !is_aligned(length, 8) ||
	    length > 1U << reader->info->cluster_bits ||
	    length > file_size(reader->file))
		return err_set(reader->err, EINVAL,
			       "%s has a header of %" PRIu32
			       " bytes, which cannot be",
			       reader->name, length);
	if (length == QCOW2_V3_LENGTH)
		header->compression_type = 0;
	return 0;
}

static int check_unknown_features(struct reader *reader, uint64_t unknown)
{
	unsigned int bit = (unsigned int)__builtin_ctzll(unknown);
	char feature[sizeof(((struct qcow2_feature_name *)0)->name) + 1];

	qcow2_extension_feature_name(reader->file,
				     be32_get(reader->header.header_length),
				     1U << reader->info->cluster_bits, bit,
				     feature);
	if (!feature[0])
		return err_set(reader->err, ENOTSUP,
			       "%s needs a feature that is not known (bit %u)",
			       reader->name, bit);
	return err_set(reader->err, ENOTSUP,
		       "%s needs the feature \"%s\", which is not known",
		       reader->name, feature);
}

static int check_features(struct reader *reader)
{
	uint64_t bits = be64_get(reader->header.incompatible_features);
	uint64_t known = QCOW2_DIRTY | QCOW2_CORRUPT | QCOW2_DATA_FILE |
			 QCOW2_COMPRESSION | QCOW2_EXTENDED_L2;
	struct err *err = reader->err;
	const char *name = reader->name;

	if (bits & ~known)
		return check_unknown_features(reader, bits & ~known);
	if (bits & QCOW2_CORRUPT && !reader->read_only)
		return err_set(err, EUCLEAN,
			       "%s is marked corrupt and can only be opened "
			       "with \"ro\"; \"alcor img check -r all\" may "
			       "repair it",
			       name);
	reader->info->incompatible = bits;
	reader->info->compatible = be64_get(reader->header.compatible_features);
	reader->info->autoclear = be64_get(reader->header.autoclear_features);
	return 0;
}

/* Small clusters would have subclusters of less than a sector. */
static int check_extended_l2(struct reader *reader)
{
	unsigned int bits = reader->info->cluster_bits;

	if (!(reader->info->incompatible & QCOW2_EXTENDED_L2) ||
	    bits >= QCOW2_CLUSTER_BITS_MIN_EXTENDED)
		return 0;
	return err_set(reader->err, EINVAL,
		       "%s has extended L2 entries and clusters of 2^%u bytes; "
		       "2^%d is the least then",
		       reader->name, bits, QCOW2_CLUSTER_BITS_MIN_EXTENDED);
}

/* Only for the user's eyes. */
static int refuse_data_file(struct reader *reader)
{
	char name[QCOW2_DATA_NAME_MAX + 1] = "";

	qcow2_extension_find(reader->file,
			     be32_get(reader->header.header_length),
			     1U << reader->info->cluster_bits,
			     QCOW2_EXTENSION_DATA_FILE, name, sizeof(name) - 1);
	for (char *c = name; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	if (!name[0])
		return err_set(reader->err, EACCES,
			       "%s keeps its data in another file and does "
			       "not say in which; \"data-file=FILE\" names it",
			       reader->name);
	return err_set(reader->err, EACCES,
		       "%s keeps its data in another file, which it calls "
		       "\"%s\"; it is opened only if \"data-file=FILE\" "
		       "names it",
		       reader->name, name);
}

static int check_data_file(struct reader *reader)
{
	struct qcow2_info *info = reader->info;
	bool raw = info->autoclear & QCOW2_DATA_FILE_RAW;

	if (reader->for_check)
		return 0;
	if (!(info->incompatible & QCOW2_DATA_FILE)) {
		if (!reader->has_data_file)
			return 0;
		return err_set(reader->err, EINVAL,
			       "%s keeps its data in itself, so there is "
			       "nothing for a data file to hold",
			       reader->name);
	}
	if (!reader->has_data_file)
		return refuse_data_file(reader);
	if (be32_get(reader->header.nb_snapshots))
		return err_set(reader->err, EUCLEAN,
			       "%s contradicts itself: it has snapshots and a "
			       "data file, which do not go together",
			       reader->name);
	if (raw && be64_get(reader->header.backing_file_offset))
		return err_set(reader->err, EUCLEAN,
			       "%s contradicts itself: it has a backing file "
			       "and a raw data file, which do not go together",
			       reader->name);
	return 0;
}

static int check_encryption(struct reader *reader)
{
	uint32_t method = be32_get(reader->header.crypt_method);
	const char *what = "with an unknown method";

	if (!method)
		return 0;
	if (method == 1)
		what = "(AES)";
	if (method == 2)
		what = "(LUKS)";
	return err_set(reader->err, ENOTSUP,
		       "%s is encrypted %s, which is not supported",
		       reader->name, what);
}

static int check_compression(struct reader *reader)
{
	uint8_t type = reader->header.compression_type;
	bool flagged = reader->info->incompatible & QCOW2_COMPRESSION;

	if (flagged != (type != QCOW2_DEFLATE))
		return err_set(reader->err, EUCLEAN,
			       "%s contradicts itself about its compression "
			       "type",
			       reader->name);
	if (type > QCOW2_ZSTD)
		return err_set(reader->err, ENOTSUP,
			       "%s is compressed with the unknown method %u",
			       reader->name, type);
	reader->info->compression = type;
	return 0;
}

/*
 * A table that the header points at: whole clusters, inside the file. (A check
 * finds out what is missing.)
 */
static int check_table(struct reader *reader, const char *what, uint64_t offset,
		       uint64_t bytes, uint64_t bytes_max)
{
	uint64_t cluster_size = 1ULL << reader->info->cluster_bits;

	if (bytes > bytes_max)
		return err_set(reader->err, EFBIG,
			       "the %s of %s is too large: %" PRIu64 " bytes",
			       what, reader->name, bytes);
	if (!is_aligned(offset, cluster_size) || offset < cluster_size ||
	    offset >= QCOW2_OFFSET_LIMIT ||
	    (!reader->for_check &&
	     !range_fits(offset, bytes, file_size(reader->file))))
		return err_set(
			reader->err, EUCLEAN,
			"the %s of %s is not where it can be: at %#" PRIx64
			", %" PRIu64 " bytes",
			what, reader->name, offset, bytes);
	return 0;
}

static int check_l1(struct reader *reader)
{
	struct qcow2_info *info = reader->info;
	uint64_t size = be64_get(reader->header.size);
	uint64_t covered = qcow2_l2_covers(info->cluster_bits,
					   info->incompatible &
						   QCOW2_EXTENDED_L2);

	info->l1_offset = be64_get(reader->header.l1_table_offset);
	info->l1_size = be32_get(reader->header.l1_size);
	if (size > INT64_MAX - BLOCK_SECTOR ||
	    div_round_up(size, covered) > info->l1_size)
		return err_set(reader->err, EUCLEAN,
			       "%s claims a size of %" PRIu64
			       " bytes, more than its L1 table has room for",
			       reader->name, size);
	info->size = align_down(size, BLOCK_SECTOR);
	if (!info->l1_size)
		return 0;
	return check_table(reader, "L1 table", info->l1_offset,
			   info->l1_size * sizeof(be64), QCOW2_L1_BYTES_MAX);
}

static int check_reftable(struct reader *reader)
{
	struct qcow2_info *info = reader->info;
	uint32_t order = be32_get(reader->header.refcount_order);

	if (order > QCOW2_REFCOUNT_ORDER_MAX)
		return err_set(reader->err, EINVAL,
			       "%s has refcounts of 2^%" PRIu32
			       " bits; 2^6 is the most",
			       reader->name, order);
	info->refcount_order = order;
	info->reftable_offset = be64_get(reader->header.refcount_table_offset);
	info->reftable_clusters =
		be32_get(reader->header.refcount_table_clusters);
	if (!info->reftable_clusters && reader->for_check)
		return 0;
	if (!info->reftable_clusters)
		return err_set(reader->err, EUCLEAN, "%s has no refcount table",
			       reader->name);
	return check_table(reader, "refcount table", info->reftable_offset,
			   info->reftable_clusters << info->cluster_bits,
			   QCOW2_REFTABLE_BYTES_MAX);
}

static int check_snapshots(struct reader *reader)
{
	struct qcow2_info *info = reader->info;

	info->snapshot_count = be32_get(reader->header.nb_snapshots);
	info->snapshots_offset = be64_get(reader->header.snapshots_offset);
	if (!is_aligned(info->snapshots_offset, 1ULL << info->cluster_bits))
		return err_set(reader->err, EUCLEAN,
			       "the snapshot table of %s is not where it can "
			       "be: at %#" PRIx64,
			       reader->name, info->snapshots_offset);
	if (!info->snapshot_count)
		return 0;
	if (info->snapshot_count > QCOW2_SNAPSHOTS_MAX)
		return err_set(reader->err, EFBIG,
			       "%s has %" PRIu64 " snapshots; %d are the most",
			       reader->name, info->snapshot_count,
			       QCOW2_SNAPSHOTS_MAX);
	return check_table(reader, "snapshot table", info->snapshots_offset,
			   info->snapshot_count *
				   sizeof(struct qcow2_snapshot_header),
			   QCOW2_SNAPSHOT_BYTES_MAX);
}

static int read_backing_name(struct reader *reader)
{
	uint64_t offset = be64_get(reader->header.backing_file_offset);
	uint32_t length = be32_get(reader->header.backing_file_size);
	uint64_t limit = min_u64(1ULL << reader->info->cluster_bits,
				 file_size(reader->file));
	char *name = reader->info->backing.name;
	int ret;

	if (!offset || !length)
		return 0;
	if (length > QCOW2_BACKING_NAME_MAX ||
	    !range_fits(offset, length, limit))
		return err_set(reader->err, EUCLEAN,
			       "the name of the backing file of %s is too long "
			       "or not in its header",
			       reader->name);
	ret = file_read(reader->file, name, length, offset);
	if (ret)
		return err_errno(reader->err, -ret, "cannot read %s",
				 reader->name);
	if (strlen(name) != length)
		return err_set(reader->err, EUCLEAN,
			       "the name of the backing file of %s has a zero "
			       "byte in it",
			       reader->name);
	return 0;
}

/* Walks over all extensions, so that none is cut off. */
static int read_backing_format(struct reader *reader)
{
	struct image_backing *backing = &reader->info->backing;
	int ret;

	ret = qcow2_extension_backing_format(
		reader->file, be32_get(reader->header.header_length),
		1U << reader->info->cluster_bits, backing->format,
		sizeof(backing->format));
	if (ret == -EUCLEAN)
		return err_set(reader->err, EUCLEAN,
			       "the header extensions of %s do not end in its "
			       "first cluster",
			       reader->name);
	if (ret)
		return err_errno(reader->err, -ret,
				 "cannot read the header extensions of %s",
				 reader->name);
	if (!backing->name[0])
		backing->format[0] = '\0';
	return 0;
}

int qcow2_header_read(struct file *file, const struct image_options *options,
		      struct qcow2_info *ret_info, struct err *err)
{
	static int (*const steps[])(struct reader *) = {
		check_magic,	     check_cluster_size, check_length,
		check_features,	     check_extended_l2,	 check_data_file,
		check_encryption,    check_compression,	 check_l1,
		check_reftable,	     check_snapshots,	 read_backing_name,
		read_backing_format,
	};
	struct reader reader = {
		.file = file,
		.name = options->name,
		.read_only = options->read_only,
		.has_data_file = options->data_file,
		.for_check = options->for_check,
		.info = ret_info,
		.err = err,
	};
	int ret;

	*ret_info = (struct qcow2_info){0};
	ret = file_read(file, &reader.header, sizeof(reader.header), 0);
	if (ret)
		return err_errno(err, -ret, "cannot read %s", options->name);
	for (size_t i = 0; i < ARRAY_LENGTH(steps) && !ret; i++)
		ret = steps[i](&reader);
	return ret;
}

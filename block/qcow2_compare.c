/*
 * block/qcow2_compare.c - refcounts and COPIED flags against the survey; see
 * qcow2_tables.h. Counts as "qemu-img check" does.
 */
#include "block/qcow2_tables.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A piece of a refcount block; a whole one if that is smaller. */
#define STRIP_BYTES_MAX 4096

/* So many are remembered: flags are compared in the order of the disk. */
#define STRIPS 256

struct strip {
	uint64_t number; /* of all strips, plus 1; 0: unused */
	int error;	 /* instead of the bytes */
	uint8_t bytes[STRIP_BYTES_MAX];
};

struct compare {
	struct qcow2_tables *tables;
	struct strip *strips;
	uint64_t strip_bytes;
	uint64_t per_strip, per_block; /* refcounts */
	struct qcow2_counts seen;      /* L2 tables */
	be64 *l2;
	uint64_t end;	/* of the clusters in use; the header is in any case */
	bool repairing; /* the second round: what becomes of mismatches */
};

/* --- Refcounts on disk ---------------------------------------------------- */

/* *ret_offset is 0 if there is no such block. */
static int find_block(const struct qcow2_tables *tables, uint64_t index,
		      uint64_t *ret_offset)
{
	*ret_offset = 0;
	if (index < tables->reftable_count)
		*ret_offset = be64_get(tables->reftable[index]) &
			      QCOW2_REFTABLE_MASK;
	return is_aligned(*ret_offset, tables->cluster_size) &&
			       *ret_offset <= INT64_MAX / 2
		       ? 0
		       : -EUCLEAN;
}

int qcow2_tables_read_block(const struct qcow2_tables *tables, uint64_t index,
			    uint8_t *ret_block)
{
	uint64_t offset;
	int ret = find_block(tables, index, &offset);

	if (ret)
		return ret;
	if (offset)
		return file_read(tables->file, ret_block, tables->cluster_size,
				 offset);
	memset(ret_block, 0, tables->cluster_size);
	return 0;
}

static int load(struct compare *compare, uint64_t number, struct strip *strip)
{
	struct qcow2_tables *tables = compare->tables;
	uint64_t first = number * compare->per_strip, offset;
	uint64_t in_block = first % compare->per_block;
	int ret;

	ret = find_block(tables, first / compare->per_block, &offset);
	if (!ret && !offset)
		memset(strip->bytes, 0, compare->strip_bytes);
	else if (!ret)
		ret = file_read(
			tables->file, strip->bytes, compare->strip_bytes,
			offset + (in_block << tables->info.refcount_order) / 8);
	strip->number = number + 1;
	strip->error = ret;
	return ret;
}

static int get_refcount(struct compare *compare, uint64_t cluster,
			uint64_t *ret_refcount)
{
	uint64_t number = cluster / compare->per_strip;
	struct strip *strip = &compare->strips[number % STRIPS];
	int ret = strip->error;

	if (strip->number != number + 1)
		ret = load(compare, number, strip);
	if (!ret)
		*ret_refcount = qcow2_refcount_read(
			strip->bytes, cluster % compare->per_strip,
			compare->tables->info.refcount_order);
	return ret;
}

/* --- Refcounts ------------------------------------------------------------ */

static unsigned int fix_of(const struct qcow2_tables *tables)
{
	return tables->options ? tables->options->fix : 0;
}

/* Of refcounts and of what the survey found, but for COPIED flags. */
static bool has_errors(const struct qcow2_tables *tables)
{
	return tables->result.corruptions > tables->copied_faults ||
	       tables->result.check_errors;
}

/* Where there are errors, too, a leak that is none of all is left to them. */
static bool is_repaired(const struct qcow2_tables *tables, uint64_t refcount,
			uint64_t references)
{
	if (fix_of(tables) & QCOW2_FIX_ERRORS)
		return true;
	return fix_of(tables) & QCOW2_FIX_LEAKS && refcount > references &&
	       (!references || !has_errors(tables));
}

static void tell_mismatch(struct qcow2_tables *tables, const char *verb,
			  uint64_t cluster, uint64_t refcount,
			  uint64_t references)
{
	qcow2_tables_tell(tables,
			  "%s cluster %" PRIu64 " refcount=%" PRIu64
			  " reference=%" PRIu64,
			  verb, cluster, refcount, references);
}

static void compare_cluster(struct compare *compare, uint64_t cluster,
			    uint64_t refcount)
{
	struct qcow2_tables *tables = compare->tables;
	uint64_t references = qcow2_counts_get(&tables->counts, cluster);

	if (refcount || references)
		compare->end = cluster + 1;
	if (refcount == references)
		return;
	if (compare->repairing) {
		if (is_repaired(tables, refcount, references))
			tell_mismatch(tables, "Repairing", cluster, refcount,
				      references);
		return;
	}
	tell_mismatch(tables, refcount > references ? "Leaked" : "ERROR",
		      cluster, refcount, references);
	if (refcount < references) {
		tables->result.corruptions++;
		return;
	}
	tables->result.leaks++;
	tables->has_partial_leaks |= references != 0;
}

static void tell_unreadable(struct compare *compare, uint64_t first,
			    uint64_t end)
{
	if (compare->repairing)
		return;
	compare->tables->result.check_errors += end - first;
	qcow2_tables_tell(compare->tables,
			  "Can't get refcounts for clusters %" PRIu64
			  " to %" PRIu64,
			  first, end - 1);
}

/* Clusters [first, end) of one strip. */
static int compare_strip(struct compare *compare, uint64_t first, uint64_t end)
{
	uint64_t refcount = 0;
	int ret;

	ret = qcow2_tables_spend(compare->tables, compare->strip_bytes);
	if (ret)
		return ret;
	if (get_refcount(compare, first, &refcount)) {
		tell_unreadable(compare, first, end);
		return 0;
	}
	for (uint64_t i = first; i < end; i++) {
		get_refcount(compare, i, &refcount);
		compare_cluster(compare, i, refcount);
	}
	return 0;
}

/*
 * The first cluster in [at, end) that may have a refcount, or is referred to.
 * Its block, which is that of @first, too, is at @offset (0: there is none).
 */
static uint64_t find_next(struct compare *compare, uint64_t offset,
			  uint64_t first, uint64_t at, uint64_t end)
{
	struct qcow2_tables *tables = compare->tables;
	unsigned int order = tables->info.refcount_order;
	uint64_t next = qcow2_counts_next(&tables->counts, at, end), data;

	if (!offset || at == end)
		return next;
	data = qcow2_tables_find_data(tables,
				      offset + ((at - first) << order) / 8,
				      offset + tables->cluster_size);
	/* A byte may hold several. */
	data = max_u64(at, first + ((data - offset) * 8 >> order));
	return min_u64(next, data);
}

/* Clusters [first, end), whose block is at @offset. */
static int compare_range(struct compare *compare, uint64_t offset,
			 uint64_t first, uint64_t end)
{
	uint64_t at = find_next(compare, offset, first, first, end), stop;
	int ret = 0;

	while (at < end && !ret) {
		stop = min_u64(end, (at / compare->per_strip + 1) *
					    compare->per_strip);
		ret = compare_strip(compare, at, stop);
		at = find_next(compare, offset, first, stop, end);
	}
	return ret;
}

static int compare_block(struct compare *compare, uint64_t index)
{
	struct qcow2_tables *tables = compare->tables;
	uint64_t first = index * compare->per_block, offset;
	uint64_t end = min_u64(first + compare->per_block,
			       tables->counts.clusters);

	if (find_block(tables, index, &offset)) {
		tell_unreadable(compare, first, end);
		return 0;
	}
	/* The survey has said so if it is a block twice: then it is neither. */
	if (qcow2_counts_get(&tables->counts,
			     offset >> tables->info.cluster_bits) > 1)
		offset = 0;
	return compare_range(compare, offset, first, end);
}

static int compare_blocks(struct compare *compare)
{
	struct qcow2_tables *tables = compare->tables;
	uint64_t clusters = tables->counts.clusters;
	uint64_t blocks = min_u64(tables->reftable_count,
				  div_round_up(clusters, compare->per_block));
	int ret = 0;

	for (uint64_t i = 0; i < blocks && !ret; i++)
		ret = compare_block(compare, i);
	return ret ? ret
		   : compare_range(compare, 0, blocks * compare->per_block,
				   clusters);
}

/* What was found is told as a whole before what becomes of it. */
static int compare_refcounts(struct compare *compare)
{
	int ret = compare_blocks(compare);

	if (ret || !fix_of(compare->tables))
		return ret;
	compare->repairing = true;
	return compare_blocks(compare);
}

/* --- COPIED flags --------------------------------------------------------- */

/* What the flags of a repaired image have to fit. */
static int get_mended(struct compare *compare, uint64_t cluster,
		      uint64_t *ret_refcount)
{
	struct qcow2_tables *tables = compare->tables;
	uint64_t references = qcow2_counts_get(&tables->counts, cluster);
	int ret = get_refcount(compare, cluster, ret_refcount);

	if (!ret && *ret_refcount != references &&
	    is_repaired(tables, *ret_refcount, references))
		*ret_refcount = references;
	return ret;
}

static bool is_copied_right(struct compare *compare, uint64_t entry,
			    uint64_t refcount)
{
	struct qcow2_tables *tables = compare->tables;

	if ((refcount == 1) == !!(entry & QCOW2_COPIED))
		return true;
	tables->result.corruptions++;
	tables->copied_faults++;
	return false;
}

static const char *copied_verb(const struct qcow2_tables *tables)
{
	bool is_repaired = fix_of(tables) & QCOW2_FIX_ERRORS ||
			   (fix_of(tables) && !has_errors(tables));

	return is_repaired ? "Repairing" : "ERROR";
}

static void compare_l2_entry(struct compare *compare, struct qcow2_entry entry)
{
	struct qcow2_tables *tables = compare->tables;
	uint64_t cluster = (entry.word & QCOW2_OFFSET_MASK) >>
			   tables->info.cluster_bits;
	uint64_t refcount = 1;

	if (entry.word & QCOW2_COMPRESSED_FLAG ||
	    !qcow2_tables_has_cluster(tables, entry))
		return;
	if (!tables->has_data_file && get_mended(compare, cluster, &refcount))
		return;
	if (!is_copied_right(compare, entry.word, refcount))
		qcow2_tables_tell(tables,
				  "%s OFLAG_COPIED data cluster: "
				  "l2_entry=%" PRIx64 " refcount=%" PRIu64,
				  copied_verb(tables), entry.word, refcount);
}

/* Each table once, whoever leads there. */
static int compare_l2(struct compare *compare, uint64_t offset)
{
	struct qcow2_tables *tables = compare->tables;
	uint64_t cluster = offset >> tables->info.cluster_bits;
	int ret;

	if (cluster >= compare->seen.clusters ||
	    qcow2_counts_get(&compare->seen, cluster))
		return 0;
	ret = qcow2_counts_set(&compare->seen, cluster, 1);
	if (ret || qcow2_tables_is_hole(tables, offset, tables->cluster_size))
		return ret;
	ret = qcow2_tables_read(tables, compare->l2, tables->cluster_size,
				offset);
	/* The survey has said so if it cannot be read. */
	if (ret)
		return ret == -EFBIG ? ret : 0;
	for (uint64_t i = 0; i < tables->l2_entries; i++)
		compare_l2_entry(compare,
				 qcow2_tables_entry(tables, compare->l2, i));
	return 0;
}

static int compare_l1_entry(void *context, uint64_t index, uint64_t entry)
{
	struct compare *compare = context;
	struct qcow2_tables *tables = compare->tables;
	uint64_t offset = entry & QCOW2_OFFSET_MASK, refcount;

	if (!offset ||
	    get_mended(compare, offset >> tables->info.cluster_bits, &refcount))
		return 0;
	if (!is_copied_right(compare, entry, refcount))
		qcow2_tables_tell(tables,
				  "%s OFLAG_COPIED L2 cluster: "
				  "l1_index=%" PRIu64 " l1_entry=%" PRIx64
				  " refcount=%" PRIu64,
				  copied_verb(tables), index, entry, refcount);
	return compare_l2(compare, offset);
}

static int compare_all(struct compare *compare)
{
	struct qcow2_tables *tables = compare->tables;
	int ret = compare_refcounts(compare);

	if (!ret)
		ret = qcow2_tables_walk(tables, tables->l1, 0,
					tables->info.l1_size, compare_l1_entry,
					compare);
	tables->result.image_end_offset = compare->end
					  << tables->info.cluster_bits;
	return ret;
}

int qcow2_compare(struct qcow2_tables *tables)
{
	struct compare compare = {
		.tables = tables,
		.strips = calloc(STRIPS, sizeof(*compare.strips)),
		.strip_bytes = min_u64(STRIP_BYTES_MAX, tables->cluster_size),
		.per_block = tables->cluster_size * 8 >>
			     tables->info.refcount_order,
		.l2 = malloc(tables->cluster_size),
		.end = 1,
	};
	int ret = qcow2_tables_count(tables, 0, &compare.seen);

	compare.per_strip = compare.strip_bytes * 8 >>
			    tables->info.refcount_order;
	if (!compare.strips || !compare.l2)
		ret = -ENOMEM;
	if (!ret)
		ret = compare_all(&compare);
	qcow2_counts_fini(&compare.seen);
	free(compare.strips);
	free(compare.l2);
	return ret;
}

int qcow2_tables_init_sound(struct qcow2_tables *tables, struct file *file,
			    const char *name, struct err *err)
{
	int ret = qcow2_tables_init(tables, file, name, err);

	if (ret)
		return ret;
	ret = qcow2_survey(tables);
	if (!ret)
		ret = qcow2_compare(tables);
	if (ret)
		return qcow2_tables_failed(tables, ret, err);
	if (tables->info.incompatible & (QCOW2_DIRTY | QCOW2_CORRUPT) ||
	    tables->result.corruptions || tables->result.check_errors)
		return err_set(err, EUCLEAN,
			       "%s has errors; \"alcor img check -r all\" may "
			       "repair it",
			       name);
	return 0;
}

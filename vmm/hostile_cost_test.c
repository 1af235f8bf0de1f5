/*
 * vmm/hostile_cost_test.c - images that claim to be huge, or whose tables are
 * referred to again and again: work and memory grow with what is in the file.
 */
#include "block/qcow2_format.h"
#include "vmm/test_hostile.h"

/* Entries of the largest L1 table, and of the largest refcount table. */
#define L1_MAX	     (32 * MIB / sizeof(be64))
#define REFTABLE_MAX (8 * MIB / sizeof(be64))

/* The smallest, the usual and the largest clusters. */
static const unsigned int sizes[] = {9, 16, 21};

static unsigned int bits; /* of the clusters, now */

static uint64_t cluster(uint64_t number)
{
	return number << bits;
}

/* A table of @count entries, each @step more than the one before. */
static void put_table(struct file *file, uint64_t offset, uint64_t count,
		      uint64_t first, uint64_t step)
{
	be64 *table = calloc(count, sizeof(*table));

	for (uint64_t i = 0; i < count; i++)
		table[i] = be64_make(first + i * step);
	CHECK(!file_write(file, table, count * sizeof(*table), offset));
	free(table);
}

/*
 * An empty disk of 4 KiB: header, refcount table, refcount block, L1 table.
 * NULL: the file system does not have files of that size.
 */
static struct file *make_empty(uint64_t size)
{
	struct qcow2_create_options create = TEST_CREATE(4 * KIB, bits, 3, 4,
							 0);
	struct file *file = hostile_file("image", 0);

	if (!CHECK(!qcow2_create(file, &create, NULL)) ||
	    file_truncate(file, size)) {
		file_close(file);
		return NULL;
	}
	return file;
}

/* Its L1 table, at @offset, has as many entries as it may. */
static void claim_l1(struct file *file, uint64_t offset, uint64_t entries)
{
	uint64_t covers = 1ULL << (2 * bits - 3);

	hostile_put(file, 24, 8, min_u64(entries * covers, INT64_MAX / 2 + 1));
	hostile_put(file, 36, 4, entries);
	hostile_put(file, 40, 8, offset);
}

static bool finish(struct file *file)
{
	file_close(file);
	return file;
}

/* --- Images --------------------------------------------------------------- */

static bool make_sparse(void)
{
	return finish(make_empty(1ULL << 62));
}

static bool make_many_clusters(void)
{
	return finish(make_empty(min_u64(cluster(INT32_MAX), 1ULL << 62)));
}

static bool make_empty_l1(void)
{
	struct file *file = make_empty(cluster(4) + 32 * MIB);

	if (file)
		claim_l1(file, cluster(4), L1_MAX);
	return finish(file);
}

/* All of them the same L2 table, which is empty. */
static bool make_l1_of_one(void)
{
	struct file *file = make_empty(cluster(5) + 64 * MIB);

	if (!file)
		return false;
	claim_l1(file, cluster(4), L1_MAX);
	put_table(file, cluster(4), L1_MAX, cluster(4) + 32 * MIB, 0);
	return finish(file);
}

/* All of them other L2 tables, which are holes. */
static bool make_l1_of_holes(void)
{
	uint64_t first = cluster(4) + 32 * MIB;
	struct file *file = make_empty(first + cluster(L1_MAX));

	if (!file)
		return false;
	claim_l1(file, cluster(4), L1_MAX);
	put_table(file, cluster(4), L1_MAX, first, cluster(1));
	return finish(file);
}

/* As many snapshots as can be, with L1 tables of 32 MiB, @step apart. */
static bool make_snapshots(uint64_t step, size_t name_length)
{
	uint64_t table = 64 * MIB, l1 = 128 * MIB;
	size_t length = align_up(40 + 16 + name_length, 8);
	uint64_t count = min_u64(QCOW2_SNAPSHOTS_MAX, 16 * MIB / length);
	struct file *file;
	uint8_t *entries;

	/* More clusters than that are not even counted. */
	count = min_u64(count, cluster(INT32_MAX - MIB) / (32 * MIB));
	file = make_empty(l1 + count * 32 * MIB);
	if (!file)
		return false;
	entries = calloc(count, length);
	for (uint64_t i = 0; i < count; i++) {
		struct qcow2_snapshot_header header = {
			.l1_table_offset = be64_make(l1 + i * step),
			.l1_size = be32_make(name_length ? 1 : L1_MAX),
			.name_length = be16_make((uint16_t)name_length),
			.extra_size = be32_make(16),
		};
		memcpy(entries + i * length, &header, sizeof(header));
		memset(entries + i * length + 56, 'n', name_length);
	}
	CHECK(!file_write(file, entries, count * length, table));
	hostile_put(file, 60, 4, count);
	hostile_put(file, 64, 8, table);
	free(entries);
	return finish(file);
}

static bool make_snapshots_of_one(void)
{
	return make_snapshots(0, 0);
}

static bool make_snapshots_of_many(void)
{
	return make_snapshots(32 * MIB, 0);
}

static bool make_snapshots_that_overlap(void)
{
	return make_snapshots(cluster(1), 0);
}

static bool make_snapshots_with_names(void)
{
	return make_snapshots(0, 65000);
}

/* As many refcount blocks as there may be, each @step behind the last. */
static bool make_blocks(uint64_t first, uint64_t step)
{
	uint64_t covers = cluster(1) * 4 * REFTABLE_MAX;
	struct file *file = make_empty(cluster(
		min_u64(covers, min_u64(INT32_MAX, 1ULL << 62 >> bits))));

	if (!file)
		return false;
	hostile_put(file, 48, 8, 64 * MIB);
	hostile_put(file, 56, 4, 8 * MIB >> bits);
	put_table(file, 64 * MIB, REFTABLE_MAX, first, step);
	return finish(file);
}

static bool make_blocks_of_one(void)
{
	return make_blocks(cluster(2), 0);
}

static bool make_blocks_of_holes(void)
{
	return make_blocks(128 * MIB, cluster(1));
}

/* 65535 bitmaps with one table, of 32 GiB, which is a hole. */
static bool make_bitmaps(void)
{
	struct qcow2_bitmap_entry entry = {
		.table_offset = be64_make(128 * MIB),
		.table_size = be32_make(UINT32_MAX),
		.name_length = be16_make(8),
	};
	struct file *file = make_empty(1ULL << 40);

	if (!file)
		return false;
	for (uint64_t i = 0; i < 65535; i++)
		file_write(file, &entry, sizeof(entry), 64 * MIB + i * 32);
	hostile_put(file, 88, 8, QCOW2_BITMAPS);
	hostile_put(file, 112, 4, QCOW2_EXTENSION_BITMAPS);
	hostile_put(file, 116, 4, 24);
	hostile_put(file, 120, 8, 65535ULL << 32);
	hostile_put(file, 128, 8, 65535 * 32);
	hostile_put(file, 136, 8, 64 * MIB);
	hostile_put(file, 144, 8, 0);
	return finish(file);
}

/* --- All of them ---------------------------------------------------------- */

static const struct costly {
	const char *what;
	bool (*make)(void);
	bool convert; /* has no contents that are worth the time */
} images[] = {
	{"2^62 bytes", make_sparse, true},
	{"2^31 clusters", make_many_clusters, true},
	{"an L1 table that is empty", make_empty_l1, true},
	{"an L1 table of one L2 table", make_l1_of_one, false},
	{"an L1 table of holes", make_l1_of_holes, false},
	{"snapshots of one L1 table", make_snapshots_of_one, true},
	{"snapshots of many L1 tables", make_snapshots_of_many, true},
	{"snapshots of L1 tables that overlap", make_snapshots_that_overlap,
	 true},
	{"snapshots with long names", make_snapshots_with_names, true},
	{"one refcount block again and again", make_blocks_of_one, true},
	{"refcount blocks that are holes", make_blocks_of_holes, true},
	{"bitmaps of one large table", make_bitmaps, true},
};

/* Whatever it says, it says it soon. */
static void try_command(const struct costly *costly,
			enum hostile_command command)
{
	bool failed_before = test_failed;
	struct hostile_end end;

	test_failed = false;
	unlink("out");
	end = hostile_run(hostile_lines[command]);
	CHECK(end.status >= 0 && end.status <= 3);
	hostile_check_cost(&end);
	if (test_failed)
		printf("# %s, clusters of 2^%u bytes: alcor %s\n# %s\n",
		       costly->what, bits, hostile_lines[command], end.output);
	test_failed |= failed_before;
}

/* The one that writes comes last. */
static void try_image(const struct costly *costly)
{
	unlink("image");
	if (!costly->make())
		return;
	try_command(costly, HOSTILE_INFO);
	try_command(costly, HOSTILE_CHECK);
	if (costly->convert)
		try_command(costly, HOSTILE_CONVERT);
	if (hostile_has_kvm())
		try_command(costly, HOSTILE_RUN);
}

static void claims_cost_nothing(void)
{
	/* If it has to be short, with the usual clusters only. */
	size_t first = test_is_small() ? 1 : 0;
	size_t end = test_is_small() ? 2 : ARRAY_LENGTH(sizes);

	for (size_t i = 0; i < ARRAY_LENGTH(images); i++)
		for (size_t j = first; j < end; j++) {
			bits = sizes[j];
			try_image(&images[i]);
		}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(claims_cost_nothing)};

	return hostile_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

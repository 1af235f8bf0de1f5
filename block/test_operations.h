/*
 * block/test_operations.h - for tests: what can be done to a disk as a whole.
 * See test_change.h.
 */
#ifndef BLOCK_TEST_OPERATIONS_H
#define BLOCK_TEST_OPERATIONS_H

#include "block/commit.h"
#include "block/qcow2_amend.h"
#include "block/qcow2_check.h"
#include "block/qcow2_rebase.h"
#include "block/qcow2_snapshots.h"
#include "block/rebase.h"
#include "block/test_change.h"
#include "block/test_shapes.h"
#include "block/test_snapshot.h"

/* --- Operations on a file ------------------------------------------------- */

static inline void test_run_create(struct test_change *change)
{
	struct file *file = test_change_take(change, TEST_IMAGE);

	test_change_end(change,
			qcow2_snapshot_create(file, "image", "b", NULL));
	file_close(file);
}

static inline void test_run_apply(struct test_change *change)
{
	struct file *file = test_change_take(change, TEST_IMAGE);

	test_change_end(change, qcow2_snapshot_apply(file, "image",
						     TEST_SNAPSHOT, NULL));
	file_close(file);
}

static inline void test_run_delete(struct test_change *change)
{
	struct file *file = test_change_take(change, TEST_IMAGE);

	test_change_end(change, qcow2_snapshot_delete(file, "image",
						      TEST_SNAPSHOT, NULL));
	file_close(file);
}

static inline void test_run_repair(struct test_change *change)
{
	struct qcow2_check_options options = {
		.name = "image",
		.fix = QCOW2_FIX_LEAKS | QCOW2_FIX_ERRORS,
	};
	struct file *file = test_change_take(change, TEST_IMAGE);
	struct qcow2_check_result result;

	test_change_end(change, qcow2_check(file, &options, &result, NULL));
	file_close(file);
}

/* Two steps or three: the version, lazy refcounts, and their width. */
static inline void test_run_amend(struct test_change *change)
{
	static const struct qcow2_amend amend = {
		.version = 3,
		.has_refcounts = true,
		.refcount_order = QCOW2_REFCOUNT_ORDER_MAX,
		.has_lazy = true,
		.lazy_refcounts = true,
	};
	struct file *file = test_change_take(change, TEST_IMAGE);

	test_change_end(change, qcow2_amend(file, "image", &amend, NULL));
	file_close(file);
}

/* --- Operations on an image ----------------------------------------------- */

static inline int test_begin(struct image *image)
{
	return image->ops->begin ? image->ops->begin(image) : 0;
}

static inline int test_change_open_base(struct test_change *change,
					bool writable, struct image *top)
{
	struct image_options options = {
		.name = "base",
		.read_only = !writable,
	};
	struct file *file = test_change_take(change, TEST_BASE);
	int ret;

	if (!strcmp(top->backing_ref.format, "raw"))
		ret = raw_open(file, &options, &top->backing, NULL);
	else
		ret = qcow2_open(file, &options, &top->backing, NULL);
	if (ret)
		file_close(file);
	return ret || !writable ? ret : test_begin(top->backing);
}

/* The disk, as a tool would open it. */
static inline int test_change_open(struct test_change *change,
				   bool write_backing, struct image **ret_top)
{
	struct image_options options = {
		.name = "image",
		.data_file = test_change_take(change, TEST_DATA),
	};
	struct file *file = test_change_take(change, TEST_IMAGE);
	struct image *top;
	int ret;

	ret = qcow2_open(file, &options, &top, NULL);
	if (ret) {
		file_close(file);
		file_close(options.data_file);
		return ret;
	}
	if (top->backing_ref.name[0])
		ret = test_change_open_base(change, write_backing, top);
	if (!ret)
		ret = test_begin(top);
	if (ret)
		image_close(top);
	else
		*ret_top = top;
	return ret;
}

/* Does something to the image, once it is open, and closes it. */
static inline void test_change_image(struct test_change *change,
				     bool write_backing,
				     int (*run)(struct image *top))
{
	struct image *top;
	int ret = test_change_open(change, write_backing, &top);

	if (ret) {
		test_change_end(change, ret);
		return;
	}
	test_change_end(change, run(top));
	if (change->afterwards)
		change->afterwards(change, top);
	image_close(top);
}

/* Whatever has failed, the image and its header agree then. */
static inline int test_resize(struct image *top, uint64_t size)
{
	int ret = top->ops->resize(top, size, NULL);
	be64 header;

	file_read(test_recorder_of(top->file)->below, &header, sizeof(header),
		  offsetof(struct qcow2_header, size));
	if (!qcow2_of(top)->corrupt && !top->file->flush_error)
		CHECK_EQUAL(top->size, be64_get(header));
	return ret;
}

static inline int test_shrink(struct image *top)
{
	return test_resize(top, 87 * BLOCK_SECTOR);
}

static inline int test_grow(struct image *top)
{
	return test_resize(top, 601 * BLOCK_SECTOR);
}

static inline int test_empty(struct image *top)
{
	return top->ops->empty(top, NULL);
}

static inline int test_commit(struct image *top)
{
	struct block_commit how = {.depth = 1};

	return commit_image(top, &how, NULL);
}

static inline int test_nothing(struct image *top)
{
	(void)top;
	return 0;
}

static inline void test_run_shrink(struct test_change *change)
{
	test_change_image(change, false, test_shrink);
}

static inline void test_run_grow(struct test_change *change)
{
	test_change_image(change, false, test_grow);
}

static inline void test_run_empty(struct test_change *change)
{
	test_change_image(change, false, test_empty);
}

static inline void test_run_commit(struct test_change *change)
{
	test_change_image(change, true, test_commit);
}

static inline void test_run_open(struct test_change *change)
{
	test_change_image(change, false, test_nothing);
}

/* --- Operations on both --------------------------------------------------- */

static inline int test_rebase_image(struct test_change *change,
				    struct image *top)
{
	struct image_options options = {.name = "other", .read_only = true};
	struct file *file = test_change_take(change, TEST_OTHER);
	struct image *other;
	int ret;

	if (!strcmp(top->backing_ref.format, "raw"))
		ret = raw_open(file, &options, &other, NULL);
	else
		ret = qcow2_open(file, &options, &other, NULL);
	if (ret) {
		file_close(file);
		return ret;
	}
	ret = rebase_image(top, other, NULL, NULL);
	image_close(other);
	return ret;
}

/* First the contents, then the name. */
static inline void test_run_rebase(struct test_change *change)
{
	struct image_backing backing;
	struct image *top;
	struct file *file;
	int ret, closed;

	ret = test_change_open(change, false, &top);
	if (!ret) {
		backing = top->backing_ref;
		ret = test_rebase_image(change, top);
		closed = image_close(top);
		ret = ret ? ret : closed;
	}
	if (!ret) {
		file = test_change_take_again(change, TEST_IMAGE);
		ret = qcow2_rebase(file, "image", "other", backing.format,
				   NULL);
		test_change_end(change, ret);
		file_close(file);
		return;
	}
	test_change_end(change, ret);
}

/* --- Damage --------------------------------------------------------------- */

/* A block's refcounts are lost, and a flag is wrong. */
static inline void test_damage(struct file *file)
{
	const struct qcow2_header *header = (void *)file_memory_data(file);
	uint64_t reftable = be64_get(header->refcount_table_offset);
	uint64_t l1 = be64_get(header->l1_table_offset);
	uint8_t *data = file_memory_data(file);

	memset(data + be64_get(*(be64 *)(data + reftable)) + 50, 0, 200);
	data[l1] ^= 0x80;
}

static inline void test_mark(struct file *file, uint64_t feature)
{
	struct qcow2_header *header = (void *)file_memory_data(file);

	if (be32_get(header->version) > 2)
		header->incompatible_features = be64_make(
			be64_get(header->incompatible_features) | feature);
}

/* As when somebody has found that out. */
static inline void test_damage_corrupt(struct file *file)
{
	test_damage(file);
	test_mark(file, QCOW2_CORRUPT);
}

/* As after the death of a writer that was lazy. */
static inline void test_damage_dirty(struct file *file)
{
	test_damage(file);
	test_mark(file, QCOW2_DIRTY);
}

/*
 * The first cluster that is free and covered by a refcount block: leaked. None
 * is where all blocks are full.
 */
static inline void test_damage_leak(struct file *file)
{
	struct test_check view = test_view(file);
	unsigned int order = (unsigned int)test_get(&view, 96, 4);
	uint64_t size = 1ULL << view.cluster_bits, cluster = 0, in_block;
	uint64_t table = test_get(&view, 48, 8), block = 0, covered, end;

	view.order = order = test_get(&view, 4, 4) > 2 ? order : 4;
	covered = size * 8 >> order;
	end = test_get(&view, 56, 4) * size / 8 * covered;
	for (; cluster < end; cluster++) {
		block = test_get(&view, table + cluster / covered * 8, 8);
		if (block && !test_refcount(&view, cluster))
			break;
	}
	if (cluster == end)
		return;
	in_block = cluster % covered << order;
	file_memory_data(file)[block + in_block / 8] |=
		(uint8_t)(1 << in_block % 8);
	if (file_size(file) < (cluster + 1) * size)
		file_truncate(file, (cluster + 1) * size);
}

/* --- All of it ------------------------------------------------------------ */

/* Whether the disk has a snapshot before. */
enum test_snapshot {
	SNAPSHOT,
	/* The sizes of snapshots are not kept there, so it cannot be resized */
	SNAPSHOT_BUT_VERSION_2,
	/* What a snapshot does not have shows the base, which changes. */
	NO_SNAPSHOT,
};

struct test_operation {
	const char *name;
	void (*run)(struct test_change *change);
	enum test_snapshot snapshot;
	unsigned int needs;  /* one of these, of the shape */
	unsigned int cannot; /* with these */
	bool shows_nothing;  /* the disk is the same before and after */
	void (*damage)(struct file *file);
};

static const struct test_operation test_operations[] = {
	{"create", test_run_create, SNAPSHOT, 0, WITHOUT_SNAPSHOTS, true, NULL},
	{"apply", test_run_apply, SNAPSHOT, 0, WITHOUT_SNAPSHOTS, false, NULL},
	{"delete", test_run_delete, SNAPSHOT, 0, WITHOUT_SNAPSHOTS, false,
	 NULL},
	{"shrink", test_run_shrink, SNAPSHOT_BUT_VERSION_2, 0, 0, false, NULL},
	{"grow", test_run_grow, SNAPSHOT_BUT_VERSION_2, 0, 0, false, NULL},
	{"empty", test_run_empty, SNAPSHOT, WITH_BASE, 0, false, NULL},
	{"commit", test_run_commit, NO_SNAPSHOT, WITH_BASE, 0, true, NULL},
	{"rebase", test_run_rebase, NO_SNAPSHOT, WITH_BASE, 0, false, NULL},
	{"amend", test_run_amend, SNAPSHOT, 0, 0, true, NULL},
	{"repair", test_run_repair, SNAPSHOT, 0, 0, false, test_damage_corrupt},
	{"repair of leaks", test_run_repair, SNAPSHOT, 0, 0, true,
	 test_damage_leak},
	{"open what is dirty", test_run_open, SNAPSHOT, 0, 0, false,
	 test_damage_dirty},
};

static inline bool test_operation_fits(const struct test_operation *operation,
				       const struct test_shape *shape)
{
	if (operation->needs && !(operation->needs & shape->with))
		return false;
	if (operation->damage == test_damage_dirty && shape->version < 3)
		return false;
	return !(operation->cannot & shape->with);
}

static inline struct test_files test_operation_start(
	const struct test_operation *operation, const struct test_shape *shape,
	uint64_t seed)
{
	bool snapshot = operation->snapshot == SNAPSHOT ||
			(operation->snapshot == SNAPSHOT_BUT_VERSION_2 &&
			 shape->version > 2);
	struct test_files files = test_shape_make(shape, snapshot, seed);

	if (operation->damage)
		operation->damage(files.file[TEST_IMAGE]);
	return files;
}

#endif

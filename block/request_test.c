/*
 * block/request_test.c - how requests become parts: with an engine that does
 * what it is told, and when.
 */
#include "block/request.h"

#include <unistd.h>

#include "block/disk.h"
#include "block/test_disk.h"
#include "block/test_host.h"
#include "block/test_queue.h"

#define CLUSTER	    65536
#define DISK_SIZE   (64ULL * CLUSTER)
#define STARTED_MAX 64

/* It moves the bytes in run(), unless it is told to answer something else. */
struct test_engine {
	struct engine engine;
	struct part *started[STARTED_MAX];
	unsigned int count; /* of them */
	unsigned int starts;
	uint64_t longest;
	bool refuses;	 /* start() */
	bool holds;	 /* gives nothing back */
	uint64_t most;	 /* bytes that it moves at a time; 0: all */
	int64_t answers; /* if not 0, to each part, once */
};

struct rig {
	struct test_rig disk;
	struct file *file;
	struct test_engine test;
};

static struct test_engine *test_engine_of(struct engine *engine)
{
	return (struct test_engine *)engine;
}

static bool test_engine_start(struct engine *engine, struct part *part)
{
	struct test_engine *test = test_engine_of(engine);

	if (test->refuses || test->count == STARTED_MAX)
		return false;
	test->started[test->count++] = part;
	test->starts++;
	test->longest = max_u64(test->longest, part->left);
	return true;
}

static int64_t move(const struct test_engine *test, const struct part *part)
{
	uint64_t length = part->left, bytes;
	struct cursor cursor = part->cursor;
	off_t offset = (off_t)part->host_offset;
	struct iovec pieces[16];
	int count;

	if (test->most)
		length = min_u64(length, test->most);
	count = (int)cursor_take(&cursor, length, pieces, 16, &bytes);
	if (part_is_write(part))
		return pwritev(part->file->fd, pieces, count, offset);
	return preadv(part->file->fd, pieces, count, offset);
}

static void test_engine_run(struct engine *engine, bool wait,
			    struct part_list *back)
{
	struct test_engine *test = test_engine_of(engine);
	struct part *part;

	if (!test->count && wait)
		usleep(100); /* for a worker */
	while (test->count && !test->holds) {
		part = test->started[--test->count];
		part->moved = test->answers ? test->answers : move(test, part);
		part_list_append(back, part);
	}
	test->answers = 0;
}

static int test_engine_enable(struct engine *engine,
			      const int events[ENGINE_EVENTS])
{
	(void)engine;
	(void)events;
	return 0;
}

static void test_engine_free(struct engine *engine)
{
	CHECK_EQUAL(test_engine_of(engine)->count, 0);
}

static bool rig_init(struct rig *rig, struct image *image)
{
	static const struct engine_ops ops = {
		.enable = test_engine_enable,
		.start = test_engine_start,
		.run = test_engine_run,
		.free = test_engine_free,
	};

	if (!image)
		return false;
	rig->test = (struct test_engine){
		.engine = {.ops = &ops, .name = "test", .does_io = true},
	};
	rig->disk.block = block_new(image);
	if (!test_queue_new(&rig->disk, BLOCK_ENGINE_THREADS))
		return false;
	rig->disk.queue->engine = &rig->test.engine;
	/* So that only a lone request is done without the engine. */
	atomic_store(&rig->file->nowait[0], FILE_NOWAIT_WORKS);
	atomic_store(&rig->file->nowait[1], FILE_NOWAIT_WORKS);
	return true;
}

static bool raw_rig_init(struct rig *rig, uint64_t size)
{
	struct image_options options = {.name = "disk"};
	struct image *image = NULL;

	rig->file = test_variant_file(TEST_HOST, size);
	CHECK(rig->file && !raw_open(rig->file, &options, &image, NULL));
	return rig_init(rig, image);
}

static bool qcow2_rig_init(struct rig *rig)
{
	const struct qcow2_create_options create =
		TEST_CREATE(DISK_SIZE, 16, 3, 4, QCOW2_DEFLATE);

	rig->file = test_variant_file(TEST_HOST, 0);
	if (!CHECK(rig->file && !qcow2_create(rig->file, &create, NULL)))
		return false;
	return rig_init(rig, test_image_open(rig->file, 0, NULL));
}

/* A second request, which keeps the first from being a lone one. */
static void submit_company(struct rig *rig, struct test_request *company)
{
	test_submit(&rig->disk, company, BLOCK_READ, 0, NULL, 0);
}

static void becomes_one_part(void)
{
	struct test_request read, company;
	static uint8_t in[8 * CLUSTER];
	struct rig rig;

	REQUIRE(raw_rig_init(&rig, DISK_SIZE));
	test_submit(&rig.disk, &read, BLOCK_READ, CLUSTER, in, sizeof(in));
	submit_company(&rig, &company);
	test_finish(&rig.disk);
	CHECK_EQUAL(read.result, 0);
	CHECK_EQUAL(rig.test.starts, 1);
	CHECK(test_is_untouched(in, CLUSTER, sizeof(in)));
	test_rig_fini(&rig.disk);
}

/* What lies side by side on the host, and what does not. */
static void joins_neighbours(void)
{
	struct test_request read, company;
	static uint8_t data[4 * CLUSTER];
	struct rig rig;

	REQUIRE(qcow2_rig_init(&rig));
	memset(data, 1, sizeof(data));
	for (uint64_t i = 0; i < 4; i++)
		CHECK(!test_do(&rig.disk, BLOCK_WRITE, i * CLUSTER, data,
			       CLUSTER));
	rig.test.starts = 0;
	test_submit(&rig.disk, &read, BLOCK_READ, 0, data, sizeof(data));
	submit_company(&rig, &company);
	test_finish(&rig.disk);
	CHECK_EQUAL(rig.test.starts, 1);
	/* One that is elsewhere, in the midst of them. */
	CHECK(!block_discard(rig.disk.block, CLUSTER, CLUSTER));
	CHECK(!test_do(&rig.disk, BLOCK_WRITE, CLUSTER, data, CLUSTER));
	rig.test.starts = 0;
	test_submit(&rig.disk, &read, BLOCK_READ, 0, data, sizeof(data));
	submit_company(&rig, &company);
	test_finish(&rig.disk);
	CHECK_EQUAL(rig.test.starts, 3);
	test_rig_fini(&rig.disk);
}

static void a_long_one_goes_in_pieces(void)
{
	const size_t size = 9 * MIB;
	uint8_t *in = malloc(size);
	struct test_request read, company[2];
	struct rig rig;

	REQUIRE(raw_rig_init(&rig, size));
	test_submit(&rig.disk, &read, BLOCK_READ, 0, in, size);
	submit_company(&rig, &company[0]);
	block_queue_run(rig.disk.queue, false);
	CHECK_EQUAL(rig.test.starts, 1);
	submit_company(&rig, &company[1]);
	test_finish(&rig.disk);
	CHECK_EQUAL(rig.test.longest, 4 * MIB);
	CHECK_EQUAL(read.result, 0);
	CHECK(test_is_untouched(in, 0, size));
	test_rig_fini(&rig.disk);
	free(in);
}

static void read_in_steps(uint64_t bytes, unsigned int want_starts)
{
	struct test_request read, company;
	uint8_t in[8192];
	struct rig rig;

	REQUIRE(raw_rig_init(&rig, DISK_SIZE));
	rig.test.most = bytes;
	test_submit(&rig.disk, &read, BLOCK_READ, 512, in, sizeof(in));
	submit_company(&rig, &company);
	test_finish(&rig.disk);
	CHECK_EQUAL(read.result, 0);
	CHECK_EQUAL(rig.test.starts, want_starts);
	CHECK(test_is_untouched(in, 512, sizeof(in)));
	test_rig_fini(&rig.disk);
}

static void goes_on_after_short_ones(void)
{
	read_in_steps(1024, 8);
	/* Between sectors, it is a worker who goes on. */
	read_in_steps(700, 1);
}

static void workers_do_what_the_engine_cannot(void)
{
	struct test_request read, company;
	uint8_t in[4096];
	struct rig rig;

	REQUIRE(raw_rig_init(&rig, DISK_SIZE));
	rig.test.refuses = true;
	test_submit(&rig.disk, &read, BLOCK_READ, 512, in, sizeof(in));
	submit_company(&rig, &company);
	test_finish(&rig.disk);
	CHECK_EQUAL(read.result, 0);
	CHECK(test_is_untouched(in, 512, sizeof(in)));
	rig.test.refuses = false;
	rig.test.answers = -EAGAIN;
	memset(in, 0, sizeof(in));
	test_submit(&rig.disk, &read, BLOCK_READ, 4096, in, sizeof(in));
	submit_company(&rig, &company);
	test_finish(&rig.disk);
	CHECK_EQUAL(read.result, 0);
	CHECK(test_is_untouched(in, 4096, sizeof(in)));
	test_rig_fini(&rig.disk);
}

static void the_host_s_error_is_the_request_s(void)
{
	struct test_request write, company;
	uint8_t out[4096] = {0};
	struct rig rig;

	REQUIRE(raw_rig_init(&rig, DISK_SIZE));
	rig.test.answers = -ENOSPC;
	test_submit(&rig.disk, &write, BLOCK_WRITE, 0, out, sizeof(out));
	submit_company(&rig, &company);
	test_finish(&rig.disk);
	CHECK_EQUAL(write.result, -ENOSPC);
	CHECK_EQUAL(rig.test.starts, 1);
	test_rig_fini(&rig.disk);
}

static void a_write_past_the_end_makes_the_file_longer(void)
{
	struct test_request write, company;
	uint8_t out[1024] = {0};
	struct rig rig;

	REQUIRE(raw_rig_init(&rig, 4096 + 100));
	test_submit(&rig.disk, &write, BLOCK_WRITE, 4096 - 512, out, 1024);
	submit_company(&rig, &company);
	test_finish(&rig.disk);
	CHECK_EQUAL(write.result, 0);
	CHECK_EQUAL(rig.test.starts, 1);
	CHECK_EQUAL(file_size(rig.file), 4096 + 512);
	test_rig_fini(&rig.disk);
}

/* Of an overlay, only what is its own is written by the engine. */
static void what_lies_beneath_is_left_alone(void)
{
	const struct qcow2_create_options create =
		TEST_CREATE(DISK_SIZE, 16, 3, 4, QCOW2_DEFLATE);
	struct image_options options = {.name = "below", .read_only = true};
	struct file *below = test_variant_file(TEST_HOST, DISK_SIZE);
	struct test_request write, company;
	uint8_t out[4096] = {0}, in[4096];
	struct image *backing;
	struct rig rig;

	rig.file = test_variant_file(TEST_HOST, 0);
	REQUIRE(rig.file && !qcow2_create(rig.file, &create, NULL));
	REQUIRE(!raw_open(below, &options, &backing, NULL));
	REQUIRE(rig_init(&rig, test_image_open(rig.file, 0, backing)));
	for (int i = 0; i < 2; i++) {
		test_submit(&rig.disk, &write, BLOCK_WRITE, 4096, out, 4096);
		submit_company(&rig, &company);
		test_finish(&rig.disk);
		CHECK_EQUAL(write.result, 0);
		CHECK_EQUAL(rig.test.starts, i);
	}
	CHECK(!file_read(below, in, sizeof(in), 4096));
	CHECK(test_is_untouched(in, 4096, sizeof(in)));
	test_rig_fini(&rig.disk);
}

/*
 * A cluster that is given up while a read of it is under way must not hold
 * something else before that has ended.
 */
static void what_is_under_way_keeps_its_place(void)
{
	static uint8_t data[CLUSTER], in[CLUSTER];
	struct test_request read, company;
	struct rig rig;

	REQUIRE(qcow2_rig_init(&rig));
	memset(data, 1, sizeof(data));
	CHECK(!test_do(&rig.disk, BLOCK_WRITE, 0, data, CLUSTER));
	CHECK(!test_do(&rig.disk, BLOCK_FLUSH, 0, NULL, 0));
	rig.test.holds = true;
	test_submit(&rig.disk, &read, BLOCK_READ, 0, in, CLUSTER);
	submit_company(&rig, &company);
	block_queue_run(rig.disk.queue, false);
	CHECK_EQUAL(rig.test.count, 1);
	CHECK(!block_write_zeroes(rig.disk.block, 0, CLUSTER, true));
	memset(data, 2, sizeof(data));
	for (uint64_t i = 1; i < 8; i++) {
		const struct iovec iov = {data, CLUSTER};

		CHECK(!block_flush(rig.disk.block));
		CHECK(!block_write(rig.disk.block, i * CLUSTER, &iov, 1));
	}
	rig.test.holds = false;
	test_finish(&rig.disk);
	CHECK_EQUAL(read.result, 0);
	memset(data, 1, sizeof(data));
	CHECK(!memcmp(in, data, CLUSTER));
	test_rig_fini(&rig.disk);
}

/* Whom a write to new clusters would wait for must not wait for this thread. */
static void writes_to_new_clusters_need_no_worker(void)
{
	static uint8_t data[CLUSTER], in[CLUSTER];
	struct test_request read, writes[3];
	struct rig rig;

	REQUIRE(qcow2_rig_init(&rig));
	for (uint64_t i = 0; i < 2; i++)
		test_submit(&rig.disk, &writes[i], BLOCK_WRITE, i * CLUSTER,
			    data, CLUSTER);
	block_queue_run(rig.disk.queue, false);
	CHECK_EQUAL(writes[0].ends, 1);
	CHECK_EQUAL(writes[1].ends, 1);
	rig.test.holds = true;
	test_submit(&rig.disk, &read, BLOCK_READ, 0, in, CLUSTER);
	test_submit(&rig.disk, &writes[2], BLOCK_WRITE, 2 * CLUSTER, data,
		    CLUSTER);
	block_lock(rig.disk.block);
	block_queue_run(rig.disk.queue, false);
	CHECK_EQUAL(writes[2].ends, 0);
	block_unlock(rig.disk.block);
	rig.test.holds = false;
	test_finish(&rig.disk);
	CHECK_EQUAL(writes[2].result, 0);
	test_rig_fini(&rig.disk);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(becomes_one_part),
		TEST(joins_neighbours),
		TEST(a_long_one_goes_in_pieces),
		TEST(goes_on_after_short_ones),
		TEST(workers_do_what_the_engine_cannot),
		TEST(the_host_s_error_is_the_request_s),
		TEST(a_write_past_the_end_makes_the_file_longer),
		TEST(what_lies_beneath_is_left_alone),
		TEST(what_is_under_way_keeps_its_place),
		TEST(writes_to_new_clusters_need_no_worker),
	};

	return test_main_on_disk(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * block/inflated_test.c - inflated clusters: remembered, shared, forgotten.
 */
#include "block/inflated.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/math.h"
#include "base/test.h"
#include "block/file_memory.h"
#include "block/qcow2_compress.h"

#define CLUSTER (64 * KIB)
#define SLOTS	16
#define COUNT	40 /* clusters in the file, 64 KiB of room for each */

/* A file that counts its reads; in front of one in memory. */
struct counting_file {
	struct file file;
	struct file *below;
	atomic_uint reads;
	atomic_bool fails;
};

static int counting_readv(struct file *file, struct iovec *iov, size_t count,
			  uint64_t offset)
{
	struct counting_file *counting = (struct counting_file *)file;

	atomic_fetch_add(&counting->reads, 1);
	if (atomic_load(&counting->fails))
		return -EIO;
	return counting->below->ops->readv(counting->below, iov, count, offset);
}

static const struct file_ops counting_ops = {.readv = counting_readv};

static size_t lengths[COUNT];

static uint8_t byte_of(unsigned int cluster, size_t at)
{
	return (uint8_t)(at / 512 + cluster * 31);
}

static void fill_cluster(uint8_t *data, unsigned int cluster)
{
	for (size_t i = 0; i < CLUSTER; i++)
		data[i] = byte_of(cluster, i);
}

/* Cluster i's bytes lie at i * CLUSTER. */
static void counting_init(struct counting_file *counting,
			  enum qcow2_compression type)
{
	static uint8_t data[CLUSTER], packed[CLUSTER];

	*counting = (struct counting_file){.below = file_memory_new(NULL, 0)};
	file_init(&counting->file, &counting_ops, COUNT * CLUSTER);
	for (unsigned int i = 0; i < COUNT; i++) {
		fill_cluster(data, i);
		qcow2_compress(type, data, CLUSTER, packed, &lengths[i]);
		file_write(counting->below, packed, lengths[i], i * CLUSTER);
	}
}

/* Reads a piece, and says whether it is right. */
static bool read_piece(struct inflated *inflated,
		       struct counting_file *counting, unsigned int cluster,
		       size_t skip, size_t length)
{
	const struct inflated_source source = {
		.file = &counting->file,
		.key = cluster + 1,
		.offset = cluster * CLUSTER,
		.length = lengths[cluster],
	};
	uint8_t data[4096];
	struct iovec iov = {data, length};
	struct cursor to = cursor_make(&iov, 1);

	if (inflated_read(inflated, &source, skip, length, &to))
		return false;
	for (size_t i = 0; i < length; i++)
		if (data[i] != byte_of(cluster, skip + i))
			return false;
	return true;
}

static void the_last_ones_are_kept(void)
{
	struct counting_file counting;
	struct inflated *inflated = inflated_new(QCOW2_ZSTD, CLUSTER);

	counting_init(&counting, QCOW2_ZSTD);
	for (size_t skip = 0; skip < CLUSTER; skip += 4096)
		CHECK(read_piece(inflated, &counting, 0, skip, 4096));
	CHECK_EQUAL(atomic_load(&counting.reads), 1);
	for (unsigned int i = 0; i < SLOTS; i++)
		CHECK(read_piece(inflated, &counting, i, 0, 512));
	CHECK_EQUAL(atomic_load(&counting.reads), SLOTS);
	/* 0 is the oldest; it makes room. */
	CHECK(read_piece(inflated, &counting, SLOTS, 0, 512));
	CHECK(read_piece(inflated, &counting, 1, 0, 512));
	CHECK_EQUAL(atomic_load(&counting.reads), SLOTS + 1);
	CHECK(read_piece(inflated, &counting, 0, 0, 512));
	CHECK_EQUAL(atomic_load(&counting.reads), SLOTS + 2);
	inflated_forget(inflated);
	CHECK(read_piece(inflated, &counting, 1, 0, 512));
	CHECK_EQUAL(atomic_load(&counting.reads), SLOTS + 3);
	inflated_free(inflated);
	file_close(counting.below);
}

/* Without I/O: what is there, and nothing else. */
static bool read_known(struct inflated *inflated, unsigned int cluster)
{
	uint8_t data[512];
	struct iovec iov = {data, sizeof(data)};
	struct cursor to = cursor_make(&iov, 1);

	return inflated_read_known(inflated, cluster + 1, 512, 512, &to) &&
	       data[0] == byte_of(cluster, 512);
}

static void what_is_known_takes_no_io(void)
{
	struct counting_file counting;
	struct inflated *inflated = inflated_new(QCOW2_ZSTD, CLUSTER);

	counting_init(&counting, QCOW2_ZSTD);
	CHECK(!read_known(inflated, 0));
	CHECK(read_piece(inflated, &counting, 0, 0, 512));
	CHECK(read_known(inflated, 0));
	CHECK(!read_known(inflated, 1));
	CHECK_EQUAL(atomic_load(&counting.reads), 1);
	inflated_forget(inflated);
	CHECK(!read_known(inflated, 0));
	CHECK_EQUAL(inflated_capacity(inflated), SLOTS);
	inflated_free(inflated);
	file_close(counting.below);
}

static void failures_are_not_kept(void)
{
	struct counting_file counting;
	struct inflated *inflated = inflated_new(QCOW2_DEFLATE, CLUSTER);

	counting_init(&counting, QCOW2_DEFLATE);
	atomic_store(&counting.fails, true);
	CHECK(!read_piece(inflated, &counting, 0, 0, 512));
	atomic_store(&counting.fails, false);
	CHECK(read_piece(inflated, &counting, 0, 0, 512));
	lengths[1] = 3; /* cut short */
	CHECK(!read_piece(inflated, &counting, 1, 0, 512));
	CHECK(read_piece(inflated, &counting, 0, 0, 512));
	CHECK_EQUAL(atomic_load(&counting.reads), 3);
	inflated_free(inflated);
	file_close(counting.below);
}

/* --- Many threads --------------------------------------------------------- */

#define THREADS 4

struct crowd {
	struct counting_file counting;
	struct inflated *inflated;
	pthread_barrier_t start;
	atomic_uint wrong;
};

static void *read_the_same(void *argument)
{
	struct crowd *crowd = argument;

	for (unsigned int i = 0; i < SLOTS; i++) {
		pthread_barrier_wait(&crowd->start);
		if (!read_piece(crowd->inflated, &crowd->counting, i, 0, 512))
			atomic_fetch_add(&crowd->wrong, 1);
	}
	return NULL;
}

/* More clusters than slots, so that slots change hands all the time. */
static void *read_all(void *argument)
{
	struct crowd *crowd = argument;
	unsigned int cluster = 0;

	for (unsigned int i = 0; i < 200; i++) {
		cluster = (cluster * 5 + 3) % COUNT;
		if (!read_piece(crowd->inflated, &crowd->counting, cluster,
				i % 16 * 4096, 4096))
			atomic_fetch_add(&crowd->wrong, 1);
	}
	return NULL;
}

static void run_crowd(struct crowd *crowd, void *(*body)(void *))
{
	pthread_t threads[THREADS];

	counting_init(&crowd->counting, QCOW2_DEFLATE);
	crowd->inflated = inflated_new(QCOW2_DEFLATE, CLUSTER);
	pthread_barrier_init(&crowd->start, NULL, THREADS);
	for (size_t i = 0; i < THREADS; i++)
		REQUIRE(!pthread_create(&threads[i], NULL, body, crowd));
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQUAL(atomic_load(&crowd->wrong), 0);
	pthread_barrier_destroy(&crowd->start);
	inflated_free(crowd->inflated);
	file_close(crowd->counting.below);
}

static void one_thread_inflates_for_all(void)
{
	struct crowd crowd = {0};

	run_crowd(&crowd, read_the_same);
	CHECK_EQUAL(atomic_load(&crowd.counting.reads), SLOTS);
}

static void slots_change_hands(void)
{
	struct crowd crowd = {0};

	run_crowd(&crowd, read_all);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(the_last_ones_are_kept), TEST(what_is_known_takes_no_io),
		TEST(failures_are_not_kept),  TEST(one_thread_inflates_for_all),
		TEST(slots_change_hands),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

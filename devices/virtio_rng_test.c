/* devices/virtio_rng_test.c - entropy arrives, within its bounds. */
#include "devices/virtio_rng.h"

#include "devices/test_driver.h"

#define VERSION_1 (1ULL << VIRTIO_F_VERSION_1)
#define BUFFER	  0x8000 /* guest address */

struct bench {
	struct test_ram ram;
	struct test_queue queue;
	struct virtio_rng *rng;
	struct virtio_mmio *mmio;
};

static bool bench_init(struct bench *bench)
{
	const struct irq_line irq = {0};

	*bench = (struct bench){0};
	if (!test_ram_init(&bench->ram))
		return false;
	test_queue_init(&bench->queue, &bench->ram, 16);
	return CHECK(!virtio_rng_new(&bench->rng, NULL)) &&
	       CHECK(!virtio_mmio_new(virtio_rng_device(bench->rng),
				      &bench->ram.memory, &irq, &bench->mmio,
				      NULL)) &&
	       test_mmio_start(bench->mmio, VERSION_1, &bench->queue, 1);
}

static void bench_fini(struct bench *bench)
{
	virtio_mmio_free(bench->mmio);
	virtio_rng_free(bench->rng);
	test_ram_fini(&bench->ram);
}

/* Runs one chain; the used length, or UINT32_MAX where there was no answer. */
static uint32_t run(struct bench *bench, const struct test_piece *pieces,
		    unsigned int count)
{
	uint32_t head, written;

	test_offer(&bench->queue, test_chain(&bench->queue, pieces, count));
	test_kick(bench->mmio, 0);
	return test_used(&bench->queue, &head, &written) ? written : UINT32_MAX;
}

static bool is_zero(const struct bench *bench, gpa_t gpa, size_t length)
{
	const uint8_t *bytes = test_ram_at(&bench->ram, gpa);

	for (size_t i = 0; i < length; i++)
		if (bytes[i])
			return false;
	return true;
}

static void test_fills_its_pieces(void)
{
	const struct test_piece pieces[] = {{BUFFER, 64, VRING_DESC_F_WRITE},
					    {BUFFER + 1024, 64,
					     VRING_DESC_F_WRITE}};
	struct bench bench;

	REQUIRE(bench_init(&bench));
	CHECK_EQUAL(run(&bench, pieces, 2), 128);
	/* 64 random bytes are all zero once in 2^512 runs. */
	CHECK(!is_zero(&bench, BUFFER, 64));
	CHECK(!is_zero(&bench, BUFFER + 1024, 64));
	CHECK(is_zero(&bench, BUFFER + 64, 1024 - 64));
	CHECK(is_zero(&bench, BUFFER + 1024 + 64, 64));
	bench_fini(&bench);
}

static void test_long_request_is_cut(void)
{
	const struct test_piece pieces[] = {{BUFFER, 4000, VRING_DESC_F_WRITE},
					    {BUFFER + 4000, 60000,
					     VRING_DESC_F_WRITE}};
	struct bench bench;

	REQUIRE(bench_init(&bench));
	CHECK_EQUAL(run(&bench, pieces, 2), 4096);
	CHECK(!is_zero(&bench, BUFFER + 4000, 96));
	CHECK(is_zero(&bench, BUFFER + 4096, 60000 - 96));
	bench_fini(&bench);
}

static void test_waiting_at_start(void)
{
	const struct test_piece piece = {BUFFER, 64, VRING_DESC_F_WRITE};
	uint32_t head, written;
	struct bench bench;

	REQUIRE(bench_init(&bench));
	virtio_mmio_reset(bench.mmio);
	test_queue_clear(&bench.queue);
	test_offer(&bench.queue, test_chain(&bench.queue, &piece, 1));
	REQUIRE(test_mmio_start(bench.mmio, VERSION_1, &bench.queue, 1));
	CHECK(test_used(&bench.queue, &head, &written) && written == 64);
	bench_fini(&bench);
}

static void test_nothing_to_fill(void)
{
	const struct test_piece piece = {BUFFER, 64, 0};
	struct bench bench;

	REQUIRE(bench_init(&bench));
	CHECK_EQUAL(run(&bench, &piece, 1), 0);
	CHECK(is_zero(&bench, BUFFER, 64));
	bench_fini(&bench);
}

static void test_rules_broken(void)
{
	const struct test_piece nowhere = {TEST_LOW_SIZE, 64,
					   VRING_DESC_F_WRITE};
	struct bench bench;

	REQUIRE(bench_init(&bench));
	CHECK_EQUAL(run(&bench, &nowhere, 1), UINT32_MAX);
	CHECK(test_mmio_read(bench.mmio, VIRTIO_MMIO_STATUS) &
	      VIRTIO_CONFIG_S_NEEDS_RESET);
	bench_fini(&bench);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_fills_its_pieces), TEST(test_long_request_is_cut),
		TEST(test_waiting_at_start), TEST(test_nothing_to_fill),
		TEST(test_rules_broken),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

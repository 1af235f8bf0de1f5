/* devices/bus_test.c - look-up, overlaps, and what nobody answers. */
#include "devices/bus.h"

#include <errno.h>

#include "base/math.h"
#include "base/test.h"

/* A device that answers its number and keeps the last access. */
struct probe {
	uint64_t answer;
	uint64_t offset;
	unsigned int size;
	uint64_t value;
};

static uint64_t probe_read(void *device, uint64_t offset, unsigned int size)
{
	struct probe *probe = device;

	probe->offset = offset;
	probe->size = size;
	return probe->answer;
}

static void probe_write(void *device, uint64_t offset, unsigned int size,
			uint64_t value)
{
	struct probe *probe = device;

	probe->offset = offset;
	probe->size = size;
	probe->value = value;
}

static const struct bus_ops probe_ops = {probe_read, probe_write};

static int add(struct bus *bus, enum io_space space, uint64_t base,
	       uint64_t size, struct probe *probe)
{
	const struct io_range range = {space, base, size};

	return bus_add(bus, &range, &probe_ops, probe, NULL);
}

static void test_finds_each_device(void)
{
	struct probe probes[40];
	struct bus bus;
	uint64_t value;

	bus_init(&bus);
	/* 7 has no factor in common with 40: every place, out of order. */
	for (unsigned int i = 0; i < 40; i++) {
		unsigned int n = i * 7 % 40;

		probes[n] = (struct probe){.answer = n};
		CHECK(!add(&bus, IO_MMIO, 0x1000 + n * 0x20, 0x10, &probes[n]));
	}
	for (unsigned int n = 0; n < 40; n++) {
		CHECK(bus_read(&bus, IO_MMIO, 0x1004 + n * 0x20, 4, &value));
		CHECK_EQUAL(value, n);
		CHECK_EQUAL(probes[n].offset, 4);
		CHECK(!bus_read(&bus, IO_MMIO, 0x1014 + n * 0x20, 4, &value));
	}
	CHECK(!bus_read(&bus, IO_MMIO, 0xffc, 4, &value));
}

static void test_spaces_are_apart(void)
{
	struct probe mmio = {.answer = 1}, pio = {.answer = 2};
	struct bus bus;
	uint64_t value;

	bus_init(&bus);
	CHECK(!add(&bus, IO_PIO, 0x60, 8, &pio));
	CHECK(!add(&bus, IO_MMIO, 0x60, 8, &mmio));
	CHECK(bus_read(&bus, IO_MMIO, 0x60, 1, &value));
	CHECK_EQUAL(value, 1);
	CHECK(bus_read(&bus, IO_PIO, 0x60, 1, &value));
	CHECK_EQUAL(value, 2);
}

static void test_nobody_answers_ones(void)
{
	struct bus bus;
	uint64_t value;

	bus_init(&bus);
	CHECK(!bus_read(&bus, IO_PIO, 0x80, 1, &value));
	CHECK_EQUAL(value, 0xff);
	CHECK(!bus_read(&bus, IO_PIO, 0x80, 4, &value));
	CHECK_EQUAL(value, 0xffffffff);
	CHECK(!bus_read(&bus, IO_MMIO, UINT64_MAX, 8, &value));
	CHECK(value == UINT64_MAX);
	CHECK(!bus_write(&bus, IO_PIO, 0x80, 1, 3));
}

static void test_access_must_fit(void)
{
	struct probe probe = {0};
	struct bus bus;
	uint64_t value;

	bus_init(&bus);
	CHECK(!add(&bus, IO_MMIO, 0x1000, 6, &probe));
	CHECK(bus_read(&bus, IO_MMIO, 0x1002, 4, &value));
	CHECK(!bus_read(&bus, IO_MMIO, 0x1003, 4, &value));
	CHECK_EQUAL(value, 0xffffffff);
	CHECK(!bus_write(&bus, IO_MMIO, 0xffe, 4, 0));
	CHECK_EQUAL(probe.offset, 2);
}

static void test_values_are_cut_to_size(void)
{
	struct probe probe = {.answer = UINT64_MAX};
	struct bus bus;
	uint64_t value;

	bus_init(&bus);
	CHECK(!add(&bus, IO_MMIO, 0, 8, &probe));
	CHECK(bus_read(&bus, IO_MMIO, 0, 2, &value));
	CHECK_EQUAL(value, 0xffff);
	CHECK(bus_write(&bus, IO_MMIO, 0, 2, 0x12345));
	CHECK_EQUAL(probe.value, 0x2345);
	CHECK_EQUAL(probe.size, 2);
}

static void test_refuses_overlap(void)
{
	struct probe probe;
	struct bus bus;

	bus_init(&bus);
	CHECK(!add(&bus, IO_MMIO, 0x1000, 0x100, &probe));
	CHECK_EQUAL(add(&bus, IO_MMIO, 0x1000, 0x100, &probe), -EEXIST);
	CHECK_EQUAL(add(&bus, IO_MMIO, 0x10ff, 1, &probe), -EEXIST);
	CHECK_EQUAL(add(&bus, IO_MMIO, 0xfff, 2, &probe), -EEXIST);
	CHECK_EQUAL(add(&bus, IO_MMIO, 0xf00, 0x1000, &probe), -EEXIST);
	CHECK(!add(&bus, IO_MMIO, 0x1100, 1, &probe));
	CHECK(!add(&bus, IO_MMIO, 0xfff, 1, &probe));
	CHECK(!add(&bus, IO_PIO, 0x1000, 0x100, &probe));
	CHECK_EQUAL(add(&bus, IO_MMIO, 0x5000, 0, &probe), -EINVAL);
	CHECK_EQUAL(add(&bus, IO_MMIO, UINT64_MAX, 2, &probe), -EINVAL);
	CHECK_EQUAL(bus.count, 4);
}

static void test_refuses_when_full(void)
{
	struct probe probe;
	struct bus bus;

	bus_init(&bus);
	for (unsigned int i = 0; i < BUS_ENTRIES_MAX; i++)
		CHECK(!add(&bus, IO_PIO, i, 1, &probe));
	CHECK_EQUAL(add(&bus, IO_PIO, BUS_ENTRIES_MAX, 1, &probe), -ENOSPC);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_finds_each_device),	   TEST(test_spaces_are_apart),
		TEST(test_nobody_answers_ones),	   TEST(test_access_must_fit),
		TEST(test_values_are_cut_to_size), TEST(test_refuses_overlap),
		TEST(test_refuses_when_full),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * base/iov_test.c - slices and copies, each tried from every byte of a buffer
 * in many pieces, some of them empty, and compared with the flat buffer.
 */
#include "base/iov.h"
#include "base/math.h"
#include "base/test.h"

#define PIECES	6
#define FLAT	10
#define NOTHING 0xee

static uint8_t memory[FLAT];

/* "01", "", "2345", "6", "", "789": the flat buffer is memory[] in order. */
static const struct iovec pieces[PIECES] = {
	{memory, 2},	 {NULL, 0}, {memory + 2, 4},
	{memory + 6, 1}, {NULL, 0}, {memory + 7, 3},
};

static void fill(void)
{
	for (unsigned int i = 0; i < FLAT; i++)
		memory[i] = (uint8_t)('0' + i);
}

static void length_is_the_sum(void)
{
	CHECK_EQUAL(iov_length(pieces, PIECES), FLAT);
	CHECK_EQUAL(iov_length(pieces, 2), 2);
	CHECK_EQUAL(iov_length(NULL, 0), 0);
}

/* The slice's pieces are memory[skip, skip + length), in order, none empty. */
static void check_slice(size_t skip, size_t length)
{
	struct iovec slice[PIECES];
	size_t used = iov_slice(pieces, PIECES, skip, length, slice);
	uint8_t *at = memory + skip;

	CHECK(used <= PIECES);
	for (size_t i = 0; i < used; i++) {
		CHECK(slice[i].iov_len > 0);
		CHECK(slice[i].iov_base == at);
		at += slice[i].iov_len;
	}
	CHECK(at == memory + skip + length);
}

static void every_slice_is_right(void)
{
	for (size_t skip = 0; skip <= FLAT; skip++)
		for (size_t length = 0; skip + length <= FLAT; length++)
			check_slice(skip, length);
}

static void slices_leave_empty_pieces_out(void)
{
	struct iovec slice[PIECES];

	CHECK_EQUAL(iov_slice(pieces, PIECES, 0, FLAT, slice), 4);
	CHECK_EQUAL(iov_slice(pieces, PIECES, 2, 4, slice), 1);
	CHECK_EQUAL(iov_slice(pieces, PIECES, 1, 2, slice), 2);
	CHECK_EQUAL(iov_slice(pieces, PIECES, 5, 0, slice), 0);
	CHECK_EQUAL(iov_slice(NULL, 0, 0, 0, slice), 0);
}

static void check_to_buffer(size_t skip, size_t length)
{
	size_t want = skip > FLAT ? 0 : min_u64(length, FLAT - skip);
	uint8_t buffer[FLAT + 4];

	memset(buffer, NOTHING, sizeof(buffer));
	CHECK_EQUAL(iov_to_buffer(pieces, PIECES, skip, buffer, length), want);
	if (want)
		CHECK(!memcmp(buffer, memory + skip, want));
	CHECK_EQUAL(buffer[want], NOTHING);
}

static void check_from_buffer(size_t skip, size_t length)
{
	size_t want = skip > FLAT ? 0 : min_u64(length, FLAT - skip);
	uint8_t buffer[FLAT + 4];

	fill();
	memset(buffer, NOTHING, sizeof(buffer));
	CHECK_EQUAL(iov_from_buffer(pieces, PIECES, skip, buffer, length),
		    want);
	for (size_t i = 0; i < FLAT; i++)
		CHECK_EQUAL(memory[i], i >= skip && i < skip + want
					       ? NOTHING
					       : '0' + (int)i);
	fill();
}

static void check_zero(size_t skip, size_t length)
{
	size_t want = skip > FLAT ? 0 : min_u64(length, FLAT - skip);

	fill();
	CHECK_EQUAL(iov_zero(pieces, PIECES, skip, length), want);
	for (size_t i = 0; i < FLAT; i++)
		CHECK_EQUAL(memory[i],
			    i >= skip && i < skip + want ? 0 : '0' + (int)i);
	fill();
}

/* Also with more than there is: each copies what it can and says how much. */
static void every_range_is_copied(void)
{
	for (size_t skip = 0; skip <= FLAT + 1; skip++) {
		for (size_t length = 0; length <= FLAT + 3; length++) {
			check_to_buffer(skip, length);
			check_from_buffer(skip, length);
			check_zero(skip, length);
		}
	}
}

static void many_pieces(void)
{
	static uint8_t bytes[5000], copy[5000];
	static struct iovec many[5000], slice[5000];

	for (size_t i = 0; i < ARRAY_LENGTH(many); i++) {
		bytes[i] = (uint8_t)(i * 7);
		many[i] = (struct iovec){&bytes[i], 1};
	}
	CHECK_EQUAL(iov_slice(many, 5000, 10, 4980, slice), 4980);
	CHECK(slice[0].iov_base == &bytes[10]);
	CHECK(slice[4979].iov_base == &bytes[4989]);
	CHECK_EQUAL(iov_to_buffer(many, 5000, 0, copy, 5000), 5000);
	CHECK(!memcmp(bytes, copy, sizeof(copy)));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(length_is_the_sum),
		TEST(every_slice_is_right),
		TEST(slices_leave_empty_pieces_out),
		TEST(every_range_is_copied),
		TEST(many_pieces),
	};

	fill();
	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

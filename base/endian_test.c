/* base/endian_test.c - each type's bytes, and that it needs no alignment. */
#include "base/endian.h"
#include "base/math.h"
#include "base/test.h"

static void little_endian_bytes(void)
{
	static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
	le16 two = le16_make(0x0201);
	le32 four = le32_make(0x04030201);
	le64 eight = le64_make(0x0807060504030201);

	CHECK(!memcmp(&two, bytes, 2));
	CHECK(!memcmp(&four, bytes, 4));
	CHECK(!memcmp(&eight, bytes, 8));
	CHECK_EQUAL(le16_get(two), 0x0201);
	CHECK_EQUAL(le32_get(four), 0x04030201);
	CHECK_EQUAL(le64_get(eight), 0x0807060504030201);
}

static void big_endian_bytes(void)
{
	static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
	be16 two = be16_make(0x0102);
	be32 four = be32_make(0x01020304);
	be64 eight = be64_make(0x0102030405060708);

	CHECK(!memcmp(&two, bytes, 2));
	CHECK(!memcmp(&four, bytes, 4));
	CHECK(!memcmp(&eight, bytes, 8));
	CHECK_EQUAL(be16_get(two), 0x0102);
	CHECK_EQUAL(be32_get(four), 0x01020304);
	CHECK_EQUAL(be64_get(eight), 0x0102030405060708);
}

static void all_bits_survive(void)
{
	CHECK_EQUAL(be16_get(be16_make(UINT16_MAX)), UINT16_MAX);
	CHECK_EQUAL(le32_get(le32_make(UINT32_MAX)), UINT32_MAX);
	CHECK(be64_get(be64_make(UINT64_MAX)) == UINT64_MAX);
	CHECK(le64_get(le64_make(1ULL << 63)) == 1ULL << 63);
}

/* The struct of a format may put a field at any offset. */
struct crooked {
	uint8_t before;
	be64 value;
	le16 behind;
};

static void fields_are_packed(void)
{
	struct crooked crooked = {0, be64_make(42), le16_make(43)};

	CHECK_EQUAL(sizeof(crooked), 11);
	CHECK_EQUAL(_Alignof(be64), 1);
	CHECK_EQUAL(be64_get(crooked.value), 42);
	CHECK_EQUAL(le16_get(crooked.behind), 43);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(little_endian_bytes),
		TEST(big_endian_bytes),
		TEST(all_bits_survive),
		TEST(fields_are_packed),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

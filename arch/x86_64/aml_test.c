/*
 * arch/x86_64/aml_test.c - the bytes of each term, as ACPI 6.4 (chapter 20 and
 * section 6.4) has them; whether a whole DSDT is sound is acpi_test.c's.
 */
#include "arch/x86_64/aml.h"
#include "base/math.h"
#include "base/test.h"

#define BUFFER_SIZE 4096
#define UNTOUCHED   0xee

static uint8_t buffer[BUFFER_SIZE];

static struct aml new_aml(size_t size)
{
	memset(buffer, UNTOUCHED, sizeof(buffer));
	return (struct aml){.bytes = buffer, .size = size};
}

static void check_bytes(const struct aml *aml, const uint8_t *want,
			size_t length)
{
	CHECK(!aml->overflow);
	CHECK_EQUAL(aml->used, length);
	for (size_t i = 0; i < length; i++)
		CHECK_EQUAL(buffer[i], want[i]);
}

#define CHECK_BYTES(aml, ...)                                 \
	do {                                                  \
		static const uint8_t want_[] = {__VA_ARGS__}; \
		check_bytes(aml, want_, sizeof(want_));       \
	} while (0)

static void names_of_integers_and_strings(void)
{
	struct aml aml = new_aml(BUFFER_SIZE);

	aml_name_integer(&aml, "_UID", 0x12345678);
	aml_name_string(&aml, "_HID", "LN");
	CHECK_BYTES(&aml, 0x08, '_', 'U', 'I', 'D', 0x0c, 0x78, 0x56, 0x34,
		    0x12, 0x08, '_', 'H', 'I', 'D', 0x0d, 'L', 'N', 0);
}

/* 20.2.2: a root prefix; more than one segment has a prefix of its own. */
static void paths(void)
{
	struct aml aml = new_aml(BUFFER_SIZE);

	aml_notify(&aml, "\\_SB_.PWRB", 0x80);
	CHECK_BYTES(&aml, 0x86, '\\', 0x2e, '_', 'S', 'B', '_', 'P', 'W', 'R',
		    'B', 0x0a, 0x80);
}

/* The values that ACPI's own ASL compiler makes of these ids. */
static void eisa_ids(void)
{
	struct aml aml = new_aml(BUFFER_SIZE);

	aml_name_eisa_id(&aml, "_HID", "PNP0501");
	CHECK_BYTES(&aml, 0x08, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x05,
		    0x01);
	aml = new_aml(BUFFER_SIZE);
	aml_name_eisa_id(&aml, "_HID", "PNP0C0C");
	CHECK_BYTES(&aml, 0x08, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x0c,
		    0x0c);
}

static void packages(void)
{
	static const uint8_t values[] = {5, 255};
	struct aml aml = new_aml(BUFFER_SIZE);

	aml_name_package(&aml, "\\_S5_", values, 2);
	CHECK_BYTES(&aml, 0x08, '\\', '_', 'S', '5', '_', 0x12, 0x88, 0,
		    0, /* 8 = 3 of its own, the count, two bytes */
		    2, 0x0a, 5, 0x0a, 255);
}

static void methods(void)
{
	struct aml aml = new_aml(BUFFER_SIZE);
	size_t method = aml_method_begin(&aml, "_EVT", 1);

	aml_end(&aml, method);
	CHECK_BYTES(&aml, 0x14, 0x88, 0, 0, '_', 'E', 'V', 'T', 0x09);
}

static void terms_lie_in_terms(void)
{
	struct aml aml = new_aml(BUFFER_SIZE);
	size_t scope = aml_scope_begin(&aml, "\\_SB_");
	size_t device = aml_device_begin(&aml, "COM1");

	aml_end(&aml, device);
	aml_end(&aml, scope);
	CHECK_BYTES(&aml, 0x10, 0x81, 1, 0,			      /* 17 */
		    '\\', '_', 'S', 'B', '_', 0x5b, 0x82, 0x87, 0, 0, /* 7 */
		    'C', 'O', 'M', '1');
}

/* PkgLength (20.2.4): 4 bits in the first byte, 8 in each further one. */
static void long_terms_have_their_length(void)
{
	static uint8_t large[0x12345 + 16];
	struct aml aml = {.bytes = large, .size = sizeof(large)};
	size_t scope = aml_scope_begin(&aml, "\\_SB_");

	aml.used = scope + 0x12345;
	aml_end(&aml, scope);
	CHECK(!aml.overflow);
	CHECK_EQUAL(large[scope], 0x80 | 0x5);
	CHECK_EQUAL(large[scope + 1], 0x34);
	CHECK_EQUAL(large[scope + 2], 0x12);
}

static void terms_can_be_too_long(void)
{
	static uint8_t large[(1 << 20) + 64];
	struct aml aml = {.bytes = large, .size = sizeof(large)};
	size_t scope = aml_scope_begin(&aml, "\\_SB_");

	aml.used = scope + (1 << 20);
	aml_end(&aml, scope);
	CHECK(aml.overflow);
}

static void resources(void)
{
	struct aml aml = new_aml(BUFFER_SIZE);
	size_t begin = aml_resources_begin(&aml, "_CRS");

	aml_resource_memory(&aml, 0xd0001000, 0x1000);
	aml_resource_ports(&aml, 0x3f8, 8);
	aml_resource_interrupt(&aml, 0x105);
	aml_resources_end(&aml, begin);
	CHECK_BYTES(&aml, 0x08, '_', 'C', 'R', 'S', 0x11, 0x85, 2, 0, /* 37 */
		    0x0b, 31, 0, /* the descriptors' size */
		    0x86, 9, 0, 1, 0x00, 0x10, 0x00, 0xd0, 0x00, 0x10, 0, 0,
		    0x47, 1, 0xf8, 0x03, 0xf8, 0x03, 1, 8, 0x89, 6, 0, 0x03, 1,
		    0x05, 0x01, 0, 0, 0x79, 0);
}

static void put_all(struct aml *aml)
{
	static const uint8_t values[] = {1, 2, 3};
	size_t scope = aml_scope_begin(aml, "\\_SB_");
	size_t device = aml_device_begin(aml, "DEV0");
	size_t part = aml_resources_begin(aml, "_CRS");

	aml_resource_memory(aml, 1, 2);
	aml_resource_ports(aml, 1, 2);
	aml_resource_interrupt(aml, 1);
	aml_resources_end(aml, part);
	aml_name_string(aml, "_HID", "TEXT");
	aml_name_eisa_id(aml, "_HID", "PNP0501");
	aml_name_package(aml, "_S5_", values, 3);
	part = aml_method_begin(aml, "_EVT", 1);
	aml_notify(aml, "\\_SB_.DEV0", 1);
	aml_end(aml, part);
	aml_end(aml, device);
	aml_end(aml, scope);
}

/* In a buffer of any smaller size it says so and stays inside. */
static void full_buffers_overflow_by_a_flag(void)
{
	struct aml aml = new_aml(BUFFER_SIZE);
	size_t needed;

	put_all(&aml);
	REQUIRE(!aml.overflow);
	needed = aml.used;
	for (size_t size = 0; size < needed; size++) {
		aml = new_aml(size);
		put_all(&aml);
		CHECK(aml.overflow);
		CHECK(aml.used <= size);
		CHECK_EQUAL(buffer[size], UNTOUCHED);
	}
	aml = new_aml(needed);
	put_all(&aml);
	CHECK(!aml.overflow);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(names_of_integers_and_strings),
		TEST(paths),
		TEST(eisa_ids),
		TEST(packages),
		TEST(methods),
		TEST(terms_lie_in_terms),
		TEST(long_terms_have_their_length),
		TEST(terms_can_be_too_long),
		TEST(resources),
		TEST(full_buffers_overflow_by_a_flag),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * block/qcow2_header_test.c - headers that must be refused when an image is
 * opened, each with its sentence, and some that must not.
 */
#include <errno.h>

#include "block/test_disk.h"
#include "block/test_recorder.h"

/* Offsets of the specification. */
enum field {
	F_MAGIC = 0,
	F_VERSION = 4,
	F_BACKING_OFFSET = 8,
	F_BACKING_SIZE = 16,
	F_CLUSTER_BITS = 20,
	F_SIZE = 24,
	F_CRYPT = 32,
	F_L1_SIZE = 36,
	F_L1_OFFSET = 40,
	F_REFTABLE_OFFSET = 48,
	F_REFTABLE_CLUSTERS = 56,
	F_SNAPSHOTS = 60,
	F_SNAPSHOTS_OFFSET = 64,
	F_INCOMPATIBLE = 72,
	F_REFCOUNT_ORDER = 96,
	F_HEADER_LENGTH = 100,
	F_COMPRESSION = 104,
	F_EXTENSIONS = 112,
};

struct patch {
	unsigned int offset;
	unsigned int width; /* bytes; 0: no patch */
	uint64_t value;
};

struct header_case {
	const char *what;
	struct patch patches[4];
	int ret; /* opened for writing; 0: fine */
	const char *sentence;
	int ret_read_only;
};

/* The image: 64K clusters; L1 in cluster 3, 10 GiB in 20 entries. */
static const struct header_case cases[] = {
	{"good", {{0, 0, 0}}, 0, "", 0},
	{"magic", {{F_MAGIC, 4, 0x51464900}}, -EINVAL, "not a qcow2", -EINVAL},
	{"version 1", {{F_VERSION, 4, 1}}, -ENOTSUP, "version 1", -ENOTSUP},
	{"version 4", {{F_VERSION, 4, 4}}, -ENOTSUP, "version 4", -ENOTSUP},
	{"2^8", {{F_CLUSTER_BITS, 4, 8}}, -EINVAL, "2^8 ", -EINVAL},
	{"2^22", {{F_CLUSTER_BITS, 4, 22}}, -EINVAL, "2^22 ", -EINVAL},
	{"2^64", {{F_CLUSTER_BITS, 4, 64}}, -EINVAL, "2^64 ", -EINVAL},
	{"AES", {{F_CRYPT, 4, 1}}, -ENOTSUP, "encrypted (AES)", -ENOTSUP},
	{"LUKS", {{F_CRYPT, 4, 2}}, -ENOTSUP, "encrypted (LUKS)", -ENOTSUP},
	{"crypt 9", {{F_CRYPT, 4, 9}}, -ENOTSUP, "encrypted", -ENOTSUP},
	{"short header",
	 {{F_HEADER_LENGTH, 4, 96}},
	 -EINVAL,
	 "header of 96",
	 -EINVAL},
	{"odd header",
	 {{F_HEADER_LENGTH, 4, 107}},
	 -EINVAL,
	 "header of 107",
	 -EINVAL},
	{"long header",
	 {{F_HEADER_LENGTH, 4, 65544}},
	 -EINVAL,
	 "header of 65544",
	 -EINVAL},
	{"dirty", {{F_INCOMPATIBLE, 8, 1}}, 0, NULL, 0},
	{"corrupt", {{F_INCOMPATIBLE, 8, 2}}, -EUCLEAN, "marked corrupt", 0},
	{"data file without a name",
	 {{F_INCOMPATIBLE, 8, 4}},
	 -EACCES,
	 "does not say in which",
	 -EACCES},
	{"data file with a name",
	 {{F_INCOMPATIBLE, 8, 4},
	  {F_EXTENSIONS, 8, 0x4441544100000007},
	  {F_EXTENSIONS + 8, 8, 0x2f640a612f746100}},
	 -EACCES,
	 "calls \"/d?a/ta\"",
	 -EACCES},
	{"extended L2 maps less",
	 {{F_INCOMPATIBLE, 8, 16}},
	 -EUCLEAN,
	 "more than its L1",
	 -EUCLEAN},
	{"extended L2",
	 {{F_INCOMPATIBLE, 8, 16}, {F_SIZE, 8, 20ULL << 28}},
	 0,
	 "",
	 0},
	{"extended L2 with small clusters",
	 {{F_INCOMPATIBLE, 8, 16}, {F_CLUSTER_BITS, 4, 13}},
	 -EINVAL,
	 "2^14 is the least",
	 -EINVAL},
	{"unknown feature without a name",
	 {{F_INCOMPATIBLE, 8, 1ULL << 63}},
	 -ENOTSUP,
	 "not known (bit 63)",
	 -ENOTSUP},
	{"unknown feature with a name",
	 {{F_INCOMPATIBLE, 8, 1ULL << 5},
	  {F_EXTENSIONS, 8, 0x6803f85700000030},
	  {F_EXTENSIONS + 8, 8, 0x0005776f6e646572}},
	 -ENOTSUP,
	 "feature \"wonder\"",
	 -ENOTSUP},
	{"compression bit without a type",
	 {{F_INCOMPATIBLE, 8, 8}},
	 -EUCLEAN,
	 "contradicts",
	 -EUCLEAN},
	{"compression type without the bit",
	 {{F_COMPRESSION, 1, 1}},
	 -EUCLEAN,
	 "contradicts",
	 -EUCLEAN},
	{"unknown compression",
	 {{F_INCOMPATIBLE, 8, 8}, {F_COMPRESSION, 1, 2}},
	 -ENOTSUP,
	 "unknown method 2",
	 -ENOTSUP},
	{"zstd", {{F_INCOMPATIBLE, 8, 8}, {F_COMPRESSION, 1, 1}}, 0, "", 0},
	{"refcounts of 128 bits",
	 {{F_REFCOUNT_ORDER, 4, 7}},
	 -EINVAL,
	 "2^7 bits",
	 -EINVAL},
	{"disk larger than L1",
	 {{F_SIZE, 8, (20ULL << 29) + 1}},
	 -EUCLEAN,
	 "more than its L1",
	 -EUCLEAN},
	{"disk of 2^64 - 1 bytes",
	 {{F_SIZE, 8, UINT64_MAX}},
	 -EUCLEAN,
	 "more than its L1",
	 -EUCLEAN},
	{"L1 of 2^32 - 1 entries",
	 {{F_L1_SIZE, 4, UINT32_MAX}},
	 -EFBIG,
	 "L1 table of test is too large",
	 -EFBIG},
	{"L1 past the end",
	 {{F_L1_OFFSET, 8, 1ULL << 40}},
	 -EUCLEAN,
	 "L1 table",
	 -EUCLEAN},
	{"L1 not aligned",
	 {{F_L1_OFFSET, 8, 0x30200}},
	 -EUCLEAN,
	 "L1 table",
	 -EUCLEAN},
	{"L1 that wraps",
	 {{F_L1_OFFSET, 8, 0xffffffffffff0000}},
	 -EUCLEAN,
	 "L1 table",
	 -EUCLEAN},
	{"L1 in the header",
	 {{F_L1_OFFSET, 8, 0}},
	 -EUCLEAN,
	 "L1 table",
	 -EUCLEAN},
	{"L1 in the refcount table",
	 {{F_L1_OFFSET, 8, 0x10000}},
	 -EUCLEAN,
	 "overlap",
	 0},
	{"no refcount table",
	 {{F_REFTABLE_CLUSTERS, 4, 0}},
	 -EUCLEAN,
	 "no refcount table",
	 -EUCLEAN},
	{"large refcount table",
	 {{F_REFTABLE_CLUSTERS, 4, UINT32_MAX}},
	 -EFBIG,
	 "refcount table of test is too large",
	 -EFBIG},
	{"refcount table past the end",
	 {{F_REFTABLE_OFFSET, 8, 0x10000000}},
	 -EUCLEAN,
	 "refcount table",
	 -EUCLEAN},
	{"refcount table not aligned",
	 {{F_REFTABLE_OFFSET, 8, 0x10008}},
	 -EUCLEAN,
	 "refcount table",
	 -EUCLEAN},
	{"refcount block past the end",
	 {{0x10008, 8, 1ULL << 50}},
	 -EUCLEAN,
	 "not where they can be",
	 0},
	{"refcount block not aligned",
	 {{0x10008, 8, 0x20200}},
	 -EUCLEAN,
	 "not where they can be",
	 0},
	{"two entries for one refcount block",
	 {{0x10008, 8, 0x20000}},
	 -EUCLEAN,
	 "overlap",
	 0},
	{"two entries for one L2 table",
	 {{0x30000, 8, 0x8000000000020000}, {0x30008, 8, 0x20000}},
	 -EUCLEAN,
	 "overlap",
	 0},
	{"65537 snapshots",
	 {{F_SNAPSHOTS, 4, 65537}},
	 -EFBIG,
	 "65537 snapshots",
	 -EFBIG},
	{"snapshots past the end",
	 {{F_SNAPSHOTS, 4, 1}, {F_SNAPSHOTS_OFFSET, 8, 0x70000000}},
	 -EUCLEAN,
	 "snapshot table",
	 -EUCLEAN},
	{"a snapshot's L1 past the end",
	 {{F_SNAPSHOTS, 4, 1},
	  {F_SNAPSHOTS_OFFSET, 8, 0x40000},
	  {0x40000, 8, 0x7fff0000},
	  {0x40008, 4, 10}},
	 -EUCLEAN,
	 "not where they can be",
	 0},
	{"a snapshot with much extra data",
	 {{F_SNAPSHOTS, 4, 1},
	  {F_SNAPSHOTS_OFFSET, 8, 0x40000},
	  {0x40024, 4, 1025}},
	 -EUCLEAN,
	 "not where they can be",
	 0},
	{"backing name of 1024 bytes",
	 {{F_BACKING_OFFSET, 8, 0x200}, {F_BACKING_SIZE, 4, 1024}},
	 -EUCLEAN,
	 "too long",
	 -EUCLEAN},
	{"backing name past the first cluster",
	 {{F_BACKING_OFFSET, 8, 0xfffe}, {F_BACKING_SIZE, 4, 3}},
	 -EUCLEAN,
	 "not in its header",
	 -EUCLEAN},
	{"backing name that wraps",
	 {{F_BACKING_OFFSET, 8, UINT64_MAX}, {F_BACKING_SIZE, 4, 1000}},
	 -EUCLEAN,
	 "not in its header",
	 -EUCLEAN},
	{"backing name with a zero byte",
	 {{F_BACKING_OFFSET, 8, 0x200},
	  {F_BACKING_SIZE, 4, 8},
	  {0x200, 8, 0x6261736500000061}},
	 -EUCLEAN,
	 "zero byte",
	 -EUCLEAN},
	{"extension past the first cluster",
	 {{F_BACKING_OFFSET, 8, 0x200},
	  {F_BACKING_SIZE, 4, 1},
	  {0x200, 1, 'b'},
	  {F_EXTENSIONS, 8, 0xe2792acaffffffff}},
	 -EUCLEAN,
	 "header extensions",
	 -EUCLEAN},
	{"unknown extension past the first cluster",
	 {{F_EXTENSIONS, 8, 0x12345678ffffffff}},
	 -EUCLEAN,
	 "header extensions",
	 -EUCLEAN},
	{"place of no snapshots that cannot be",
	 {{F_SNAPSHOTS_OFFSET, 8, 0x1234567890abcdef}},
	 -EUCLEAN,
	 "snapshot table",
	 -EUCLEAN},
	{"unknown extension",
	 {{F_EXTENSIONS, 8, 0x1234567800000003}},
	 0,
	 "",
	 0},
};

static struct file *make_image(void)
{
	struct qcow2_create_options create = TEST_CREATE(10 * GIB, 16, 3, 4, 0);
	struct file *file = test_image_new(&create);
	uint8_t zero = 0, none[512] = {0};

	/* Room for what some cases put there. */
	file_write(file, &zero, 1, 0x4ffff);
	file_write(file, none, sizeof(none), F_EXTENSIONS);
	return file;
}

static void patch(struct file *file, const struct patch *patch)
{
	uint8_t bytes[8];

	for (unsigned int i = 0; i < patch->width; i++)
		bytes[i] = (uint8_t)(patch->value >>
				     8 * (patch->width - 1 - i));
	file_write(file, bytes, patch->width, patch->offset);
}

static void open_case(const struct header_case *c, bool read_only)
{
	struct image_options options = {.name = "test", .read_only = read_only};
	int want = read_only ? c->ret_read_only : c->ret;
	struct file *file = make_image();
	struct image *image = NULL;
	struct err err = {""};
	int ret;

	for (size_t i = 0; i < ARRAY_LENGTH(c->patches); i++)
		patch(file, &c->patches[i]);
	ret = qcow2_open(file, &options, &image, &err);
	CHECK_EQUAL(ret, want);
	if (want && !CHECK(strstr(err.text, c->sentence)))
		printf("# \"%s\"\n", err.text);
	if (ret)
		file_close(file);
	else
		image_close(image);
	if (test_failed)
		printf("# case \"%s\"\n", c->what);
}

static void headers_are_checked(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(cases) && !test_failed; i++) {
		open_case(&cases[i], false);
		open_case(&cases[i], true);
	}
}

/* QEMU's tools add a new one at the end. */
static void last_extension_counts(void)
{
	static const struct patch patches[] = {
		{F_BACKING_OFFSET, 8, 0x200},
		{F_BACKING_SIZE, 4, 1},
		{0x200, 1, 'b'},
		{F_EXTENSIONS, 8, 0xe2792aca00000005},
		{F_EXTENSIONS + 8, 5, 0x71636f7732}, /* "qcow2" */
		{F_EXTENSIONS + 16, 8, 0xe2792aca00000003},
		{F_EXTENSIONS + 24, 3, 0x726177}, /* "raw" */
	};
	struct image_options options = {.name = "test"};
	struct file *file = make_image();
	struct image *image = NULL;
	struct err err;

	for (size_t i = 0; i < ARRAY_LENGTH(patches); i++)
		patch(file, &patches[i]);
	CHECK_EQUAL(qcow2_open(file, &options, &image, &err), 0);
	CHECK(!strcmp(image->backing_ref.format, "raw"));
	image_close(image);
}

static void short_files_are_refused(void)
{
	struct image_options options = {.name = "test"};
	struct file *whole = make_image(), *file;
	struct image *image = NULL;

	for (size_t length = 0; length < 0x30000; length += 7001) {
		file = file_memory_new(file_memory_data(whole), length);
		CHECK(qcow2_open(file, &options, &image, NULL) < 0);
		file_close(file);
	}
	file_close(whole);
}

/* An image of which nothing but the header is random. */
static void random_headers_do_no_harm(void)
{
	struct image_options options = {.name = "test", .read_only = true};
	struct test_random random = {1};
	struct image *image;
	struct file *file;
	uint8_t byte, buffer[BLOCK_SECTOR];

	for (unsigned int i = 0; i < 2000; i++) {
		file = make_image();
		for (unsigned int j = 0; j < 1 + i % 4; j++) {
			byte = (uint8_t)test_random(&random);
			file_write(file, &byte, 1,
				   4 + test_below(&random, 108));
		}
		options.read_only = i % 2;
		if (qcow2_open(file, &options, &image, NULL)) {
			file_close(file);
			continue;
		}
		image_read_padded(image, test_below(&random, 10 * GIB),
				  sizeof(buffer), buffer);
		image_close(image);
	}
}

static void autoclear_bits_are_cleared_by_writers(void)
{
	struct image_options options = {.name = "test"};
	const struct patch bits = {88, 8, 0x8000000000000001};
	struct file *file = &test_recorder_new(make_image())->file;
	struct test_recorder *recorder;
	struct image *image = NULL;
	be64 left;

	patch(file, &bits);
	REQUIRE(!qcow2_open(file, &options, &image, NULL));
	recorder = test_recorder_of(file);
	file_read(file, &left, sizeof(left), 88);
	CHECK_EQUAL(be64_get(left), bits.value);
	recorder->keeps_log = true;
	CHECK_EQUAL(image->ops->begin(image), 0);
	file_read(file, &left, sizeof(left), 88);
	CHECK_EQUAL(be64_get(left), 0);
	CHECK_EQUAL(recorder->log_length, 2);
	CHECK_EQUAL(recorder->log[recorder->log_length - 1].kind,
		    TEST_LOG_FLUSH);
	image_close(image);
}

/* As QEMU: what is left of a sector at the end is not part of the disk. */
static void size_is_rounded_down(void)
{
	struct image_options options = {.name = "test"};
	struct file *file = make_image();
	struct image *image = NULL;

	patch(file, &(struct patch){F_SIZE, 8, 1000});
	REQUIRE(!qcow2_open(file, &options, &image, NULL));
	CHECK_EQUAL(image->size, 512);
	image_close(image);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(headers_are_checked),
		TEST(last_extension_counts),
		TEST(short_files_are_refused),
		TEST(random_headers_do_no_harm),
		TEST(autoclear_bits_are_cleared_by_writers),
		TEST(size_is_rounded_down),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

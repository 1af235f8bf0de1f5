/*
 * block/qcow2_check_test.c - checks and repairs, with qemu-img as the judge:
 * the same counts on a table of damaged images, and nothing left to find after
 * a repair.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <time.h>

#include "block/qcow2.h"
#include "block/qcow2_check.h"
#include "block/test_disk.h"
#include "block/test_host.h"

/* --- An image as bytes, to be damaged ------------------------------------- */

#define BYTES_MAX (8 * MIB)

static uint8_t bytes[BYTES_MAX];
static size_t byte_count;

static void load_bytes(const char *path)
{
	FILE *file = fopen(path, "r");

	REQUIRE(file);
	byte_count = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
}

static void save_bytes(const char *path)
{
	FILE *file = fopen(path, "w");

	REQUIRE(file);
	CHECK_EQUAL(fwrite(bytes, 1, byte_count, file), byte_count);
	fclose(file);
}

static uint64_t get64(uint64_t offset)
{
	return be64_get(*(be64 *)(bytes + offset));
}

static void put64(uint64_t offset, uint64_t value)
{
	*(be64 *)(bytes + offset) = be64_make(value);
}

static const struct qcow2_header *header(void)
{
	return (const struct qcow2_header *)bytes;
}

static uint64_t l1_offset(void)
{
	return be64_get(header()->l1_table_offset);
}

static uint64_t reftable_offset(void)
{
	return be64_get(header()->refcount_table_offset);
}

static uint64_t refblock_offset(void)
{
	return get64(reftable_offset());
}

/* The L2 table of the front of the disk. */
static uint64_t l2_offset(void)
{
	return get64(l1_offset()) & QCOW2_OFFSET_MASK;
}

static uint64_t entry_size(void)
{
	return be64_get(header()->incompatible_features) & QCOW2_EXTENDED_L2
		       ? 16
		       : 8;
}

/* Of the clusters of the disk's front, the n-th that has data. */
static uint64_t l2_at(unsigned int n)
{
	uint64_t at = l2_offset(), entry;

	for (;; at += entry_size()) {
		entry = get64(at);
		if (entry & QCOW2_OFFSET_MASK &&
		    !(entry & (QCOW2_COMPRESSED_FLAG | QCOW2_ZERO_FLAG)) &&
		    !n--)
			return at;
	}
}

static uint64_t compressed_at(void)
{
	uint64_t at = l2_offset();

	while (!(get64(at) & QCOW2_COMPRESSED_FLAG))
		at += entry_size();
	return at;
}

static uint64_t cluster_of(uint64_t entry)
{
	return (entry & QCOW2_OFFSET_MASK) >> be32_get(header()->cluster_bits);
}

static void set_refcount(uint64_t cluster, uint64_t refcount)
{
	unsigned int order = be32_get(header()->version) > 2
				     ? be32_get(header()->refcount_order)
				     : 4;

	qcow2_refcount_write(bytes + refblock_offset(), cluster, order,
			     refcount);
}

/* --- Damages -------------------------------------------------------------- */

static void nothing(void)
{
}

static void refcount_of_data_too_low(void)
{
	set_refcount(cluster_of(get64(l2_at(0))), 0);
}

static void refcount_of_data_too_high(void)
{
	set_refcount(cluster_of(get64(l2_at(0))), 3);
}

static void refcount_of_l2_too_low(void)
{
	set_refcount(cluster_of(get64(l1_offset())), 0);
}

static void leaked_clusters(void)
{
	unsigned int bits = be32_get(header()->cluster_bits);
	uint64_t end = div_round_up(byte_count, 1ULL << bits);

	byte_count = (end + 8) << bits;
	set_refcount(end + 2, 1);
	set_refcount(end + 7, 2);
}

static void leaked_by_a_lost_pointer(void)
{
	put64(l2_at(1), 0);
}

static void two_pointers_to_a_cluster(void)
{
	put64(l2_at(1), get64(l2_at(0)));
}

static void pointer_to_an_l2_table(void)
{
	put64(l2_at(1), l2_offset() | QCOW2_COPIED);
}

static void pointer_to_a_refcount_block(void)
{
	put64(l2_at(1), refblock_offset() | QCOW2_COPIED);
}

static void pointer_past_the_end(void)
{
	put64(l2_at(1), 0x70000000000ULL | QCOW2_COPIED);
}

static void unaligned_pointer(void)
{
	put64(l2_at(1), get64(l2_at(1)) + 512);
}

static void reserved_bits(void)
{
	put64(l2_at(1), get64(l2_at(1)) | 1ULL << 57);
	put64(l1_offset(), get64(l1_offset()) | 1ULL << 58);
}

static void copied_missing(void)
{
	put64(l2_at(0), get64(l2_at(0)) & ~QCOW2_COPIED);
	put64(l2_at(1), get64(l2_at(1)) & ~QCOW2_COPIED);
}

static void copied_missing_in_l1(void)
{
	put64(l1_offset(), get64(l1_offset()) & ~QCOW2_COPIED);
}

static void copied_where_shared(void)
{
	for (uint64_t at = l2_offset(), i = 0; i < 256; i++, at += entry_size())
		if (get64(at) & QCOW2_OFFSET_MASK &&
		    !(get64(at) & QCOW2_COMPRESSED_FLAG))
			put64(at, get64(at) | QCOW2_COPIED);
}

static void copied_on_compressed(void)
{
	put64(compressed_at(), get64(compressed_at()) | QCOW2_COPIED);
}

static void lost_l2_table(void)
{
	put64(l1_offset(), 0x70000000000ULL | QCOW2_COPIED);
}

static void unaligned_l2_table(void)
{
	put64(l1_offset(), get64(l1_offset()) + 512);
}

static void lost_refcount_block(void)
{
	put64(reftable_offset(), 0);
}

static void unaligned_refcount_block(void)
{
	put64(reftable_offset(), get64(reftable_offset()) + 1024);
}

static void zeroed_refcount_block(void)
{
	memset(bytes + refblock_offset(), 0,
	       1ULL << be32_get(header()->cluster_bits));
}

static void second_use_of_a_refcount_block(void)
{
	put64(reftable_offset() + 8, get64(reftable_offset()));
}

static void marked_corrupt(void)
{
	uint64_t bits = be64_get(header()->incompatible_features);

	if (be32_get(header()->version) > 2)
		put64(offsetof(struct qcow2_header, incompatible_features),
		      bits | QCOW2_CORRUPT);
	copied_missing();
}

static const struct damage {
	const char *name;
	void (*apply)(void);

} damages[] = {
#define DAMAGE(function)            \
	{                           \
#function, function \
	}
	DAMAGE(nothing),
	DAMAGE(refcount_of_data_too_low),
	DAMAGE(refcount_of_data_too_high),
	DAMAGE(refcount_of_l2_too_low),
	DAMAGE(leaked_clusters),
	DAMAGE(leaked_by_a_lost_pointer),
	DAMAGE(two_pointers_to_a_cluster),
	DAMAGE(pointer_to_an_l2_table),
	DAMAGE(pointer_to_a_refcount_block),
	DAMAGE(pointer_past_the_end),
	DAMAGE(unaligned_pointer),
	DAMAGE(reserved_bits),
	DAMAGE(copied_missing),
	DAMAGE(copied_missing_in_l1),
	DAMAGE(copied_where_shared),
	DAMAGE(copied_on_compressed),
	DAMAGE(lost_l2_table),
	DAMAGE(unaligned_l2_table),
	DAMAGE(lost_refcount_block),
	DAMAGE(unaligned_refcount_block),
	DAMAGE(zeroed_refcount_block),
	DAMAGE(second_use_of_a_refcount_block),
	DAMAGE(marked_corrupt),
};

static const char *const shapes[] = {
	"cluster_size=4k,lazy_refcounts=on",
	"cluster_size=64k,extended_l2=on",
	"cluster_size=4k,compat=0.10",
	"cluster_size=512,refcount_bits=8",
};

/* --- Judges --------------------------------------------------------------- */

static char json[4096];

static uint64_t json_number(const char *key)
{
	char text[64];
	const char *at;

	snprintf(text, sizeof(text), "\"%s\": ", key);
	at = strstr(json, text);
	return at ? strtoull(at + strlen(text), NULL, 10) : 0;
}

static struct qcow2_check_result ask_qemu(int *ret_status)
{
	FILE *file;

	*ret_status = test_shell("qemu-img check -f qcow2 --output=json image "
				 ">json");
	file = fopen("json", "r");
	memset(json, 0, sizeof(json));
	if (file) {
		CHECK(fread(json, 1, sizeof(json) - 1, file) > 0);
		fclose(file);
	}
	return (struct qcow2_check_result){
		.corruptions = json_number("corruptions"),
		.leaks = json_number("leaks"),
		.check_errors = json_number("check-errors"),
		.allocated_clusters = json_number("allocated-clusters"),
		.total_clusters = json_number("total-clusters"),
		.fragmented_clusters = json_number("fragmented-clusters"),
		.compressed_clusters = json_number("compressed-clusters"),
		.image_end_offset = json_number("image-end-offset"),
	};
}

static struct qcow2_check_result check_image(unsigned int fix, int *ret_code)
{
	struct qcow2_check_options options = {.name = "image", .fix = fix};
	struct file_options file_options = {.read_only = !fix};
	struct qcow2_check_result result = {0};
	struct file *file;
	struct err err = {""};

	*ret_code = file_open("image", &file_options, &file, &err);
	if (!CHECK(!*ret_code))
		return result;
	*ret_code = qcow2_check(file, &options, &result, &err);
	if (*ret_code)
		printf("# %s\n", err.text);
	file_close(file);
	return result;
}

static void compare_results(const struct qcow2_check_result *ours,
			    const struct qcow2_check_result *theirs)
{
	CHECK_EQUAL(ours->corruptions, theirs->corruptions);
	CHECK_EQUAL(ours->leaks, theirs->leaks);
	CHECK_EQUAL(ours->check_errors, theirs->check_errors);
	CHECK_EQUAL(ours->allocated_clusters, theirs->allocated_clusters);
	CHECK_EQUAL(ours->total_clusters, theirs->total_clusters);
	CHECK_EQUAL(ours->fragmented_clusters, theirs->fragmented_clusters);
	CHECK_EQUAL(ours->compressed_clusters, theirs->compressed_clusters);
	CHECK_EQUAL(ours->image_end_offset, theirs->image_end_offset);
}

static void make_image(const char *shape)
{
	CHECK(!test_shell("rm -f good && qemu-img create -f qcow2 -o %s good "
			  "4M && qemu-io -c 'write -P 1 0 300k' "
			  "-c 'write -P 2 1M 64k' -c 'write -z 64k 64k' "
			  "-c 'write -c -P 5 3M 64k' "
			  "-c 'write -c -P 6 512k 64k' good",
			  shape));
	CHECK(!test_shell("qemu-img snapshot -c s good && "
			  "qemu-io -c 'write -P 3 64k 200k' "
			  "-c 'write -P 4 2M 100k' good"));
}

static void damage_image(const struct damage *damage)
{
	load_bytes("good");
	damage->apply();
	save_bytes("image");
}

static bool run_damage(const struct damage *damage, const char *shape)
{
	struct qcow2_check_result ours, theirs;
	int status, code;

	damage_image(damage);
	theirs = ask_qemu(&status);
	ours = check_image(0, &code);
	CHECK_EQUAL(code, 0);
	compare_results(&ours, &theirs);

	ours = check_image(QCOW2_FIX_LEAKS | QCOW2_FIX_ERRORS, &code);
	CHECK_EQUAL(code, 0);
	/* How many depends on what is mended first. */
	CHECK_EQUAL(!ours.corruptions_fixed, !theirs.corruptions);
	CHECK_EQUAL(ours.corruptions, 0);
	CHECK_EQUAL(ours.leaks, 0);
	theirs = ask_qemu(&status);
	CHECK_EQUAL(status, 0);
	compare_results(&ours, &theirs);
	CHECK(!test_shell("qemu-io -c 'write -P 9 0 4M' image && "
			  "qemu-img check image"));
	if (test_failed)
		printf("# %s, %s\n", damage->name, shape);
	return !test_failed;
}

static void damaged_images(void)
{
	size_t count = test_is_small() ? 1 : ARRAY_LENGTH(shapes);

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	for (size_t s = 0; s < count; s++) {
		make_image(shapes[s]);
		for (size_t i = 0; i < ARRAY_LENGTH(damages); i++)
			if ((s == 0 || i % 3 == s % 3) &&
			    !run_damage(&damages[i], shapes[s]))
				return;
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(damaged_images),
	};

	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}

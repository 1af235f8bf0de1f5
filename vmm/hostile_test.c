/*
 * vmm/hostile_test.c - images that lie, and what a user gets who has one in
 * hand: for each class of lie the sentences and the exit statuses of "alcor
 * run", "img info", "img check" and "img convert". Nothing is opened that the
 * user did not name, or that an image may not name. What takes long, or much
 * memory, is in hostile_cost_test.c.
 */
#include "vmm/test_hostile_images.h"

/* The fields of struct hostile. */
#define MAKE(function)		  .make = (function)
#define LIE(offset, width, value) .lies = {{offset, width, value}}
#define LIES(offset, width, value, ...) \
	.lies = {{offset, width, value}, {__VA_ARGS__}}
#define MAY_OPEN(names) .may_open = (names)
#define ENDS(run, why, info, says, check, finds, convert, tells) \
	.expected = {                                            \
		{run, why},                                      \
		{info, says},                                    \
		{check, finds},                                  \
		{convert, tells},                                \
	}

/* Nobody opens it. */
#define REFUSED(why) ENDS(2, why, 1, why, 1, why, 1, why)

/* A check says more than that. */
#define REFUSED_BUT_CHECKED(why, finds) ENDS(2, why, 1, why, 2, finds, 1, why)

/* The image can be looked at, but not what it needs for its contents. */
#define NEEDS(why) ENDS(2, why, 0, "qcow2", 0, "No errors", 1, why)

/* Found when somebody reads. */
#define FOUND(why, finds) ENDS(2, why, 0, "qcow2", 2, finds, 1, why)

/* Of no interest to readers. */
#define READABLE(why, finds) ENDS(2, why, 0, "qcow2", 2, finds, 0, "")

#define HARMLESS ENDS(2, NO_KERNEL, 0, "qcow2", 0, "", 0, "")

#define BAD_BITMAPS                                                        \
	ENDS(2, NO_KERNEL, 1, "the bitmaps of 'image' cannot be right", 1, \
	     "the bitmaps of image cannot be right", 0, "")

#define OVERLAP	   "the tables of image overlap or are not where they can be"
#define NO_KERNEL  "no kernel was found"
#define PAST_END   "exceeding the end of the file"
#define NOT_PLAIN  "which is not a plain file name"
#define NOT_NEAR   "which is not in its folder or below"
#define BAD_NAME   "is too long or not in its header"
#define NO_FILE	   "is neither a file nor a block device"
#define IS_BELOW   "image is a backing file of itself"
#define IS_LOCKED  "or by this one as another disk"
#define EXTENSIONS "the header extensions of image do not end in its first"

/* --- All of them ---------------------------------------------------------- */

static const struct hostile images[] = {
	{"none", "no lie", HARMLESS},

	{"header", "60 bytes of it", MAKE(make_short_v2),
	 REFUSED("is not a qcow2 image")},
	{"header", "90 bytes of it", MAKE(make_short_v3),
	 REFUSED("has a header of 0 bytes, which cannot be")},
	{"header", "version 4", LIE(4, 4, 4),
	 REFUSED("is of qcow2 version 4; 2 and 3 are known")},
	{"header", "shorter than it can be", LIE(100, 4, 96),
	 REFUSED("has a header of 96 bytes, which cannot be")},
	{"header", "not a multiple of 8", LIE(100, 4, 107),
	 REFUSED("has a header of 107 bytes, which cannot be")},
	{"header", "longer than a cluster", LIE(100, 4, 4104),
	 REFUSED("has a header of 4104 bytes, which cannot be")},
	{"header", "of 2 GiB", LIE(100, 4, 1U << 31),
	 REFUSED("has a header of 2147483648 bytes, which cannot")},

	{"shifts", "cluster_bits 8", LIE(20, 4, 8),
	 REFUSED("clusters of 2^8 bytes; 2^9 to 2^21 are possible")},
	{"shifts", "cluster_bits 22", LIE(20, 4, 22),
	 REFUSED("clusters of 2^22 bytes; 2^9 to 2^21 are")},
	{"shifts", "cluster_bits 2^32 - 1", LIE(20, 4, UINT32_MAX),
	 REFUSED("clusters of 2^4294967295 bytes")},
	{"shifts", "subclusters of 128 bytes", LIE(72, 8, QCOW2_EXTENDED_L2),
	 REFUSED("extended L2 entries and clusters of 2^12 bytes; 2^14 is")},
	{"shifts", "refcount_order 7", LIE(96, 4, 7),
	 REFUSED("refcounts of 2^7 bits; 2^6 is the most")},
	{"shifts", "refcount_order 2^32 - 1", LIE(96, 4, UINT32_MAX),
	 REFUSED("refcounts of 2^4294967295 bits")},

	{"L1", "no entries", LIE(36, 4, 0),
	 REFUSED("more than its L1 table has room for")},
	{"L1", "2^32 - 1 entries", LIE(36, 4, UINT32_MAX),
	 REFUSED("the L1 table of image is too large")},
	{"L1", "not aligned", LIE(40, 8, 0x3008),
	 REFUSED("the L1 table of image is not where it can be")},
	{"L1", "in the header", LIE(40, 8, 0),
	 REFUSED("the L1 table of image is not where it can be")},
	{"L1", "past the end", LIE(40, 8, 0x7000000),
	 REFUSED_BUT_CHECKED("the L1 table of image is not where it can be",
			     PAST_END)},
	{"L1", "past 2^56", LIE(40, 8, 0xfffffffffffff000),
	 REFUSED("the L1 table of image is not where it can be")},

	{"refcount table", "none", LIE(56, 4, 0),
	 REFUSED_BUT_CHECKED("image has no refcount table", "refcount=0")},
	{"refcount table", "2^32 - 1 clusters", LIE(56, 4, UINT32_MAX),
	 REFUSED("the refcount table of image is too large")},
	{"refcount table", "not aligned", LIE(48, 8, 0x1001),
	 REFUSED("the refcount table of image is not where it can be")},
	{"refcount table", "past the end", LIE(48, 8, 0x7000000),
	 REFUSED_BUT_CHECKED("the refcount table of image is not where it can",
			     PAST_END)},
	{"refcount table", "past 2^56", LIE(48, 8, 0xfffffffffffff000),
	 REFUSED("the refcount table of image is not where it can be")},
	{"refcount table", "that is the L1 table", LIE(48, 8, 0x3000),
	 READABLE(OVERLAP, "refcount block 0 is outside image")},

	{"virtual size", "2^64 - 1", LIE(24, 8, UINT64_MAX),
	 REFUSED("claims a size of 18446744073709551615 bytes")},
	{"virtual size", "2^63 - 1", LIE(24, 8, INT64_MAX),
	 REFUSED("claims a size of 9223372036854775807 bytes")},
	{"virtual size", "more than L1 has room for", LIE(24, 8, 4 * MIB),
	 REFUSED("claims a size of 4194304 bytes, more than its L1 table")},
	{"virtual size", "not of whole sectors", LIE(24, 8, MIB - 100),
	 HARMLESS},

	{"backing name", "json:", MAKE(make_json), NEEDS(NOT_PLAIN)},
	{"backing name", "nbd:", MAKE(make_nbd), NEEDS(NOT_PLAIN)},
	{"backing name", "file:", MAKE(make_file), NEEDS(NOT_PLAIN)},
	{"backing name", "fat:", MAKE(make_vvfat), NEEDS(NOT_PLAIN)},
	{"backing name", "outside", MAKE(make_outside), NEEDS(NOT_NEAR)},
	{"backing name", "a link to outside", MAKE(make_link), NEEDS(NOT_NEAR)},
	{"backing name", "a device", MAKE(make_device), NEEDS(NOT_NEAR)},
	{"backing name", "no format", MAKE(make_formatless),
	 NEEDS("does not say of which format its backing file near is")},
	{"backing name", "another format", MAKE(make_vmdk),
	 NEEDS("is of the format \"vmdk\"; raw and qcow2 are known")},
	{"backing name", "a FIFO", MAKE(make_fifo), NEEDS(NO_FILE),
	 MAY_OPEN("fifo")},
	{"backing name", "a folder", MAKE(make_folder), NEEDS(NO_FILE)},
	{"backing name", "nothing", MAKE(make_missing),
	 NEEDS("cannot find missing, the backing file of image")},
	{"backing name", "a zero byte", MAKE(make_zero_byte),
	 REFUSED("has a zero byte in it")},
	{"backing name", "1024 bytes", MAKE(make_long_name), REFUSED(BAD_NAME)},
	{"backing name", "past the first cluster", LIES(8, 8, 4094, 16, 4, 4),
	 REFUSED(BAD_NAME)},
	{"backing name", "past 2^64", LIES(8, 8, UINT64_MAX - 1, 16, 4, 4),
	 REFUSED(BAD_NAME)},

	{"chain", "itself", MAKE(make_itself),
	 ENDS(2, IS_LOCKED, 0, "qcow2", 0, "No errors", 1, IS_BELOW)},
	{"chain", "a loop", MAKE(make_loop),
	 ENDS(2, IS_LOCKED, 0, "qcow2", 0, "No errors", 1, IS_BELOW),
	 MAY_OPEN("other")},
	{"chain", "too deep", MAKE(make_deep),
	 NEEDS("a chain of more than 15 backing files ends in 16"),
	 MAY_OPEN("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16")},

	{"data file", "outside", MAKE(make_data_file),
	 ENDS(2, "which it calls \"../secret\"", 0, "qcow2", 3, "leaked", 1,
	      "which it calls \"../secret\"")},
	{"data file", "without a name", LIE(72, 8, QCOW2_DATA_FILE),
	 ENDS(2, "does not say in which", 0, "qcow2", 3, "leaked", 1,
	      "does not say in which")},

	{"overlap", "an L2 table that is not aligned",
	 LIE(0x3000, 8, 0x8000000000004200),
	 ENDS(2, OVERLAP, 0, "qcow2", 2, "Table is not cluster aligned", 1,
	      "entry 0 of the L1 table is 0x8000000000004200")},
	{"overlap", "an L2 table past the end",
	 LIE(0x3000, 8, 0x8000000000900000),
	 ENDS(2, OVERLAP, 0, "qcow2", 2, PAST_END, 1,
	      "entry 0 of the L1 table is 0x8000000000900000")},
	{"overlap", "an L2 table in the header", LIE(0x3000, 8, 1ULL << 63),
	 READABLE(NO_KERNEL, "ERROR")},
	{"overlap", "an L2 table that is the refcount table",
	 LIE(0x3000, 8, 0x8000000000001000),
	 READABLE(OVERLAP, "refcount block 0 refcount=2")},
	{"overlap", "an L2 table that is the L1 table",
	 LIE(0x3000, 8, 0x8000000000003000),
	 ENDS(2, OVERLAP, 0, "qcow2", 2, "cluster 3 refcount=1 reference=3", 1,
	      "the L2 entry for guest offset 0 is 0x8000000000003000")},
	{"overlap", "data that is not aligned",
	 LIE(0x4000, 8, 0x8000000000005200),
	 FOUND("the L2 entry for guest offset 0 is 0x8000000000005200",
	       "Data cluster is not properly aligned")},
	{"overlap", "data past the end", LIE(0x4000, 8, 0x8000000000900000),
	 FOUND("the L2 entry for guest offset 0 is 0x8000000000900000",
	       PAST_END)},
	{"overlap", "data in the L2 table", LIE(0x4000, 8, 0x8000000000004000),
	 FOUND("the L2 entry for guest offset 0 is 0x8000000000004000",
	       "cluster 4 refcount=1 reference=2")},
	{"overlap", "data in the L1 table", LIE(0x4000, 8, 0x8000000000003000),
	 FOUND("the L2 entry for guest offset 0 is 0x8000000000003000",
	       "cluster 3 refcount=1 reference=2")},
	{"overlap", "reserved bits", LIE(0x4000, 8, 0xbf000000000051fe),
	 READABLE(NO_KERNEL, "l2 entry with reserved bits set")},

	{"compressed", "past the end", LIE(0x4000, 8, 0x4000000070000000),
	 FOUND("the L2 entry for guest offset 0 is 0x4000000070000000",
	       PAST_END)},
	{"compressed", "in the tables", LIE(0x4000, 8, 0x4000000000003e00),
	 FOUND("the L2 entry for guest offset 0 is 0x4000000000003e00",
	       "cluster 3 refcount=1 reference=2")},
	{"compressed", "nonsense", LIE(0x4000, 8, 0x4000000000005001),
	 ENDS(2, "cannot read its first sector: Input/output error", 0, "qcow2",
	      0, "No errors", 1,
	      "error while reading at byte 0: Input/output error")},
	{"compressed", "more than a cluster", MAKE(make_bomb), HARMLESS},

	{"refcounts", "of tables are 0", LIE(0x2000, 8, 0),
	 READABLE(NO_KERNEL, "cluster 0 refcount=0 reference=1")},
	{"refcounts", "as high as can be", LIE(0x2000, 8, UINT64_MAX),
	 ENDS(2, NO_KERNEL, 0, "qcow2", 3,
	      "cluster 0 refcount=65535 reference=1", 0, "")},
	{"refcounts", "a block that is not aligned", LIE(0x1000, 8, 0x2001),
	 READABLE(NO_KERNEL, "refcount table entry 0 is not cluster aligned")},
	{"refcounts", "a block past the end", LIE(0x1000, 8, 0x2000000),
	 READABLE(OVERLAP, "refcount block 0 is outside image")},
	{"refcounts", "a block that is the table", LIE(0x1000, 8, 0x1000),
	 READABLE(OVERLAP, "refcount block 0 refcount=2")},

	{"snapshots", "65537", LIES(60, 4, 65537, 64, 8, 0x6000),
	 REFUSED("image has 65537 snapshots; 65536 are the most")},
	{"snapshots", "past the end", LIES(60, 4, 65536, 64, 8, 0x6000),
	 REFUSED("the snapshot table of image")},
	{"snapshots", "not aligned", LIES(60, 4, 1, 64, 8, 0x6008),
	 REFUSED("the snapshot table of image is not where it can be")},
	{"snapshots", "an L1 table past the end", MAKE(make_snapshot_past_end),
	 READABLE(OVERLAP, PAST_END)},
	{"snapshots", "an L1 table that is not aligned",
	 MAKE(make_snapshot_unaligned),
	 READABLE(OVERLAP, "L1 table is not where it can be")},
	{"snapshots", "an L1 table of 32 GiB", MAKE(make_snapshot_of_gibs),
	 READABLE(OVERLAP, "L1 table is not where it can be")},
	{"snapshots", "4 KiB of extra data", MAKE(make_snapshot_extra),
	 ENDS(2, OVERLAP, 1, "the snapshots of 'image' cannot be right", 1,
	      "the snapshot table of image cannot be right", 0, "")},

	{"bitmaps", "past the end", MAKE(make_bitmaps_past_end), BAD_BITMAPS},
	{"bitmaps", "2^32 - 1", MAKE(make_bitmaps_many), BAD_BITMAPS},
	{"bitmaps", "a directory of 2^64 - 1 bytes", MAKE(make_bitmaps_large),
	 BAD_BITMAPS},

	{"extensions", "past the first cluster", LIE(116, 4, 5000),
	 REFUSED(EXTENSIONS)},
	{"extensions", "of 2^32 - 1 bytes", LIES(112, 4, 5, 116, 4, UINT32_MAX),
	 REFUSED(EXTENSIONS)},
	{"extensions", "260,000", MAKE(make_extensions), REFUSED(EXTENSIONS)},

	{"compression type", "without its bit", LIE(104, 1, QCOW2_ZSTD),
	 REFUSED("contradicts itself about its compression type")},
	{"compression type", "without the type", LIE(72, 8, QCOW2_COMPRESSION),
	 REFUSED("contradicts itself about its compression type")},
	{"compression type", "unknown",
	 LIES(72, 8, QCOW2_COMPRESSION, 104, 1, 2),
	 REFUSED("is compressed with the unknown method 2")},

	{"encryption", "AES", LIE(32, 4, 1),
	 REFUSED("image is encrypted (AES), which is not supported")},
	{"encryption", "LUKS", LIE(32, 4, 2),
	 REFUSED("image is encrypted (LUKS), which is not supported")},
	{"encryption", "unknown", LIE(32, 4, 3),
	 REFUSED("image is encrypted with an unknown method")},

	{"features", "bit 5", LIE(72, 8, 1 << 5),
	 REFUSED("image needs a feature that is not known (bit 5)")},
	{"features", "bit 63", LIE(72, 8, 1ULL << 63),
	 REFUSED("image needs a feature that is not known (bit 63)")},
	{"features", "corrupt", LIE(72, 8, QCOW2_CORRUPT),
	 ENDS(2, "is marked corrupt and can only be opened with \"ro\"", 0,
	      "qcow2", 0, "No errors", 0, "")},
	{"features", "dirty", LIE(72, 8, QCOW2_DIRTY),
	 ENDS(2, "it is repaired now", 0, "qcow2", 0, "No errors", 0, "")},

	{"raw", "that is no image", MAKE(make_raw),
	 ENDS(2, "is not a qcow2 image (a raw disk needs \"format=raw\")", 0,
	      "file format: raw", 63, "does not support checks", 0, "")},
};

static void lies_are_found_out(void)
{
	hostile_try_all(images, ARRAY_LENGTH(images));
}

/* --- Raw disks ------------------------------------------------------------ */

/* A raw disk that looks like an image, of a file outside, is only bytes. */
static void raw_disks_are_not_looked_into(void)
{
	struct hostile_end end;
	int watch;

	make_outside();
	watch = hostile_watch();
	if (hostile_has_kvm()) {
		end = hostile_run("run --disk image,format=raw");
		CHECK_EQUAL(end.status, 2);
		CHECK(strstr(end.output, NO_KERNEL));
	}
	end = hostile_run("img convert -f raw -O raw image out");
	CHECK_EQUAL(end.status, 0);
	CHECK(hostile_opened_only(watch, "image out output"));
	close(watch);
	CHECK(!test_shell("cmp image out"));
}

/* The watch over the folders, or the tests above would mean nothing. */
static void opened_files_are_seen(void)
{
	int watch = hostile_watch(), fd = open("../secret", O_RDONLY);

	close(fd);
	CHECK(!hostile_opened_only(watch, "image"));
	close(watch);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(lies_are_found_out),
		TEST(raw_disks_are_not_looked_into),
		TEST(opened_files_are_seen),
	};

	return hostile_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

/*
 * vmm/ext_volume_test.c - file systems as mke2fs makes them, what is in them,
 * and what is left of them after random damage.
 */
#include "vmm/ext_volume.h"

#include <ext2fs/ext2_fs.h>

#include "base/test.h"
#include "vmm/test_disk.h"

#define FS_OFFSET (1 * MIB)
#define FS_SIZE	  (8 * MIB)
#define DISK_SIZE (10 * MIB)

#define LINE "a line of sixty-four characters, with its end, again and again\n"
#define LONG_NAME                                                     \
	"a-name-that-is-so-long-that-a-link-to-it-does-not-fit-into-" \
	"an-inode"

static struct test_disk disk;
static struct ext_volume *volume;
static struct err err;

static const struct test_file files[] = {
	{"boot/small", "small\n", NULL, 0},
	{"boot/large", LINE, NULL, 40000},
	{"boot/" LONG_NAME, "long\n", NULL, 0},
	{"relative", NULL, "boot/small", 0},
	{"absolute", NULL, "/boot/small", 0},
	{"boot/up", NULL, "../relative", 0},
	{"chained", NULL, "boot/up", 0},
	{"slow", NULL, "boot/./" LONG_NAME, 0},
	{"above", NULL, "../../../boot/small", 0},
	{"directory", NULL, "boot", 0},
	{"circle", NULL, "circle", 0},
	{"dangling", NULL, "nowhere", 0},
};

static bool open_disk(const char *options)
{
	test_disk_init(&disk, DISK_SIZE);
	return CHECK(test_disk_make_fs(&disk, FS_OFFSET, FS_SIZE, options,
				       files, ARRAY_LENGTH(files))) &&
	       CHECK(!ext_volume_open(&disk.view, FS_OFFSET, FS_SIZE, &volume,
				      &err));
}

static void close_disk(void)
{
	ext_volume_close(volume);
	test_disk_fini(&disk);
}

static void check_text(const char *path, const char *want)
{
	struct ext_file file;
	char text[64] = "";

	if (!CHECK(!ext_volume_find(volume, path, &file, &err)) ||
	    !CHECK(file.size < sizeof(text)) ||
	    !CHECK(!ext_volume_read(volume, &file, text, &err)))
		printf("# %s: %s\n", path, err.text);
	CHECK_TEXT(text, want);
}

static void check_large(void)
{
	size_t line = strlen(LINE), lines = 40000;
	char *text = malloc(line * lines);
	struct ext_file file;

	CHECK(!ext_volume_find(volume, "/boot/large", &file, &err));
	CHECK_EQUAL(file.size, line * lines);
	CHECK(!ext_volume_read(volume, &file, text, &err));
	for (size_t i = 0; i < lines; i++)
		if (!CHECK(!memcmp(text + i * line, LINE, line)))
			break;
	free(text);
}

static void check_all(const char *options)
{
	if (!open_disk(options))
		return;
	check_text("/boot/small", "small\n");
	check_text("boot//small", "small\n");
	check_text("/slow", "long\n");
	check_text("/chained", "small\n");
	check_large();
	close_disk();
}

static void reads_ext2_ext3_and_ext4(void)
{
	if (!test_has_mke2fs())
		TEST_SKIP("mke2fs (package e2fsprogs) is not installed");
	check_all("-t ext2 -b 1024");
	check_all("-t ext3 -b 4096");
	check_all("-t ext4 -b 4096");
	check_all("-t ext4 -b 1024 -O inline_data,metadata_csum,64bit");
	check_all("-t ext4 -O casefold -E encoding=utf8");
}

static void follows_links_inside_the_volume(void)
{
	static const char *const paths[] = {"/relative",
					    "/absolute",
					    "/boot/up",
					    "/chained",
					    "/above",
					    "/directory/small",
					    "/directory/../relative"};

	if (!test_has_mke2fs())
		TEST_SKIP("mke2fs (package e2fsprogs) is not installed");
	if (!open_disk("-t ext4"))
		return;
	for (size_t i = 0; i < ARRAY_LENGTH(paths); i++)
		check_text(paths[i], "small\n");
	close_disk();
}

static void says_why_a_path_leads_nowhere(void)
{
	static const struct {
		const char *path;
		int error;
	} cases[] = {
		{"/nothing", -ENOENT},
		{"/dangling", -ENOENT},
		{"/circle", -ELOOP},
		{"/boot", -EISDIR},
		{"/", -EISDIR},
		{"", -EISDIR},
		{"/boot/small/x", -ENOTDIR},
		{"/relative/x", -ENOTDIR},
	};
	struct ext_file file;

	if (!test_has_mke2fs())
		TEST_SKIP("mke2fs (package e2fsprogs) is not installed");
	if (!open_disk("-t ext4"))
		return;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		CHECK_EQUAL(ext_volume_find(volume, cases[i].path, &file, &err),
			    cases[i].error);
	close_disk();
}

static bool count_name(void *context, const char *name)
{
	unsigned int *count = context;

	CHECK(!strcmp(name, "small") || !strcmp(name, "large") ||
	      !strcmp(name, "up") || !strcmp(name, LONG_NAME));
	++*count;
	return true;
}

static bool count_one(void *context, const char *name)
{
	unsigned int *count = context;

	(void)name;
	++*count;
	return false;
}

static void lists_directories(void)
{
	unsigned int count = 0;

	if (!test_has_mke2fs())
		TEST_SKIP("mke2fs (package e2fsprogs) is not installed");
	if (!open_disk("-t ext4"))
		return;
	CHECK(!ext_volume_list(volume, "/directory/", count_name, &count,
			       &err));
	CHECK_EQUAL(count, 4);
	CHECK(!ext_volume_list(volume, "/boot", count_one, &count, &err));
	CHECK_EQUAL(count, 5);
	CHECK_EQUAL(ext_volume_list(volume, "/boot/small", count_name, &count,
				    &err),
		    -ENOTDIR);
	CHECK_EQUAL(ext_volume_list(volume, "/x", count_name, &count, &err),
		    -ENOENT);
	close_disk();
}

static void refuses_what_is_no_file_system(void)
{
	test_disk_init(&disk, DISK_SIZE);
	CHECK_EQUAL(ext_volume_open(&disk.view, 0, DISK_SIZE, &volume, &err),
		    -EUCLEAN);
	CHECK_EQUAL(ext_volume_open(&disk.view, 0, 512, &volume, &err),
		    -EUCLEAN);
	CHECK_EQUAL(ext_volume_open(&disk.view, 0, 0, &volume, &err), -EUCLEAN);
	test_disk_fini(&disk);
}

/* The whole file system must be there. */
static void refuses_a_cut_file_system(void)
{
	if (!test_has_mke2fs())
		TEST_SKIP("mke2fs (package e2fsprogs) is not installed");
	if (!open_disk("-t ext4"))
		return;
	ext_volume_close(volume);
	CHECK_EQUAL(ext_volume_open(&disk.view, FS_OFFSET, FS_SIZE - 512,
				    &volume, &err),
		    -EUCLEAN);
	test_disk_fini(&disk);
}

/* As a kernel leaves it that did not end in order. */
static void reads_with_a_journal_to_replay(void)
{
	if (!test_has_mke2fs())
		TEST_SKIP("mke2fs (package e2fsprogs) is not installed");
	if (!open_disk("-t ext4 -O ^metadata_csum"))
		return;
	ext_volume_close(volume);
	disk.data[FS_OFFSET + 1024 + 96] |= EXT3_FEATURE_INCOMPAT_RECOVER;
	if (CHECK(!ext_volume_open(&disk.view, FS_OFFSET, FS_SIZE, &volume,
				   &err))) {
		check_text("/boot/small", "small\n");
		ext_volume_close(volume);
	}
	test_disk_fini(&disk);
}

/* --- Hostility ------------------------------------------------------------ */

#define BLOCK 4096

static uint32_t get32(uint64_t offset)
{
	le32 raw;

	memcpy(&raw, disk.data + FS_OFFSET + offset, sizeof(raw));
	return le32_get(raw);
}

static void fill_block(uint32_t block, uint32_t pointer)
{
	le32 raw = le32_make(pointer);

	for (uint32_t i = 0; i < BLOCK; i += sizeof(raw))
		memcpy(disk.data + FS_OFFSET + block * BLOCK + i, &raw,
		       sizeof(raw));
}

/*
 * Lets the root directory go on and on: its triply indirect block leads, in
 * a thousand million ways, to its first block.
 */
static void make_root_endless(void)
{
	uint64_t super = 1024, group = BLOCK;
	uint64_t inode = (uint64_t)get32(group + 8) * BLOCK +
			 (get32(super + 88) & 0xffff); /* inode number 2 */
	uint32_t top = FS_SIZE / BLOCK - 1;	       /* nothing is up there */
	le32 pointer = le32_make(top);

	fill_block(top, top - 1);
	fill_block(top - 1, top - 2);
	fill_block(top - 2, get32(inode + 40));
	memcpy(disk.data + FS_OFFSET + inode + 40 + 14 * 4, &pointer, 4);
}

static void ends_in_an_endless_directory(void)
{
	struct ext_file file;

	if (!test_has_mke2fs())
		TEST_SKIP("mke2fs (package e2fsprogs) is not installed");
	if (!open_disk("-t ext2 -b 4096"))
		return;
	ext_volume_close(volume);
	make_root_endless();
	if (CHECK(!ext_volume_open(&disk.view, FS_OFFSET, FS_SIZE, &volume,
				   &err))) {
		check_text("/boot/small", "small\n");
		CHECK_EQUAL(ext_volume_find(volume, "/nothing", &file, &err),
			    -ETIME);
		CHECK(strstr(err.text, "no end"));
		ext_volume_close(volume);
	}
	test_disk_fini(&disk);
}

/* --- Damage --------------------------------------------------------------- */

static uint32_t random_state;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(random_state >> 8) * limit >> 24);
}

static void use_what_is_left(void)
{
	uint8_t *buffer = malloc(FS_SIZE);
	struct ext_file file;
	unsigned int count = 0;

	if (ext_volume_open(&disk.view, FS_OFFSET, FS_SIZE, &volume, &err)) {
		free(buffer);
		return;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
		if (!ext_volume_find(volume, files[i].path, &file, &err) &&
		    file.size <= FS_SIZE)
			ext_volume_read(volume, &file, buffer, &err);
	ext_volume_list(volume, "/boot", count_one, &count, &err);
	ext_volume_close(volume);
	free(buffer);
}

/*
 * Bytes of the first 64 KiB, where superblock, descriptors and inodes are, or
 * of the rest that holds directories and trees. Without checksums, as the
 * library would notice most with them.
 */
static void survive_damage(const char *options, unsigned int rounds)
{
	struct test_disk sound;

	if (!open_disk(options))
		return;
	ext_volume_close(volume);
	test_disk_init(&sound, DISK_SIZE);
	memcpy(sound.data, disk.data, DISK_SIZE);
	for (random_state = 1; rounds; rounds--) {
		uint32_t range = random_below(4) ? 64 * KIB : MIB;

		memcpy(disk.data, sound.data, DISK_SIZE);
		for (uint32_t flips = 1 + random_below(8); flips; flips--)
			disk.data[FS_OFFSET + 1024 + random_below(range)] ^=
				(uint8_t)(1 << random_below(8));
		use_what_is_left();
	}
	test_disk_fini(&sound);
	test_disk_fini(&disk);
}

static void survives_damage(void)
{
	if (!test_has_mke2fs())
		TEST_SKIP("mke2fs (package e2fsprogs) is not installed");
	survive_damage("-t ext4 -b 1024 -N 64 -O ^metadata_csum", 40);
	survive_damage("-t ext2 -b 1024 -N 64", 40);
	survive_damage("-t ext4 -b 4096 -N 64 -O ^metadata_csum,inline_data",
		       40);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(reads_ext2_ext3_and_ext4),
		TEST(follows_links_inside_the_volume),
		TEST(says_why_a_path_leads_nowhere),
		TEST(lists_directories),
		TEST(refuses_what_is_no_file_system),
		TEST(refuses_a_cut_file_system),
		TEST(reads_with_a_journal_to_replay),
		TEST(ends_in_an_endless_directory),
		TEST(survives_damage),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}

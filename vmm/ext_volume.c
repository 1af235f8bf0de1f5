/*
 * vmm/ext_volume.c - see ext_volume.h.
 *
 * Paths are walked here and not by the library's namei, which believes the
 * length that a symbolic link claims to have.
 */
#include "vmm/ext_volume.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/math.h"
#include "vmm/ext_io.h"

#define SUPERBLOCK_OFFSET 1024
#define BLOCK_BITS_MIN	  10
#define BLOCK_BITS_MAX	  16
#define GROUPS_MAX	  (1U << 20) /* 128 TiB in blocks of 4 KiB */
#define LINKS_MAX	  40	     /* as Linux follows */

/* For all paths and directories together; a file's own size comes on top. */
#define BUDGET (256 * MIB)
/* Each block may come with a block of its tree, and from another window. */
#define FILE_BUDGET_FACTOR 32

/* --- Instead of the library's own ----------------------------------------- */

/*
 * These stand in for functions that need much - tables of all letters, scanf()
 * - for what is not done here: names are looked up as they are written, and
 * nothing is ever mounted, or written to. That is a tenth of a static program.
 */
const struct ext2fs_nls_table *ext2fs_load_nls_table(int encoding)
{
	(void)encoding;
	return NULL;
}

errcode_t ext2fs_check_mount_point(const char *device, int *mount_flags,
				   char *mount_point, int room)
{
	(void)device;
	(void)mount_flags;
	(void)mount_point;
	(void)room;
	return EXT2_ET_UNIMPLEMENTED;
}

/* --- The volume ----------------------------------------------------------- */

struct ext_volume {
	struct ext_io io;
	ext2_filsys fs;
};

/* The library's code, in our terms. */
static int code_of(errcode_t code)
{
	if (!code)
		return 0;
	if (code > 0 && code < EXT2_ET_BASE)
		return -(int)code;
	switch (code) {
	case EXT2_ET_NO_MEMORY:
		return -ENOMEM;
	case EXT2_ET_FILE_NOT_FOUND:
		return -ENOENT;
	case EXT2_ET_NO_DIRECTORY:
		return -ENOTDIR;
	case EXT2_ET_UNSUPP_FEATURE:
		return -ENOTSUP;
	default:
		return -EUCLEAN;
	}
}

static int fail(struct err *err, errcode_t code, const char *what)
{
	int ret = code_of(code);

	if (ret == -ETIME)
		return err_set(err, ETIME,
			       "%s: its file system is damaged: there is no "
			       "end to what must be read",
			       what);
	return err_set(err, -ret, "%s: %s", what, error_message(code));
}

/* --- Opening -------------------------------------------------------------- */

/*
 * The library allocates for as many block groups as the superblock claims to
 * have: so that claim is judged first, by the size of what it stands on.
 */
static bool superblock_is_sane(const struct ext2_super_block *super,
			       uint64_t size)
{
	uint32_t block_bits = BLOCK_BITS_MIN +
			      (uint64_t)le32toh(super->s_log_block_size);
	uint32_t per_group = le32toh(super->s_blocks_per_group);
	uint64_t blocks = le32toh(super->s_blocks_count);

	if (le16toh(super->s_magic) != EXT2_SUPER_MAGIC ||
	    le32toh(super->s_log_block_size) >
		    BLOCK_BITS_MAX - BLOCK_BITS_MIN ||
	    !per_group)
		return false;
	if (le32toh(super->s_feature_incompat) & EXT4_FEATURE_INCOMPAT_64BIT)
		blocks |= (uint64_t)le32toh(super->s_blocks_count_hi) << 32;
	return blocks && blocks <= size >> block_bits &&
	       div_round_up(blocks, per_group) <= GROUPS_MAX;
}

static int check_superblock(struct ext_io *io, struct err *err)
{
	struct ext2_super_block super;
	int ret = ext_io_read(io, SUPERBLOCK_OFFSET, &super, sizeof(super));

	if (ret && ret != -EINVAL)
		return err_errno(err, -ret, "cannot read its superblock");
	if (ret || !superblock_is_sane(&super, io->size))
		return err_set(err, EUCLEAN,
			       "its ext file system is damaged, or larger than "
			       "the partition it is on");
	return 0;
}

static int open_library(struct ext_volume *volume, struct err *err)
{
	char name[EXT_IO_NAME_MAX];
	errcode_t code;

	initialize_ext2_error_table();
	ext_io_name(&volume->io, name);
	code = ext2fs_open2(name, NULL, EXT2_FLAG_64BITS | EXT2_FLAG_SKIP_MMP,
			    0, 0, (io_manager)&ext_io_manager, &volume->fs);
	return code ? fail(err, code, "cannot open its ext file system") : 0;
}

int ext_volume_open(const struct disk_view *disk, uint64_t offset,
		    uint64_t size, struct ext_volume **ret_volume,
		    struct err *err)
{
	struct ext_volume *volume = calloc(1, sizeof(*volume));
	int ret;

	if (!volume)
		return err_set(err, ENOMEM, "no memory for a file system");
	volume->io.disk = *disk;
	volume->io.offset = offset;
	volume->io.size = align_down(size, BLOCK_SECTOR);
	volume->io.budget = BUDGET;
	ret = check_superblock(&volume->io, err);
	if (!ret)
		ret = open_library(volume, err);
	if (ret) {
		free(volume);
		return ret;
	}
	*ret_volume = volume;
	return 0;
}

void ext_volume_close(struct ext_volume *volume)
{
	if (!volume)
		return;
	/* Not ext2fs_close(): that would first try to write. */
	ext2fs_free(volume->fs);
	free(volume);
}

/* --- Paths ---------------------------------------------------------------- */

struct walk {
	struct ext_volume *volume;
	ext2_ino_t at;
	struct ext2_inode inode; /* of `at` */
	char rest[PATH_MAX];	 /* what is still to be walked */
	unsigned int links;
};

static errcode_t walk_to(struct walk *walk, ext2_ino_t ino)
{
	walk->at = ino;
	return ext2fs_read_inode(walk->volume->fs, ino, &walk->inode);
}

/* A file's first bytes, at most @size of them; they are to be all. */
static errcode_t read_contents(ext2_filsys fs, ext2_ino_t ino, void *buffer,
			       unsigned int size)
{
	unsigned int done = 0, got = 0;
	ext2_file_t file;
	errcode_t code = ext2fs_file_open(fs, ino, 0, &file);

	if (code)
		return code;
	do {
		code = ext2fs_file_read(file, (char *)buffer + done,
					size - done, &got);
		done += got;
	} while (!code && got && done < size);
	ext2fs_file_close(file);
	if (code)
		return code;
	return done == size ? 0 : EXT2_ET_SHORT_READ;
}

/*
 * The link's text, with its NUL, into @ret_text of PATH_MAX bytes. A link
 * whose text fits has it in the inode, in place of block numbers.
 */
static errcode_t read_link(struct walk *walk, ext2_ino_t ino,
			   struct ext2_inode *inode, char *ret_text)
{
	uint64_t size = EXT2_I_SIZE(inode);

	if (!size || size >= PATH_MAX)
		return EXT2_ET_INODE_CORRUPTED;
	ret_text[size] = '\0';
	if (!ext2fs_is_fast_symlink(inode) ||
	    (inode->i_flags & EXT4_INLINE_DATA_FL))
		return read_contents(walk->volume->fs, ino, ret_text,
				     (unsigned int)size);
	if (size >= sizeof(inode->i_block))
		return EXT2_ET_INODE_CORRUPTED;
	memcpy(ret_text, inode->i_block, size);
	return 0;
}

/* Puts the text of link @ino in front of what is still to be walked. */
static errcode_t follow(struct walk *walk, ext2_ino_t ino,
			struct ext2_inode *inode)
{
	char text[PATH_MAX];
	size_t length, rest = strlen(walk->rest);
	errcode_t code;

	if (++walk->links > LINKS_MAX)
		return ELOOP;
	code = read_link(walk, ino, inode, text);
	if (code)
		return code;
	length = strlen(text);
	if (length + 1 + rest >= sizeof(walk->rest))
		return ENAMETOOLONG;
	memmove(walk->rest + length + 1, walk->rest, rest + 1);
	memcpy(walk->rest, text, length);
	walk->rest[length] = '/';
	return *text == '/' ? walk_to(walk, EXT2_ROOT_INO) : 0;
}

/* One name further down, or the start of a link's text. */
static errcode_t step(struct walk *walk, const char *name)
{
	ext2_filsys fs = walk->volume->fs;
	struct ext2_inode inode;
	ext2_ino_t ino;
	errcode_t code;

	if (!LINUX_S_ISDIR(walk->inode.i_mode))
		return ENOTDIR;
	code = ext2fs_lookup(fs, walk->at, name, (int)strlen(name), NULL, &ino);
	if (!code)
		code = ext2fs_read_inode(fs, ino, &inode);
	if (code)
		return code;
	if (LINUX_S_ISLNK(inode.i_mode))
		return follow(walk, ino, &inode);
	return walk_to(walk, ino);
}

/* Cuts the first name off what is still to be walked. False: nothing left. */
static bool next_name(struct walk *walk, char *ret_name)
{
	char *start = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(start, "/");

	memcpy(ret_name, start, length);
	ret_name[length] = '\0';
	memmove(walk->rest, start + length, strlen(start + length) + 1);
	return length > 0;
}

/* Leaves the inode that @path leads to in @walk. */
static int walk_path(struct walk *walk, struct ext_volume *volume,
		     const char *path, struct err *err)
{
	char name[PATH_MAX];
	errcode_t code;

	*walk = (struct walk){.volume = volume};
	if (strlen(path) >= sizeof(walk->rest))
		return fail(err, ENAMETOOLONG, "a path");
	strcpy(walk->rest, path);
	code = walk_to(walk, EXT2_ROOT_INO);
	while (!code && next_name(walk, name))
		if (strcmp(name, "."))
			code = step(walk, name);
	return code ? fail(err, code, path) : 0;
}

/* --- Files and directories ------------------------------------------------ */

int ext_volume_find(struct ext_volume *volume, const char *path,
		    struct ext_file *ret_file, struct err *err)
{
	struct walk walk;
	int ret = walk_path(&walk, volume, path, err);

	if (ret)
		return ret;
	if (!LINUX_S_ISREG(walk.inode.i_mode))
		return err_set(err, EISDIR, "%s is not a regular file", path);
	ret_file->inode = walk.at;
	ret_file->size = EXT2_I_SIZE(&walk.inode);
	return 0;
}

int ext_volume_read(struct ext_volume *volume, const struct ext_file *file,
		    void *buffer, struct err *err)
{
	errcode_t code;

	if (file->size > INT_MAX)
		return err_set(err, EFBIG, "the file is larger than 2 GiB");
	volume->io.budget += FILE_BUDGET_FACTOR * file->size;
	code = read_contents(volume->fs, file->inode, buffer,
			     (unsigned int)file->size);
	return code ? fail(err, code, "cannot read it") : 0;
}

struct listing {
	bool (*each)(void *context, const char *name);
	void *context;
};

static int list_entry(ext2_ino_t directory, int kind,
		      struct ext2_dir_entry *entry, int offset, int block_size,
		      char *buffer, void *data)
{
	struct listing *listing = data;
	char name[EXT2_NAME_LEN + 1];
	int length = ext2fs_dirent_name_len(entry);

	(void)directory;
	(void)offset;
	(void)block_size;
	(void)buffer;
	if (kind != DIRENT_OTHER_FILE)
		return 0;
	memcpy(name, entry->name, (size_t)length);
	name[length] = '\0';
	return listing->each(listing->context, name) ? 0 : DIRENT_ABORT;
}

int ext_volume_list(struct ext_volume *volume, const char *path,
		    bool (*each)(void *context, const char *name),
		    void *context, struct err *err)
{
	struct listing listing = {each, context};
	struct walk walk;
	errcode_t code;
	int ret = walk_path(&walk, volume, path, err);

	if (ret)
		return ret;
	if (!LINUX_S_ISDIR(walk.inode.i_mode))
		return fail(err, ENOTDIR, path);
	code = ext2fs_dir_iterate2(volume->fs, walk.at, 0, NULL, list_entry,
				   &listing);
	return code ? fail(err, code, path) : 0;
}

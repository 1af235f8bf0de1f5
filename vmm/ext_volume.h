/*
 * vmm/ext_volume.h - files of an ext2, ext3 or ext4 file system on a disk,
 * through libext2fs.
 *
 * Read-only, and the journal is not replayed: after a crash the disk is as it
 * was when the metadata last reached its place, so a file that was written in
 * the seconds before may be missing or an older one of its name be found. For
 * kernels, which are installed long before, that is good enough; whoever just
 * installed one and lost power gets the one before.
 *
 * The file system may be hostile: what the library reads is bounded in number
 * (ext_io.h), sizes are bounded by the caller, symbolic links by a count, and
 * what does not fit together is an error with a sentence. On main.
 */
#ifndef VMM_EXT_VOLUME_H
#define VMM_EXT_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "vmm/disk_view.h"

struct ext_volume;

/* A file that was found: valid while its volume is open. */
struct ext_file {
	uint32_t inode;
	uint64_t size;
};

/*
 * Opens the file system at @offset (a multiple of 512) with at most @size
 * bytes. What @disk reads from must outlive the volume. -EUCLEAN, with a
 * sentence, for one that is damaged or too large to be true.
 */
int ext_volume_open(const struct disk_view *disk, uint64_t offset,
		    uint64_t size, struct ext_volume **ret_volume,
		    struct err *err);
void ext_volume_close(struct ext_volume *volume);

/*
 * Finds a regular file by its path from the volume's root. Symbolic links are
 * followed; absolute ones start at that root too. -ENOENT if there is no such
 * file, -EISDIR if it is something else, -ELOOP past 40 links.
 */
int ext_volume_find(struct ext_volume *volume, const char *path,
		    struct ext_file *ret_file, struct err *err);

/*
 * Reads a whole file into @buffer, which has room for file->size bytes. Holes
 * read as zeroes. -EFBIG past 2 GiB.
 */
int ext_volume_read(struct ext_volume *volume, const struct ext_file *file,
		    void *buffer, struct err *err);

/*
 * Calls @each with every name of a directory, "." and ".." left out, in no
 * order, and ends early when it answers false. -ENOENT, -ENOTDIR, or an error
 * of the file system.
 */
int ext_volume_list(struct ext_volume *volume, const char *path,
		    bool (*each)(void *context, const char *name),
		    void *context, struct err *err);

#endif

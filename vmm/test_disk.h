/*
 * vmm/test_disk.h - disks in memory for the unit tests, with file systems that
 * mke2fs makes out of a list of files.
 */
#ifndef VMM_TEST_DISK_H
#define VMM_TEST_DISK_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/endian.h"
#include "base/fd.h"
#include "base/math.h"
#include "vmm/disk_view.h"

struct test_disk {
	uint8_t *data;
	struct disk_view view;
};

static inline int test_disk_read(void *context, uint64_t offset, void *buffer,
				 size_t length)
{
	const struct test_disk *disk = context;

	memcpy(buffer, disk->data + offset, length);
	return 0;
}

/* Zeroes. @disk must stay where it is. */
static inline void test_disk_init(struct test_disk *disk, uint64_t size)
{
	disk->data = calloc(1, size);
	disk->view = (struct disk_view){test_disk_read, disk, size};
}

static inline void test_disk_fini(struct test_disk *disk)
{
	free(disk->data);
}

/* A partition in the MBR that the disk then has. */
static inline void test_disk_set_mbr(struct test_disk *disk, unsigned int index,
				     uint8_t type, uint32_t first,
				     uint32_t sectors)
{
	uint8_t *entry = disk->data + 446 + 16 * index;
	le32 range[] = {le32_make(first), le32_make(sectors)};

	entry[4] = type;
	memcpy(entry + 8, range, sizeof(range));
	disk->data[510] = 0x55;
	disk->data[511] = 0xaa;
}

struct test_file {
	const char *path;    /* relative; its directories are made */
	const char *text;    /* NULL: a symbolic link */
	const char *link_to; /* or NULL */
	unsigned int times;  /* how often the text is in it; 0: once */
};

/* Makes every directory above the path's last name. */
static inline void test_make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
}

static inline bool test_make_file(const char *root,
				  const struct test_file *file)
{
	char path[1024];
	FILE *out;

	snprintf(path, sizeof(path), "%s/files/%s", root, file->path);
	test_make_parents(path);
	if (file->link_to)
		return !symlink(file->link_to, path);
	out = fopen(path, "w");
	if (!out)
		return false;
	for (unsigned int i = 0; i < max_u64(file->times, 1); i++)
		fputs(file->text, out);
	return !fclose(out);
}

static inline bool test_has_mke2fs(void)
{
	return !system("PATH=$PATH:/sbin:/usr/sbin; "
		       "command -v mke2fs >/dev/null");
}

/*
 * The environment of a test program may be one for another architecture, and
 * mke2fs is of the host's.
 */
static inline bool test_run_mke2fs(const char *root, const char *options,
				   uint64_t size)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "unset LD_LIBRARY_PATH; PATH=$PATH:/sbin:/usr/sbin; "
		 "mke2fs -q -F %s -d %s/files %s/image %lluk >/dev/null",
		 options, root, root, (unsigned long long)(size / KIB));
	return !system(command);
}

static inline bool test_load_image(struct test_disk *disk, const char *root,
				   uint64_t offset, uint64_t size)
{
	char path[256];
	bool loaded;
	int fd;

	snprintf(path, sizeof(path), "%s/image", root);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	loaded = fd >= 0 && !fd_read_at(fd, disk->data + offset, size, 0);
	fd_close(&fd);
	return loaded;
}

/*
 * Puts a file system with these files at @offset of the disk. @options are
 * mke2fs': "-t ext4", for example.
 */
static inline bool test_disk_make_fs(struct test_disk *disk, uint64_t offset,
				     uint64_t size, const char *options,
				     const struct test_file *files,
				     size_t count)
{
	char root[] = P_tmpdir "/alcor-test-XXXXXX", command[256];
	bool made = mkdtemp(root);

	if (!made)
		return false;
	for (size_t i = 0; i < count; i++)
		made = made && test_make_file(root, &files[i]);
	made = made && test_run_mke2fs(root, options, size) &&
	       test_load_image(disk, root, offset, size);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return !system(command) && made;
}

#endif

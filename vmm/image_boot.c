/*
 * vmm/image_boot.c - see image_boot.h.
 *
 * Every source (boot_source.h) is asked about every file system before the
 * next one is: what a boot loader's configuration says on a /boot partition
 * counts more than a kernel that merely lies around on another.
 */
#include "vmm/image_boot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/math.h"
#include "vmm/boot_source.h"
#include "vmm/ext_volume.h"
#include "vmm/fs_kind.h"
#include "vmm/partition.h"

/* Larger ones than any that are in use. */
#define KERNEL_MAX (256 * MIB)
#define INITRD_MAX (1024 * MIB)

struct image {
	const struct disk_view *disk;
	const char *name;
	struct partition_table table;
	/* Of the partitions of the same index. NULL: not one we read */
	struct ext_volume *volumes[PARTITIONS_MAX];
	/* The first that could not be used, of file systems and of entries */
	struct err volume_problem;
	struct err entry_problem;
};

/* What is to be booted, and from which of the partitions. */
struct choice {
	unsigned int index;
	struct boot_entry entry;
};

/* --- The file systems ----------------------------------------------------- */

static void open_volume(struct image *image, unsigned int index)
{
	const struct partition *part = &image->table.partitions[index];
	struct err err;

	if (fs_kind_read(image->disk, part->offset) != FS_EXT)
		return;
	if (!ext_volume_open(image->disk, part->offset, part->size,
			     &image->volumes[index], &err))
		return;
	if (part->number)
		err_prefix(&err, "partition %u", part->number);
	if (!*image->volume_problem.text)
		image->volume_problem = err;
}

static int image_open(struct image *image, struct err *err)
{
	int ret = partition_table_read(image->disk, &image->table, err);

	if (ret) {
		err_prefix(err, "no kernel can be taken from %s", image->name);
		return ret;
	}
	for (unsigned int i = 0; i < image->table.count; i++)
		open_volume(image, i);
	return 0;
}

static void image_close(struct image *image)
{
	for (unsigned int i = 0; i < image->table.count; i++)
		ext_volume_close(image->volumes[i]);
}

/* --- Choosing ------------------------------------------------------------- */

static bool choose(struct image *image, struct choice *ret_choice)
{
	for (enum boot_source source = 0; source < BOOT_SOURCES; source++)
		for (unsigned int i = 0; i < image->table.count; i++) {
			if (!image->volumes[i] ||
			    !boot_source_find(source, image->volumes[i],
					      &ret_choice->entry,
					      &image->entry_problem))
				continue;
			ret_choice->index = i;
			return true;
		}
	return false;
}

/* What a person needs to know to help: "vfat on partition 1, xfs on ..." */
static void describe(const struct image *image, char *text, size_t capacity)
{
	size_t used = 0;

	*text = '\0';
	for (unsigned int i = 0; i < image->table.count && used < capacity;
	     i++) {
		const struct partition *part = &image->table.partitions[i];
		const char *kind =
			fs_kind_name(fs_kind_read(image->disk, part->offset));

		used += (size_t)snprintf(text + used, capacity - used,
					 part->number
						 ? "%s%s on partition %u"
						 : "%s%s on the whole disk",
					 i ? ", " : "", kind, part->number);
	}
}

static int error_nothing(const struct image *image, struct err *err)
{
	const char *problem = image->entry_problem.text;
	char found[512];

	if (!*problem)
		problem = image->volume_problem.text;
	if (*problem)
		return err_set(err, ENOENT,
			       "no kernel was found in %s: %s; name one with "
			       "--kernel, and its --initrd",
			       image->name, problem);
	describe(image, found, sizeof(found));
	return err_set(err, ENOENT,
		       "no kernel was found in %s, which has %s; only ext2, "
		       "ext3 and ext4 are searched: name a kernel with "
		       "--kernel, and its --initrd",
		       image->name, *found ? found : "no partition");
}

/* --- The command line ----------------------------------------------------- */

/* Where there is something to run; the volume of the kernel if nowhere. */
static unsigned int find_root(const struct image *image, unsigned int kernel)
{
	struct ext_file init;

	for (unsigned int i = 0; i < image->table.count; i++)
		if (image->volumes[i] &&
		    !ext_volume_find(image->volumes[i], "/sbin/init", &init,
				     NULL))
			return i;
	return kernel;
}

static void make_root(const struct image *image, struct choice *choice)
{
	unsigned int index = find_root(image, choice->index);
	const struct partition *part = &image->table.partitions[index];
	char text[64];

	if (*part->uuid)
		snprintf(text, sizeof(text), "root=PARTUUID=%s ro", part->uuid);
	else if (part->number)
		snprintf(text, sizeof(text), "root=/dev/vda%u ro",
			 part->number);
	else
		snprintf(text, sizeof(text), "root=/dev/vda ro");
	boot_entry_add_arguments(&choice->entry, text);
}

/* Is there a console=ttyS0, with or without a baud rate behind it? */
static bool has_console(const char *cmdline)
{
	static const char console[] = "console=ttyS0";

	while (*(cmdline += strspn(cmdline, " \t"))) {
		if (!strncmp(cmdline, console, strlen(console)) &&
		    strchr(", \t", cmdline[strlen(console)]))
			return true;
		cmdline += strcspn(cmdline, " \t");
	}
	return false;
}

static int make_cmdline(const struct image *image, struct choice *choice,
			struct image_boot *boot, struct err *err)
{
	if (!*choice->entry.cmdline)
		make_root(image, choice);
	if (!has_console(choice->entry.cmdline))
		boot_entry_add_arguments(&choice->entry, "console=ttyS0");
	if (choice->entry.does_not_fit)
		return err_set(err, E2BIG,
			       "the command line found in %s is too long",
			       image->name);
	boot->cmdline = strdup(choice->entry.cmdline);
	return boot->cmdline ? 0 : err_set(err, ENOMEM, "no memory");
}

/* --- The files ------------------------------------------------------------ */

struct piece {
	struct ext_file file;
	uint64_t offset;
};

/*
 * Where each file goes: one behind the other, each at a multiple of four, as
 * the kernel wants its initial ramdisks' archives.
 */
static int lay_out(struct ext_volume *volume, char (*paths)[BOOT_PATH_MAX],
		   unsigned int count, struct piece *pieces, uint64_t limit,
		   uint64_t *ret_size, struct err *err)
{
	*ret_size = 0;
	for (unsigned int i = 0; i < count; i++) {
		int ret = ext_volume_find(volume, paths[i], &pieces[i].file,
					  err);

		if (ret)
			return ret;
		pieces[i].offset = align_up(*ret_size, 4);
		if (!add_fits(pieces[i].offset, pieces[i].file.size,
			      ret_size) ||
		    *ret_size > limit)
			return err_set(err, EFBIG, "%s is larger than %llu MiB",
				       paths[i],
				       (unsigned long long)(limit / MIB));
	}
	if (!*ret_size)
		return err_set(err, EINVAL, "%s is empty", paths[0]);
	return 0;
}

static int read_pieces(struct ext_volume *volume, char (*paths)[BOOT_PATH_MAX],
		       unsigned int count, const struct piece *pieces,
		       uint8_t *data, struct err *err)
{
	for (unsigned int i = 0; i < count; i++) {
		int ret = ext_volume_read(volume, &pieces[i].file,
					  data + pieces[i].offset, err);

		if (ret) {
			err_prefix(err, "%s", paths[i]);
			return ret;
		}
	}
	return 0;
}

/* The files, joined, in memory of their own. */
static int map_files(struct ext_volume *volume, char (*paths)[BOOT_PATH_MAX],
		     unsigned int count, uint64_t limit, struct fd_map *map,
		     struct err *err)
{
	struct piece pieces[BOOT_INITRDS_MAX];
	uint64_t size;
	uint8_t *data;
	int ret = lay_out(volume, paths, count, pieces, limit, &size, err);

	if (ret)
		return ret;
	data = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		return err_errno(err, errno, "no memory for %s", paths[0]);
	ret = read_pieces(volume, paths, count, pieces, data, err);
	if (ret) {
		munmap(data, size);
		return ret;
	}
	mprotect(data, size, PROT_READ);
	map->data = data;
	map->size = size;
	return 0;
}

static int name_file(const struct image *image, const char *path,
		     char **ret_path, struct fd_map *map, struct err *err)
{
	if (asprintf(ret_path, "%s:%s", image->name, path) < 0) {
		*ret_path = NULL;
		return err_set(err, ENOMEM, "no memory for a path");
	}
	map->path = *ret_path;
	return 0;
}

static int load(const struct image *image, struct choice *choice,
		struct image_boot *boot, struct err *err)
{
	struct ext_volume *volume = image->volumes[choice->index];
	struct boot_entry *entry = &choice->entry;
	int ret;

	ret = map_files(volume, &entry->kernel, 1, KERNEL_MAX, &boot->kernel,
			err);
	if (!ret)
		ret = name_file(image, entry->kernel, &boot->kernel_path,
				&boot->kernel, err);
	if (!ret && entry->initrd_count)
		ret = map_files(volume, entry->initrds, entry->initrd_count,
				INITRD_MAX, &boot->initrd, err);
	if (!ret && entry->initrd_count)
		ret = name_file(image, entry->initrds[0], &boot->initrd_path,
				&boot->initrd, err);
	if (ret)
		err_prefix(err, "%s", image->name);
	return ret;
}

/* --- All of it ------------------------------------------------------------ */

static int find_and_load(struct image *image, struct image_boot *boot,
			 struct err *err)
{
	struct choice choice;
	int ret;

	if (!choose(image, &choice))
		return error_nothing(image, err);
	/* Not what the image's owner would expect, so it is told. */
	if (*image->entry_problem.text)
		log_warning("%s: %s; booting %s instead", image->name,
			    image->entry_problem.text, choice.entry.kernel);
	ret = make_cmdline(image, &choice, boot, err);
	return ret ? ret : load(image, &choice, boot, err);
}

int image_boot_open(const struct disk_view *disk, const char *name,
		    struct image_boot *ret_boot, struct err *err)
{
	struct image *image = calloc(1, sizeof(*image));
	struct image_boot boot = {0};
	int ret;

	if (!image)
		return err_set(err, ENOMEM, "no memory to look into %s", name);
	image->disk = disk;
	image->name = name;
	ret = image_open(image, err);
	if (!ret)
		ret = find_and_load(image, &boot, err);
	image_close(image);
	free(image);
	if (ret)
		image_boot_close(&boot);
	else
		*ret_boot = boot;
	return ret;
}

void image_boot_close(struct image_boot *boot)
{
	fd_map_close(&boot->kernel);
	fd_map_close(&boot->initrd);
	free(boot->kernel_path);
	free(boot->initrd_path);
	free(boot->cmdline);
	*boot = (struct image_boot){0};
}

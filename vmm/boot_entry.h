/*
 * vmm/boot_entry.h - one thing that a boot loader would start: a kernel, its
 * initial ramdisks, and its command line.
 *
 * Filled in by those who read the boot loaders' configurations, which may be
 * hostile: what does not fit makes the entry unusable, and is never cut to
 * something else. Pure.
 */
#ifndef VMM_BOOT_ENTRY_H
#define VMM_BOOT_ENTRY_H

#include <stdbool.h>

#define BOOT_PATH_MAX	 256
#define BOOT_CMDLINE_MAX 4096 /* twice of what the kernels read */
#define BOOT_INITRDS_MAX 8

/* All zero: empty. */
struct boot_entry {
	char kernel[BOOT_PATH_MAX]; /* as the configuration has it */
	unsigned int initrd_count;
	char initrds[BOOT_INITRDS_MAX][BOOT_PATH_MAX]; /* to be joined */
	char cmdline[BOOT_CMDLINE_MAX];
	bool does_not_fit;
};

/* Has it a kernel, and did everything fit? */
bool boot_entry_is_usable(const struct boot_entry *entry);

/* GRUB's "(device)" in front of a path is dropped. */
void boot_entry_set_kernel(struct boot_entry *entry, const char *path);
void boot_entry_add_initrd(struct boot_entry *entry, const char *path);

/* For each of a text's paths, with any of @separators between them. */
void boot_entry_add_initrds(struct boot_entry *entry, const char *text,
			    const char *separators);

/* Adds to the command line, after a blank if it is not empty. */
void boot_entry_add_arguments(struct boot_entry *entry, const char *text);

/* One argument, which is put into quotes if there is a blank in it. */
void boot_entry_add_argument(struct boot_entry *entry, const char *argument);

#endif

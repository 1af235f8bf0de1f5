/*
 * vmm/boot_names.h - kernels and initial ramdisks by the names that
 * distributions give to their files, where no configuration says more. Pure.
 */
#ifndef VMM_BOOT_NAMES_H
#define VMM_BOOT_NAMES_H

#include <stdbool.h>

#include "vmm/boot_entry.h"

/* The newest kernel so far. All zero: none. */
struct boot_names {
	char newest[BOOT_PATH_MAX]; /* vmlinuz-VERSION */
};

/* Looks at one more name of a directory. */
void boot_names_offer(struct boot_names *names, const char *name);

/*
 * Names that the initial ramdisk for vmlinuz-@version may have: number @index
 * of them into @ret_name. False: there are no more.
 */
bool boot_names_initrd(const char *version, unsigned int index,
		       char ret_name[BOOT_PATH_MAX]);

/* "VERSION" of "vmlinuz-VERSION", or NULL if it is not such a name. */
const char *boot_names_version(const char *name);

#endif

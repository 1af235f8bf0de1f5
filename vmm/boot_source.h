/*
 * vmm/boot_source.h - the places in a file system where it may say what is to
 * be booted.
 *
 * Each source reads what is there with the code that knows its format, and
 * answers an entry whose files exist. On main.
 */
#ifndef VMM_BOOT_SOURCE_H
#define VMM_BOOT_SOURCE_H

#include <stdbool.h>

#include "base/err.h"
#include "vmm/boot_entry.h"
#include "vmm/ext_volume.h"

/*
 * In the order in which they are asked: the Boot Loader Specification's
 * entries, GRUB's, extlinux', and last the files' names alone.
 */
enum boot_source {
	BOOT_SOURCE_BLS,
	BOOT_SOURCE_GRUB,
	BOOT_SOURCE_EXTLINUX,
	BOOT_SOURCE_NAMES, /* leaves the command line empty */
	BOOT_SOURCES
};

/*
 * What the volume would boot by this source. The entry's paths are absolute in
 * the volume and lead to files. False if there is nothing; where something is
 * there but cannot be used, @problem says so, unless it has a text already.
 */
bool boot_source_find(enum boot_source source, struct ext_volume *volume,
		      struct boot_entry *ret_entry, struct err *problem);

#endif
